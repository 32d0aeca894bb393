"""What a sample changes that comes for a tag and time already stored.

The current sample of a tag and time is the one that arrived last; those before it are kept as revisions, so that what
was known at any time can be told. A sample that says what is known already changes nothing, nor does one that arrived
at the same millisecond as a stored one: the first that says something new counts, and a replay gives the same store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

__all__ = ["Changes", "Content", "Verdict", "judge", "settle"]

Content = tuple[float | None, int, int, int, int]  # value (None for NaN), quality, reason, arrival, version
Key = tuple[int, int]  # time, tag
_ARRIVAL: Final = 3


class Verdict(Enum):
    """What becomes of a sample whose tag and time are stored already."""

    REPEATED = "repeated"
    NEWER = "newer"
    OLDER = "older"


def judge(stored: Content, new: Content) -> Verdict:
    """Compare a sample with the current one of its tag and time."""
    if new[_ARRIVAL] == stored[_ARRIVAL]:
        return Verdict.REPEATED
    if new[_ARRIVAL] < stored[_ARRIVAL]:
        return Verdict.OLDER
    return Verdict.REPEATED if _says_the_same(stored, new) else Verdict.NEWER


def _says_the_same(one: Content, other: Content) -> bool:
    return one[:3] == other[:3] and one[4] == other[4]


@dataclass(slots=True)
class Changes:
    """What has to be written.

    Attributes
    ----------
    fresh : dict of key to content
        Samples whose tag and time are not stored.
    updates : dict of key to content
        New current samples.
    revisions : dict of (time, tag, arrival) to content
        Samples that are not current.
    repeated : int
    """

    fresh: dict[Key, Content] = field(default_factory=dict)
    updates: dict[Key, Content] = field(default_factory=dict)
    revisions: dict[tuple[int, int, int], Content] = field(default_factory=dict)
    repeated: int = 0
    revised: int = 0


def settle(
    rows: Iterable[tuple[Key, Content]],
    stored: dict[Key, Content],
    older: dict[Key, list[Content]],
) -> Changes:
    """Decide on samples in the order they came.

    Parameters
    ----------
    rows
        Key and content of each.
    stored
        Current samples of those keys that have one.
    older
        Revisions of the same keys.
    """
    changes = Changes()
    current = dict(stored)
    past = {key: {row[_ARRIVAL]: row for row in rows} for key, rows in older.items()}
    for key, new in rows:
        now = current.get(key)
        if now is None:
            current[key] = changes.fresh[key] = new
            continue
        verdict = judge(now, new)
        known = past.setdefault(key, {})
        if verdict is Verdict.OLDER:
            before = max((arrival for arrival in known if arrival <= new[_ARRIVAL]), default=None)
            if before is not None and (before == new[_ARRIVAL] or _says_the_same(known[before], new)):
                verdict = Verdict.REPEATED
        if verdict is Verdict.REPEATED:
            changes.repeated += 1
            continue
        moved = now if verdict is Verdict.NEWER else new
        known[moved[_ARRIVAL]] = moved
        changes.revisions[(*key, moved[_ARRIVAL])] = moved
        changes.revised += 1
        if verdict is Verdict.NEWER:
            current[key] = new
            (changes.fresh if key in changes.fresh else changes.updates)[key] = new
    return changes
