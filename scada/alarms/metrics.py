"""How well an alarm system serves its operators, as ISA-18.2 and EEMUA 191 measure it, from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scada.alarms.entry import Entry, Note
from scada.alarms.flood import FLOOD_BEGINS, FLOOD_ENDS, FLOOD_MS
from scada.alarms.states import Event, State

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AlarmMetrics", "entry_table", "is_told", "measure"]

_STANDING_MS = 86_400_000
_TOP = 10
_SHOWN_ACTIVE = {State.UNACKNOWLEDGED.value, State.ACKNOWLEDGED.value}


@dataclass(frozen=True, slots=True)
class AlarmMetrics:
    """Figures of a period.

    Attributes
    ----------
    rates : DataFrame
        time (start of ten minutes), position, alarms (int64), is_flood (whether a flood was on in it); a row for every
        ten minutes of every position.
    positions : DataFrame
        By position: alarms, per_10_min (mean), worst_10_min, over_10_share (share of ten-minute periods with more than
        ten), flood_share (share of time in flood).
    worst : DataFrame
        The ten alarms that came most often: alarm, count, share, chattering (times it was held for that).
    standing : DataFrame
        Alarms that have held for more than 24 h at the end: alarm, state, priority, since, hours.
    priorities : DataFrame
        priority, alarms, share.
    answers : DataFrame
        By position: acknowledged, median_s and p90_s from alarm to acknowledgement.
    """

    rates: pd.DataFrame
    positions: pd.DataFrame
    worst: pd.DataFrame
    standing: pd.DataFrame
    priorities: pd.DataFrame
    answers: pd.DataFrame


def is_told(entry: Entry) -> bool:
    """Return whether an entry is an alarm that somebody is told: it comes to be unacknowledged."""
    return entry.after == State.UNACKNOWLEDGED and entry.before != entry.after


def entry_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return entries as a frame: time, alarm, event, before, after, and the rest of :class:`Entry`."""
    import pandas as pd

    columns: dict[str, object] = {"time": _times([entry.time_ms for entry in entries])}
    for name in ("alarm", "event", "before", "after", "priority", "position", "cause", "who", "why"):
        columns[name] = pd.Series([getattr(entry, name) for entry in entries], dtype="str")
    columns["value"] = pd.Series([entry.value for entry in entries], dtype=float)
    columns["is_active"] = pd.Series([entry.is_active for entry in entries], dtype=bool)
    columns["hidden"] = pd.Series(["|".join(entry.hidden) for entry in entries], dtype="str")
    columns["until"] = pd.to_datetime(
        pd.Series([entry.until_ms for entry in entries], dtype="Int64"), unit="ms", utc=True
    )
    columns["is_chattering"] = pd.Series([entry.is_chattering for entry in entries], dtype=bool)
    return pd.DataFrame(columns)


def measure(entries: Sequence[Entry], from_ms: int, to_ms: int) -> AlarmMetrics:
    """Measure a period.

    Parameters
    ----------
    entries : sequence of Entry
        The journal up to the period's end, from its beginning: what stands is known from what came before.
    from_ms, to_ms : int
        ``from_ms <= time < to_ms``, UTC ms.
    """
    known = [entry for entry in entries if entry.time_ms < to_ms]
    inside = [entry for entry in known if entry.time_ms >= from_ms]
    told = [entry for entry in inside if is_told(entry)]
    floods = _floods(known, from_ms, to_ms)
    rates = _rates(told, known, floods, from_ms, to_ms)
    return AlarmMetrics(
        rates,
        _positions(rates, floods, from_ms, to_ms),
        _worst(told, inside),
        _standing(known, to_ms),
        _priorities(told),
        _answers(known, from_ms),
    )


def _floods(entries: Sequence[Entry], from_ms: int, to_ms: int) -> dict[str, list[tuple[int, int]]]:
    """Find the spans of each position in which it was flooded, cut to the period.

    They are counted from what the operator was told, by the rule that the engine uses, so that one is also found where
    the program was stopped before it ended.
    """
    spans: dict[str, list[tuple[int, int]]] = {}
    times: dict[str, list[int]] = {}
    for entry in entries:
        if is_told(entry):
            times.setdefault(entry.position, []).append(entry.time_ms)
    for position, moments in times.items():
        began: int | None = None
        window: list[int] = []
        for moment in [*sorted(moments), to_ms + FLOOD_MS + 1]:
            if began is not None and window[-FLOOD_ENDS] + FLOOD_MS <= moment:
                spans.setdefault(position, []).append((began, window[-FLOOD_ENDS] + FLOOD_MS))
                began = None
            window = [*(earlier for earlier in window if earlier > moment - FLOOD_MS), moment]
            if began is None and len(window) > FLOOD_BEGINS:
                began = moment
    cut = {
        position: [(max(start, from_ms), min(end, to_ms)) for start, end in found if end > from_ms and start < to_ms]
        for position, found in spans.items()
    }
    return {position: found for position, found in cut.items() if found}


def _rates(
    told: Sequence[Entry],
    known: Sequence[Entry],
    floods: dict[str, list[tuple[int, int]]],
    from_ms: int,
    to_ms: int,
) -> pd.DataFrame:
    import pandas as pd

    first = from_ms // FLOOD_MS * FLOOD_MS
    starts = list(range(first, max(to_ms, first + 1), FLOOD_MS))
    counts: dict[tuple[str, int], int] = {}
    for entry in told:
        key = (entry.position, entry.time_ms // FLOOD_MS * FLOOD_MS)
        counts[key] = counts.get(key, 0) + 1
    positions = sorted({entry.position for entry in known if entry.position})
    rows = [
        (
            start,
            position,
            counts.get((position, start), 0),
            any(low < start + FLOOD_MS and high > start for low, high in floods.get(position, ())),
        )
        for position in positions
        for start in starts
    ]
    return pd.DataFrame(
        {
            "time": _times([row[0] for row in rows]),
            "position": pd.Series([row[1] for row in rows], dtype="str"),
            "alarms": pd.Series([row[2] for row in rows], dtype="int64"),
            "is_flood": pd.Series([row[3] for row in rows], dtype=bool),
        }
    )


def _positions(rates: pd.DataFrame, floods: dict[str, list[tuple[int, int]]], from_ms: int, to_ms: int) -> pd.DataFrame:
    import pandas as pd

    rows = []
    length_ms = max(to_ms - from_ms, 1)
    for position, group in rates.groupby("position"):
        alarms = group["alarms"]
        in_flood_ms = sum(end - start for start, end in floods.get(str(position), ()))
        rows.append(
            {
                "position": position,
                "alarms": int(alarms.sum()),
                "per_10_min": float(alarms.sum()) * FLOOD_MS / length_ms,
                "worst_10_min": int(alarms.max()),
                "over_10_share": float((alarms > FLOOD_BEGINS).mean()),
                "flood_share": in_flood_ms / length_ms,
            }
        )
    names = ["position", "alarms", "per_10_min", "worst_10_min", "over_10_share", "flood_share"]
    return pd.DataFrame(rows, columns=names)


def _worst(told: Sequence[Entry], inside: Sequence[Entry]) -> pd.DataFrame:
    import pandas as pd

    counts: dict[str, int] = {}
    for entry in told:
        counts[entry.alarm] = counts.get(entry.alarm, 0) + 1
    chatter: dict[str, int] = {}
    for entry in inside:
        if entry.event == Note.CHATTERING:
            chatter[entry.alarm] = chatter.get(entry.alarm, 0) + 1
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_TOP]
    return pd.DataFrame(
        {
            "alarm": pd.Series([name for name, _ in top], dtype="str"),
            "count": pd.Series([count for _, count in top], dtype="int64"),
            "share": pd.Series([count / len(told) for _, count in top], dtype=float),
            "chattering": pd.Series([chatter.get(name, 0) for name, _ in top], dtype="int64"),
        }
    )


def _standing(known: Sequence[Entry], to_ms: int) -> pd.DataFrame:
    import pandas as pd

    since: dict[str, Entry] = {}
    state: dict[str, Entry] = {}
    for entry in known:
        if not entry.alarm:
            continue
        state[entry.alarm] = entry
        if entry.after not in _SHOWN_ACTIVE:
            since.pop(entry.alarm, None)
        else:
            since.setdefault(entry.alarm, entry)
    rows = [
        (name, state[name].after, entry.priority, entry.time_ms, (to_ms - entry.time_ms) / 3_600_000)
        for name, entry in sorted(since.items(), key=lambda item: item[1].time_ms)
        if to_ms - entry.time_ms > _STANDING_MS
    ]
    table = pd.DataFrame(rows, columns=["alarm", "state", "priority", "since", "hours"])
    return table.assign(since=_times([row[3] for row in rows]))


def _priorities(told: Sequence[Entry]) -> pd.DataFrame:
    import pandas as pd

    counts: dict[str, int] = {}
    for entry in told:
        counts[entry.priority] = counts.get(entry.priority, 0) + 1
    rows = [(priority, count, count / len(told)) for priority, count in sorted(counts.items())]
    return pd.DataFrame(rows, columns=["priority", "alarms", "share"])


def _answers(known: Sequence[Entry], from_ms: int) -> pd.DataFrame:
    import pandas as pd

    came: dict[str, int] = {}
    waits: dict[str, list[float]] = {}
    for entry in known:
        if is_told(entry):
            came[entry.alarm] = entry.time_ms
        elif entry.event == Event.ACKNOWLEDGE and entry.alarm in came and entry.time_ms >= from_ms:
            waits.setdefault(entry.position, []).append((entry.time_ms - came.pop(entry.alarm)) / 1000.0)
    rows = []
    for position, seconds in sorted(waits.items()):
        series = pd.Series(seconds)
        rows.append((position, len(seconds), float(series.median()), float(series.quantile(0.9))))
    return pd.DataFrame(rows, columns=["position", "acknowledged", "median_s", "p90_s"])


def _times(times_ms: Sequence[int]) -> pd.DatetimeIndex:
    import numpy as np
    import pandas as pd

    return pd.DatetimeIndex(np.array(times_ms, "int64").astype("datetime64[ms]")).tz_localize("UTC")
