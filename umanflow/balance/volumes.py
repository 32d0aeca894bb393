"""Volumes of the balance's lines: as stated, as billed, as measured, or as shares of other lines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from models.balance import INPUTS, Entries, Entry, Source, Volumes
from models.inflow import Metered
from models.uncertain import Lack, Result, Uncertain, stated, total
from umanflow.balance.billing import Billing
from umanflow.balance.case import Period
from umanflow.balance.errors import BalanceError
from umanflow.balance.schema import Amount, InputFile, Supply
from umanflow.balance.units import volume_factor


class Archive(Protocol):
    """What measured volumes come from."""

    def volume(self, element: str, share: float) -> Metered:
        """What passed a meter in the period; limits as a share."""
        ...

    def stored(self, tank: str, half: float) -> Metered:
        """What a tank stored in the period; limits of the level, m."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where volumes come from beside the file itself.

    Attributes
    ----------
    period
        Of the balance.
    stated_duration
        What the file's volumes are of, s; scaled to the period where that is another.
    billing, archive
        Where there are such.
    billing_source
        Of the billing table.
    """

    period: Period
    stated_duration: float
    billing: Billing | None = None
    billing_source: Source = Source.MEASURED
    archive: Archive | None = None

    @property
    def days(self) -> tuple[dt.date, dt.date]:
        """First day and the day after the last."""
        return self.period.start.date(), self.period.end.date()


def volumes_of(content: InputFile, sources: Sources) -> Volumes:
    """Volumes of all lines.

    Raises
    ------
    BalanceError
        If one asks for what is not there; a line for each.
    """
    progress = _Progress(sources)
    for name in INPUTS:
        amounts: Sequence[Amount] | None = getattr(content, name)
        if amounts is None:
            progress.found[name] = () if name in content.none else None
            continue
        entries = [_entry(name, amount, progress) for amount in amounts]
        lack = next((entry for entry in entries if isinstance(entry, Lack)), None)
        progress.found[name] = lack or tuple(entry for entry in entries if isinstance(entry, Entry))
        if None in entries:
            progress.failed.add(name)
    if progress.lines:
        raise BalanceError(progress.lines)
    return Volumes(**progress.found)


@dataclass
class _Progress:
    """What has been read so far, and what is wrong with it.

    Attributes
    ----------
    found
        Lines by name; None for those that nobody stated.
    failed
        Lines that a sentence of `lines` is about.
    """

    sources: Sources
    found: dict[str, Entries] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)


def _entry(line: str, amount: Amount, progress: _Progress) -> Entry | Lack | None:
    """One entry, or what it lacks; None where a sentence says what is wrong with it."""
    key, place, sources = f"{line}.{amount.name}", f"{line} '{amount.name}'", progress.sources
    note, source = "", Source(amount.source)
    value: Result | None
    if amount.volume is not None:
        value = stated_volume(key, amount, sources)
        note = note_of(amount, sources)
    elif amount.percent is not None:
        value = _share(key, amount, progress)
    elif amount.billing is not None:
        value = _billed(place, amount.billing, sources, progress.lines)
        note = sources.billing.name if sources.billing is not None else ""
    else:
        assert isinstance(amount, Supply)
        measured = _measured(place, amount, sources, progress.lines)
        value = None if measured is None else measured.volume
        note = f"{amount.element}: {100.0 * measured.coverage:.1f} %" if measured is not None else ""
    if not isinstance(value, Uncertain):
        return value
    sign = 1.0
    if isinstance(amount, Supply):
        sign = -1.0 if amount.kind in ("exported", "stored") else 1.0
        value = value / (1.0 + amount.meter_error_percent / 100.0)
    under, under_source = _under(key, amount)
    return Entry(amount.name, value, source, under, under_source, sign, note)


def stated_volume(key: str, amount: Amount, sources: Sources) -> Uncertain:
    """A stated volume, m3 in the period."""
    factor = volume_factor(amount.unit, sources.period.duration)
    value = amount.volume or 0.0
    scale = 1.0 if _is_rate(amount.unit) else sources.period.duration / sources.stated_duration
    return stated(key, factor * scale * value, factor * scale * amount.half_of(value))


def note_of(amount: Amount, sources: Sources) -> str:
    """Whether a stated volume was scaled to another period."""
    is_scaled = not _is_rate(amount.unit) and sources.period.duration != sources.stated_duration
    return f"x {sources.period.duration / sources.stated_duration:.4f}" if is_scaled else ""


def _is_rate(unit: str) -> bool:
    return volume_factor(unit, 2.0) != volume_factor(unit, 1.0)


def _share(key: str, amount: Amount, progress: _Progress) -> Result | None:
    """Share of another line, or the lack of that line; None where something is wrong with it."""
    assert amount.percent is not None
    assert amount.percent_of is not None
    names = ("billed_metered", "billed_unmetered") if amount.percent_of == "billed" else (amount.percent_of,)
    if progress.failed & set(names):
        return None
    base = Uncertain(0.0)
    for name in names:
        entries = progress.found.get(name)
        if not isinstance(entries, tuple):
            return entries or Lack((name,))
        base = base + total([entry.sign * entry.volume for entry in entries])
    return base * stated(key, amount.percent / 100.0, amount.half_of(amount.percent) / 100.0)


def _billed(place: str, category: str, sources: Sources, lines: list[str]) -> Uncertain | None:
    billing = sources.billing
    if billing is None:
        lines.append(f'{place}: there is no billing table; write [billing] file = "billing.csv"')
        return None
    if category != "all" and category not in billing.categories:
        lines.append(f"{place}: {billing.name} has no category '{category}'; it has {', '.join(billing.categories)}")
        return None
    chosen = billing.categories if category == "all" else (category,)
    volume = billing.volume(*sources.days, None, chosen)
    if isinstance(volume, Lack):
        lines.append(f"{place}: {', '.join(volume.names)} is not there; add these months, or choose another period")
        return None
    return volume


def _measured(place: str, amount: Supply, sources: Sources, lines: list[str]) -> Metered | None:
    assert amount.element is not None
    if sources.archive is None:
        lines.append(f"{place}: element '{amount.element}' is read from the historian; give --config, --from and --to")
        return None
    try:
        if amount.kind == "stored":
            found = sources.archive.stored(amount.element, amount.limits or 0.0)
        else:
            found = sources.archive.volume(amount.element, amount.half_of(100.0) / 100.0)
    except LookupError as error:
        lines.append(f"{place}: {error.args[0]}")
        return None
    if found.volume is None:
        lines.append(
            f"{place}: only {100.0 * found.coverage:.0f} % of the period was read at '{amount.element}'; "
            "choose another period or state the volume"
        )
    return found


def _under(key: str, amount: Amount) -> tuple[Uncertain | None, Source | None]:
    under = amount.under_registration
    if under is None:
        return None, None
    half = under.half_of(under.percent)
    return stated(f"{key}.under_registration", under.percent / 100.0, half / 100.0), Source(under.source)
