"""From the clock on the wall to UTC, through both changes of the clock.

In spring an hour does not exist: a reading that bears such a time is wrong by itself. In autumn an hour comes twice.
Which of the two is meant is told by the order of readings: when the clock goes back from one reading to the next, the
second hour has begun. Where a file holds one pass only, it is told by the neighbours, where one of the two hours would
tear a hole between them and the other would not; or by the arrival, before which a reading was made. Else nobody can
tell.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from scada.drops.profile import RepeatedHour

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Told", "fixed_offset_ms", "to_utc", "zone_exists"]

_FIXED = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?")
Ints = NDArray[np.int64]


class Told(IntEnum):
    """Whether a time could be brought to UTC."""

    GOOD = 0
    MISSING_HOUR = 1
    UNDECIDED = 2


def fixed_offset_ms(zone: str) -> int | None:
    """What a zone with one offset is ahead of UTC, ms; None where it is a zone by name."""
    if zone.upper() in {"UTC", "GMT", "Z"}:
        return 0
    found = _FIXED.fullmatch(zone.strip())
    if found is None:
        return None
    minutes = 60 * int(found[2]) + int(found[3] or 0)
    return 60_000 * (minutes if found[1] == "+" else -minutes)


def zone_exists(zone: str) -> bool:
    """Tell whether a zone is an offset or a name that is known."""
    if fixed_offset_ms(zone) is not None:
        return True
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True


def to_utc(
    wall_ms: Ints,
    zone: str,
    series: Ints | None = None,
    arrival_ms: int | None = None,
    rule: RepeatedHour = "order",
) -> tuple[Ints, NDArray[np.uint8]]:
    """Bring times of a clock on the wall to UTC.

    Parameters
    ----------
    wall_ms : int64 [n], ms
        In the order of the file.
    zone : str
        A name, or an offset.
    series : int64 [n], optional
        Which logger each reading is of: each has its own order. All are of one where not given.
    arrival_ms : int, optional
        When the file came, UTC ms: no reading was made later.
    rule : {'order', 'first', 'second', 'arrival'}
        As in :class:`~scada.drops.profile.Profile`.

    Returns
    -------
    int64 [n]
        UTC ms; of no meaning where it could not be told.
    uint8 [n]
        :class:`Told`.
    """
    told = np.zeros(len(wall_ms), np.uint8)
    offset = fixed_offset_ms(zone)
    if offset is not None:
        return wall_ms - offset, told
    first, second, is_missing = _both(wall_ms, zone)
    told[is_missing] = Told.MISSING_HOUR
    is_twice = (first != second) & ~is_missing
    if not is_twice.any():
        return first, told
    if rule in {"first", "second"}:
        return (first if rule == "first" else second), told
    if rule == "arrival":
        limit = np.iinfo(np.int64).max if arrival_ms is None else arrival_ms
        return np.where(is_twice & (second <= limit), second, first), told
    result = first.copy()
    groups = [np.arange(len(wall_ms))] if series is None else [np.flatnonzero(series == k) for k in np.unique(series)]
    for rows in groups:
        if is_twice[rows].any():
            _by_order(rows, wall_ms, first, second, is_twice, arrival_ms, result, told)
    return result, told


def _both(wall_ms: Ints, zone: str) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """The earlier and the later meaning of each time, and which have none."""
    import pandas as pd

    distinct, rows = np.unique(wall_ms, return_inverse=True)
    index = pd.DatetimeIndex(distinct.astype("datetime64[ms]"))
    meanings = []
    for is_earlier in (True, False):
        local = index.tz_localize(ZoneInfo(zone), ambiguous=np.full(len(index), is_earlier), nonexistent="NaT")
        meanings.append(local)
    is_missing = np.asarray(meanings[0].isna())
    first, second = (_milliseconds(local) for local in meanings)
    return first[rows], second[rows], is_missing[rows]


def _milliseconds(local: pd.DatetimeIndex) -> Ints:
    plain = local.tz_convert("UTC").tz_localize(None)
    return plain.to_numpy().astype("datetime64[ms]").astype(np.int64)


def _by_order(
    rows: NDArray[np.intp],
    wall: Ints,
    first: Ints,
    second: Ints,
    is_twice: NDArray[np.bool_],
    arrival_ms: int | None,
    result: Ints,
    told: NDArray[np.uint8],
) -> None:
    """Decide for one series."""
    steps = np.diff(wall[rows])
    if (steps < 0).sum() > (steps > 0).sum():  # newest first
        rows = rows[::-1]
        steps = -steps[::-1]
    usual = int(np.median(steps[steps > 0])) if (steps > 0).any() else 0
    twice = is_twice[rows]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], twice, [False]]).astype(np.int8)))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        stretch = rows[begin:end]
        # the passes of one change: a long series meets several
        back = steps[begin : end - 1]
        hour = int((second - first)[stretch[0]])
        turns = np.flatnonzero((back < 0) | ((back == 0) & (usual >= hour)))
        if len(turns):
            result[stretch[turns[0] + 1 :]] = second[stretch[turns[0] + 1 :]]
            continue
        if arrival_ms is not None and second[stretch].max() > arrival_ms:
            continue  # the second hour had not come
        before = result[rows[begin - 1]] if begin else None
        after = first[rows[end]] if end < len(rows) else None
        hole_if_first = after is not None and after - first[stretch[-1]] > 1.5 * usual
        hole_if_second = before is not None and second[stretch[0]] - before > 1.5 * usual
        if usual and hole_if_first != hole_if_second:
            if hole_if_first:
                result[stretch] = second[stretch]
        else:
            told[stretch] = Told.UNDECIDED
