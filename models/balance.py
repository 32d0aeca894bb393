"""The annual water balance of IWA and AWWA M36, with 95 % limits on every line.

Water supplied = own and bought water - exported - what reservoirs stored. From it the authorised consumption is taken;
the rest are losses. Apparent losses are estimated line by line, real losses are what remains (CARL). Lambert and
Hirner, "Losses from water supply systems: standard terminology and recommended performance measures", IWA Blue Pages,
2000; AWWA Manual M36, 4th ed., 2016. Volumes are m3 of the whole period.

A line that nobody stated is `None` and makes what rests on it a `Lack`; an empty tuple says that there is no such
water.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from models.uncertain import Lack, Result, Uncertain, add, subtract, total


class Source(StrEnum):
    """Where a number comes from; a later one is weaker."""

    MEASURED = "measured"
    STATED = "stated"
    ASSUMED = "assumed"
    COMPUTED = "computed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Entry:
    """One volume of a line.

    Attributes
    ----------
    name
        As the user calls it.
    volume
        m3 in the period; of exported and stored water positive.
    source
        Where it comes from.
    under
        Share that the meters of this consumption do not register, 0 to 1; None where nobody stated it.
    under_source
        Where that comes from.
    sign
        -1 for what is taken off a sum (export, storage).
    note
        What else is to be known of it, such as its coverage.
    """

    name: str
    volume: Uncertain
    source: Source
    under: Uncertain | None = None
    under_source: Source | None = None
    sign: float = 1.0
    note: str = ""


Entries = tuple[Entry, ...] | Lack | None
"""Of a line; what it lacks, or None where nobody stated it."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """What went in and what is known of where it went.

    Attributes
    ----------
    supplied
        Own, bought, exported and stored water.
    billed_metered, billed_unmetered, unbilled_metered, unbilled_unmetered
        Authorised consumption.
    unauthorised, data_handling
        Apparent losses beside those of meters, which follow from `Entry.under`.
    """

    supplied: Entries
    billed_metered: Entries
    billed_unmetered: Entries
    unbilled_metered: Entries
    unbilled_unmetered: Entries
    unauthorised: Entries
    data_handling: Entries


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    Attributes
    ----------
    key
        Its name in files, such as "real_losses".
    volume
        m3 in the period, or what it lacks.
    source
        Of an input line the weakest of its entries', else computed.
    entries
        What it is made of.
    """

    key: str
    volume: Result
    source: Source
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Balance:
    """The table.

    Attributes
    ----------
    lines
        By key, in the order of the table.
    """

    lines: dict[str, Line]

    def volume(self, key: str) -> Result:
        """Volume of a line, m3 in the period."""
        return self.lines[key].volume

    @property
    def findings(self) -> tuple[str, ...]:
        """Keys of what cannot be, though every single input may: negative residuals."""
        found = []
        for key in ("losses", "real_losses", "non_revenue"):
            volume = self.volume(key)
            if isinstance(volume, Uncertain) and volume.value < 0.0:
                found.append(f"negative_{key}" if volume.high < 0.0 else f"maybe_negative_{key}")
        return tuple(found)


INPUTS = (
    "supplied", "billed_metered", "billed_unmetered", "unbilled_metered", "unbilled_unmetered", "unauthorised",
    "data_handling",
)  # fmt: skip
KEYS = (
    "supplied", "authorised", "billed", "billed_metered", "billed_unmetered", "unbilled", "unbilled_metered",
    "unbilled_unmetered", "losses", "apparent_losses", "unauthorised", "meter_under_registration", "data_handling",
    "real_losses", "revenue", "non_revenue",
)  # fmt: skip


def balance_of(volumes: Volumes) -> Balance:
    """Compute the table."""
    given = {key: _summed(key, getattr(volumes, key)) for key in INPUTS}
    v = {key: line.volume for key, line in given.items()}
    under = _under_registered(volumes)
    billed = add(v["billed_metered"], v["billed_unmetered"])
    unbilled = add(v["unbilled_metered"], v["unbilled_unmetered"])
    authorised = add(billed, unbilled)
    losses = subtract(v["supplied"], authorised)
    apparent = add(v["unauthorised"], under.volume, v["data_handling"])
    computed = {
        "authorised": authorised,
        "billed": billed,
        "unbilled": unbilled,
        "losses": losses,
        "apparent_losses": apparent,
        "real_losses": subtract(losses, apparent),
        "revenue": billed,
        "non_revenue": subtract(v["supplied"], billed),
    }
    lines = {key: Line(key, volume, Source.COMPUTED) for key, volume in computed.items()}
    lines |= given | {under.key: under}
    return Balance({key: lines[key] for key in KEYS})


def under_registered(registered: Uncertain, share: Uncertain) -> Uncertain:
    """What meters let pass unseen: V u / (1 - u) of what they registered (AWWA M36, apparent losses).

    Parameters
    ----------
    registered
        V, what the meters showed.
    share
        u, the share of what passes that they do not show, 0 to 1.
    """
    return registered * share / (1.0 - share)


def _under_registered(volumes: Volumes) -> Line:
    found: list[Result] = []
    sources: list[Source] = []
    for name in ("billed_metered", "unbilled_metered"):
        entries: Entries = getattr(volumes, name)
        if not isinstance(entries, tuple):
            found.append(entries or Lack((name,)))
            continue
        for entry in entries:
            if entry.under is None or entry.under_source is None:
                found.append(Lack((f"{name}.{entry.name}.under_registration",)))
            else:
                found.append(under_registered(entry.volume, entry.under))
                sources.append(entry.under_source)
    volume = add(*found)
    return Line("meter_under_registration", volume, Source.NONE if isinstance(volume, Lack) else weakest(sources))


def _summed(key: str, entries: Entries) -> Line:
    if not isinstance(entries, tuple):
        return Line(key, entries or Lack((key,)), Source.NONE)
    volume = total([entry.sign * entry.volume for entry in entries])
    return Line(key, volume, weakest([entry.source for entry in entries]), entries)


def weakest(sources: list[Source]) -> Source:
    """The weakest of some sources; stated where there is none: somebody said that there is no such water."""
    order = list(Source)
    return max(sources, key=order.index) if sources else Source.STATED
