"""What a database has to do for the historian; the rest is the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scada.historian.alarms import AlarmStore
from scada.historian.batch import LATEST_MS, Batch

__all__ = ["Buckets", "Engine", "Gaps", "Period", "Retention", "Rows", "Version", "Written"]


@dataclass(frozen=True, slots=True)
class Period:
    """Which samples are asked for.

    Attributes
    ----------
    tags : tuple of str or None
        All where None.
    from_ms, to_ms : int
        ``from_ms <= time < to_ms``, UTC ms.
    known_ms : int or None
        Only what had arrived by this time, and as it was known then; None for what is known now.
    is_every : bool
        The samples that were replaced too; only where `known_ms` is None.
    """

    tags: tuple[str, ...] | None
    from_ms: int
    to_ms: int
    known_ms: int | None = None
    is_every: bool = False

    @classmethod
    def of(
        cls,
        tags: Sequence[str] | None,
        from_ms: int | None,
        to_ms: int | None,
        known_ms: int | None,
        is_every: bool = False,
    ) -> Period:
        """Return the period between two times, each of which may be left open, within the calendar."""
        low = 0 if from_ms is None else min(max(0, from_ms), LATEST_MS)
        high = LATEST_MS if to_ms is None else min(max(0, to_ms), LATEST_MS)
        return cls(None if tags is None else tuple(tags), low, high, known_ms, is_every)


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples by time and tag: names and reasons once, and for each row its columns.

    Attributes
    ----------
    names, reasons : object [k]
        Names in alphabetical order.
    ts, arrival : int64 [n]
        UTC ms.
    tag, reason : intp [n]
        Indices into names and reasons.
    value : float64 [n]
    quality : uint8 [n]
    version : int64 [n]
        Which configuration of its tag each sample means; 0 where nobody described it.
    """

    names: NDArray[np.object_]
    reasons: NDArray[np.object_]
    ts: NDArray[np.int64]
    tag: NDArray[np.intp]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    reason: NDArray[np.intp]
    arrival: NDArray[np.int64]
    version: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Buckets:
    """GOOD samples gathered in equal steps of time: start [ms], name, mean, min, max and count of each."""

    ts: NDArray[np.int64]
    tag: NDArray[np.object_]
    mean: NDArray[np.float64]
    min: NDArray[np.float64]
    max: NDArray[np.float64]
    count: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Gaps:
    """Long steps between samples that carry a value, and the ends of the record.

    Attributes
    ----------
    steps : list of (str, int, int)
        Tag, time before and time after, ms.
    ends : dict of str to (int, int)
        First and last time of each tag in the period, ms.
    """

    steps: list[tuple[str, int, int]]
    ends: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Version:
    """One configuration of a tag: number, when it came into force [UTC ms], and the configuration as JSON."""

    version: int
    since_ms: int
    config: str


@dataclass(frozen=True, slots=True)
class Retention:
    """How long samples are kept.

    Attributes
    ----------
    days : float or None
        Of every tag without a rule of its own; None keeps them for ever.
    tag_days : mapping of str to float
        Of single tags.
    """

    days: float | None = None
    tag_days: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_forever(self) -> bool:
        """Whether nothing is ever deleted."""
        return self.days is None and not self.tag_days

    def before_ms(self, tag: str | None, now_ms: int) -> int | None:
        """Time before which samples of a tag (or of those without a rule) go, UTC ms; None where none do."""
        days = self.tag_days.get(tag, self.days) if tag is not None else self.days
        return None if days is None else now_ms - round(days * 86_400_000)


@dataclass(frozen=True, slots=True)
class Written:
    """What one batch changed: samples that are new, that revise older ones, and that were there already."""

    stored: int
    revised: int
    repeated: int


class Engine(Protocol):
    """A database of samples.

    Every method raises HistorianError with one clear line, HistorianAway where another try may go well. Any thread may
    call any of them: changes wait for each other, and so do questions, but no question waits for a change.
    """

    name: str

    @property
    def alarms(self) -> AlarmStore:
        """The journal of alarms in the same database."""
        ...

    def open(self) -> None:
        """Connect, and bring the schema to this program's version."""
        ...

    def write(self, batch: Batch) -> Written:
        """Store a batch in one transaction; samples that are there already change nothing."""
        ...

    def maintain(self, is_busy: bool = False) -> bool:
        """Put stored samples in better order for a moment; return whether there is more to do.

        While samples wait (`is_busy`) only what cannot be put off is done.
        """
        ...

    def retain(self, retention: Retention, now_ms: int) -> int:
        """Delete some of what is too old; return how many samples went, 0 when there is no more."""
        ...

    def select(self, period: Period) -> Rows:
        """Return samples of a period by time and tag, each as last revised."""
        ...

    def buckets(self, period: Period, step_ms: int) -> Buckets:
        """Return GOOD samples gathered in steps, by time and tag."""
        ...

    def gaps(self, period: Period, least_ms: int) -> Gaps:
        """Return steps longer than `least_ms`."""
        ...

    def newest(self, tags: Sequence[str] | None) -> Rows:
        """Return the newest sample of each tag."""
        ...

    def span(self) -> tuple[int, int] | None:
        """Return the times of the oldest and the newest sample, UTC ms; None where there is none."""
        ...

    def versions(self, tag: str) -> list[Version]:
        """Return the configurations of a tag, oldest first."""
        ...

    def current_configs(self) -> dict[str, str]:
        """Return the newest configuration of each described tag as JSON."""
        ...

    def close(self) -> None:
        """Let the database go."""
        ...
