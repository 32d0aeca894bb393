"""What every scorer keeps to: `start(n_channels)` once, then `score(state, frame) -> (state, scores)` for ever.

A stream may be cut into frames anywhere, down to single rows: the scores are the same, bit for bit. A state is used
up by the frame it is scored with (its arrays are carried on in place: copying 10,000 channels' windows would cost more
than scoring them); what is scored with it a second time is refused.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import StaleState, WrongFrame, WrongSetting
from models.scoring.compiled import Floats, Ints

AnyFloats = NDArray[np.floating[Any]]

# rows scored at once where scores are not kept: 256 rows of 200 channels stay in a core's own cache
TILE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a scorer remembers between frames; it can be pickled.

    Attributes
    ----------
    step
        Rows seen since the start.
    n_channels
        Columns of every frame.
    clock
        int64 [1], the row at which the arrays stand, shared by all states of one stream.
    """

    step: int
    n_channels: int
    clock: Ints

    @classmethod
    def fresh(cls, n_channels: int, **arrays: Any) -> Self:
        """Before the first row."""
        return cls(step=0, n_channels=n_channels, clock=np.zeros(1, dtype=np.int64), **arrays)

    def check(self) -> None:
        """Refuse to go on from a state that others have gone on from."""
        if self.clock[0] != self.step:
            raise StaleState(self.step, int(self.clock[0]))

    def after(self, n_rows: int) -> Self:
        """The state some rows later, of the same arrays."""
        if n_rows == 0:
            return self
        self.clock[0] = self.step + n_rows
        return replace(self, step=self.step + n_rows)

    def copy(self) -> Self:
        """Return a state of its own to come back to."""
        self.check()
        return copy.deepcopy(self)


@dataclass(frozen=True, slots=True)
class Alarms:
    """Where scores passed the limit, in the order of time.

    Attributes
    ----------
    step, channel
        int64 [n], row counted from the start of the stream, and column.
    onset
        int64 [n], row in which the change began, as far as the scorer tells; else the row of the alarm.
    score
        float64 [n], the score, negative for a decrease.
    """

    step: Ints
    channel: Ints
    onset: Ints
    score: Floats

    def __len__(self) -> int:
        """How many."""
        return len(self.step)

    @classmethod
    def join(cls, parts: list[Alarms]) -> Alarms:
        """Put alarms of successive rows together."""
        none = np.empty(0, dtype=np.int64)
        if not parts:
            return cls(none, none, none, np.empty(0))
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer(ABC, Generic[S]):
    """Settings of a scorer, and what it does.

    Attributes
    ----------
    limit
        Alarm where the size of a score is larger.
    """

    # whether one channel's scores depend on that channel alone
    is_by_channel: ClassVar[bool] = True

    limit: float

    def __post_init__(self) -> None:
        """Check what was set."""
        self.need("limit", self.limit > 0.0, "a number above 0")

    def need(self, setting: str, holds: bool, wanted: str) -> None:
        """Raise WrongSetting unless it holds."""
        if not holds:
            raise WrongSetting(type(self).__name__, setting, getattr(self, setting), wanted)

    @abstractmethod
    def start(self, n_channels: int) -> S:
        """Return the state before the first row."""

    @abstractmethod
    def _score(self, state: S, rows: Floats, scores: Floats, step: int) -> S:
        """Fill the scores of rows that begin at a step, at least one, and carry the state's arrays on."""

    def width(self, n_channels: int) -> int:
        """How many columns the scores of a frame with so many channels have."""
        return n_channels

    def score(self, state: S, frame: AnyFloats, out: AnyFloats | None = None) -> tuple[S, AnyFloats]:
        """Score a frame.

        Parameters
        ----------
        state
            From `start` or the last `score`; used up by this call.
        frame
            float64 or float32 [n_times, n_channels], rows in the order of time; what is not finite is missing.
        out
            The same type [n_times, width], where the scores go; otherwise they are new.

        Returns
        -------
        state, scores
            The next state, and scores of the frame's type [n_times, width]; NaN where there is no reading or nothing
            to judge it by.

        Raises
        ------
        StaleState
            The state was used before.
        WrongFrame
            The frame's shape or type is not the stream's.
        """
        state.check()
        rows = as_rows(frame, state.n_channels)
        scores = np.empty((len(rows), self.width(state.n_channels)), rows.dtype) if out is None else out
        if scores.shape != (len(rows), self.width(state.n_channels)) or scores.dtype != rows.dtype:
            raise WrongFrame(
                f"out is {scores.dtype} {list(scores.shape)}; give {rows.dtype} "
                f"{[len(rows), self.width(state.n_channels)]}"
            )
        if len(rows) == 0:
            return state, scores
        if rows.dtype == np.float64 and scores.flags.c_contiguous:
            wide, filled = cast(Floats, rows), cast(Floats, scores)
            return self._score(state, wide, filled, state.step).after(len(rows)), scores
        # single precision is widened a tile at a time: sums and variances are kept in double
        tile = np.empty((min(TILE, len(rows)), scores.shape[1]))
        begun = state
        for first in range(0, len(rows), TILE):
            part = rows[first : first + TILE].astype(np.float64)
            begun = self._score(begun, part, tile[: len(part)], state.step + first)
            scores[first : first + TILE] = tile[: len(part)]
        return begun.after(len(rows)), scores

    def alarms(self, state: S, frame: AnyFloats) -> tuple[S, Alarms]:
        """Score a frame and keep only what passes the limit; for long records, whose scores would fill the memory.

        Parameters and errors are those of `score`.
        """
        state.check()
        rows = as_rows(frame, state.n_channels)
        found, begun = [], state
        tile = np.empty((min(TILE, len(rows)), self.width(state.n_channels)))
        for first in range(0, len(rows), TILE):
            part = rows[first : first + TILE].astype(np.float64, copy=False)
            scores, step = tile[: len(part)], state.step + first
            begun = self._score(begun, part, scores, step)
            found.append(self._pick(begun, scores, step))
        return begun.after(len(rows)), Alarms.join(found)

    def _pick(self, state: S, scores: Floats, step: int) -> Alarms:
        """Alarms among the scores of rows that begin at a step."""
        with np.errstate(invalid="ignore"):
            row, channel = np.nonzero(np.abs(scores) > self.limit)
        return Alarms(row + step, channel, row + step, scores[row, channel].astype(np.float64))


_NO_PLACES, _NO_SCORES = np.empty((0, 3), dtype=np.int64), np.empty(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner(Scorer[S], Generic[S]):
    """A scorer whose kernel finds its alarms itself, with their onsets, and needs no room for scores."""

    @abstractmethod
    def _run(
        self, state: S, rows: AnyFloats, first: int, step: int, scores: Floats, places: Ints, found: Floats
    ) -> tuple[int, int]:
        """Carry the state through rows from `first` on.

        Where `scores` has rows they are filled. Where `places` has, alarms are written to it (int64 [n, 3]: step,
        channel, onset) and to `found` (float64 [n], scores) until those of another row might not fit. Returns the row
        to go on with and how many alarms were written.
        """

    def _score(self, state: S, rows: Floats, scores: Floats, step: int) -> S:
        self._run(state, rows, 0, step, scores, _NO_PLACES, _NO_SCORES)
        return state

    def alarms(self, state: S, frame: AnyFloats) -> tuple[S, Alarms]:
        """Score a frame and keep only alarms, with their onsets; parameters and errors are those of `score`."""
        state.check()
        rows = as_rows(frame, state.n_channels)
        no_scores = np.empty((0, state.n_channels))
        places = np.empty((max(4 * state.n_channels, 1024), 3), dtype=np.int64)
        scores = np.empty(len(places))
        parts, row = [], 0
        while row < len(rows):
            row, n = self._run(state, rows, row, state.step, no_scores, places, scores)
            step, channel, onset = places[:n].T.copy()
            parts.append(Alarms(step, channel, onset, scores[:n].copy()))
        return state.after(len(rows)), Alarms.join(parts)


def as_rows(frame: AnyFloats, n_channels: int) -> AnyFloats:
    """Rows of doubles or singles, one after the other in memory."""
    rows = np.asarray(frame)
    if rows.ndim != 2 or rows.shape[1] != n_channels:
        raise WrongFrame(f"the frame is {list(rows.shape)}; this stream takes [n_times, {n_channels}]")
    if rows.dtype.kind not in "fiu":
        raise WrongFrame(f"the frame holds {rows.dtype}; give float64 or float32")
    dtype = np.float32 if rows.dtype == np.float32 else np.float64
    found: AnyFloats = np.ascontiguousarray(rows, dtype=dtype)
    return found
