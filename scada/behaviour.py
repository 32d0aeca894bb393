"""What only several samples of a tag tell: a frozen value, a spike, a counter that wrapped, a meter that was exchanged.

Everything is judged when it arrives, from what was seen before; nothing is learnt from a value that was just called
abnormal. The scales (how long a value usually stays, how far it usually steps, how fast a counter runs) are each tag's
own, so that no limits have to be set.

A jump may be a spike or a step of the plant, such as a pump that starts, and nobody can tell before the next value is
there. Until then it is suspected; when the value has stayed, the suspicion is withdrawn, and said so
(:meth:`Behaviour.judge`), so that whoever passed the sample on can pass it on again as what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scada.codec import NUMBER_FORMATS
from scada.quantity import TOTALS
from scada.suspects import Suspects
from scada.tag import Tag

__all__ = ["EXCHANGED", "FLAT", "SPIKE", "WRAP", "Behaviour", "Habits", "Memory"]

FLAT, SPIKE, WRAP, EXCHANGED = 5, 6, 7, 8  # codes of scada.quality.REASONS

_WATCHED = {"pressure", "flow", "level", "demand"}
_HALF_LIFE_MS = 7.0 * 86_400_000.0  # of what is remembered as usual
_HOUR_MS = 3_600_000.0
_SLOW_COUNTS = 2.0  # a value that moves by a count or two at a time is slow, not frozen


@dataclass(frozen=True, slots=True)
class Habits:
    """From when on a value is called abnormal.

    Attributes
    ----------
    flat_float_s, flat_integer_s : float
        Shortest time for which a float, or a coarser integer, stands still to be called frozen, s.
    flat_samples : int
        Fewest samples of it.
    flat_ratio : float
        Times the longest pause the tag has shown by itself.
    spike_ratio : float
        Times the largest step the tag has shown in a week.
    spike_s, spike_samples : float, int
        What is over within so long, s, is a spike, be it several samples of a fast tag, but no more than so many; of a
        tag that is read more rarely one sample is.
    learning_s, learning_samples : float, int
        How long a tag is watched before a step or a jump of a counter is judged.
    wrap_ratio, exchange_ratio : float
        Times its usual rate that a counter may have run where it wrapped; that it has to have run ahead for a jump to
        be another meter's reading.
    """

    flat_float_s: float = 1800.0
    flat_integer_s: float = 7200.0
    flat_samples: int = 12
    flat_ratio: float = 3.0
    spike_ratio: float = 3.0
    spike_s: float = 3.0
    spike_samples: int = 5
    learning_s: float = 3600.0
    learning_samples: int = 30
    wrap_ratio: float = 10.0
    exchange_ratio: float = 100.0


_FEW_COUNTS = 3  # rates make a counter's pace known

# rows of the memory, float64 each; NaN: not known yet
_TIME, _RAW, _VALUE, _SINCE, _RUN, _LONGEST, _STEP, _COUNT, _FIRST, _SUSPECT, _STAYED, _SEEN, _RATE = range(13)


class Memory:
    """What is remembered of the tags of one device, whatever block they are read in.

    Parameters
    ----------
    size : int
        Most tags there will be, each of which may be a counter too.
    habits : Habits, optional

    Attributes
    ----------
    suspects : Suspects
        Samples that were given out as possible spikes and may turn out to be none.
    """

    def __init__(self, size: int, habits: Habits | None = None) -> None:
        self.habits = habits or Habits()
        self.suspects = Suspects(self.habits.spike_samples)
        self._rows: dict[str, int] = {}
        self._state = np.full((13, 2 * size), np.nan)
        self._state[[_RUN, _LONGEST, _STEP, _COUNT, _STAYED, _RATE]] = 0.0

    def of(self, names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.intp] | slice]:
        """Return the state and which columns of it belong to `names`, as a slice where they lie side by side."""
        rows = [self._rows.setdefault(name, len(self._rows)) for name in names]
        return self._state, _side_by_side(rows)


def _side_by_side(places: Sequence[int]) -> NDArray[np.intp] | slice:
    """Return places as a slice where they follow each other, which costs no copy; else as an array."""
    if list(places) == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places, dtype=np.intp)


def _are_all(claims: NDArray[np.bool_]) -> bool:
    # a third of the time of its method `all`, which passes through Python
    return bool(np.count_nonzero(claims) == len(claims))


class Behaviour:
    """Judges the tags of one block by their past.

    Parameters
    ----------
    tags : sequence of Tag
    memory : Memory
    """

    def __init__(self, tags: Sequence[Tag], memory: Memory) -> None:
        self._watched = _Watched(tags, memory)
        self._counters = _Counters(tags, memory)

    def judge(
        self, raw: NDArray[np.float64], values: NDArray[np.float64], reason: NDArray[np.uint8], time_ms: int
    ) -> Sequence[tuple[int, int]]:
        """Mark the abnormal in `reason`, uint8 [n_tags]; only what has no reason yet is looked at and learnt from.

        Parameters
        ----------
        raw, values : float64 [n_tags]
            Raw and engineering values.
        reason : uint8 [n_tags]
            Changed in place.
        time_ms : int
            UTC ms.

        Returns
        -------
        sequence of (int, int)
            Tags, and how many of their last samples were called spikes and were none: the value has stayed. Nearly
            always empty.
        """
        settled: Sequence[tuple[int, int]] = ()
        with np.errstate(invalid="ignore", over="ignore"):
            if self._watched.size:
                settled = self._watched.judge(raw, values, reason, float(time_ms))
            if self._counters.size:
                self._counters.judge(raw, reason, float(time_ms))
        return settled


class _Watched:
    """Pressures, flows, levels and demands: a line that is flat, a spike."""

    def __init__(self, tags: Sequence[Tag], memory: Memory) -> None:
        chosen = [k for k, tag in enumerate(tags) if tag.quantity in _WATCHED and tag.type in NUMBER_FORMATS]
        self.size = len(chosen)
        if not chosen:
            return
        habits = self._habits = memory.habits
        mine = [tags[k] for k in chosen]
        self._at = np.array(chosen, dtype=np.intp)
        self._part = _side_by_side(chosen)
        self._state, self._columns = memory.of([tag.name for tag in mine])
        is_float = np.array([tag.type.startswith("float") for tag in mine])
        self._shortest_ms = 1000.0 * np.where(is_float, habits.flat_float_s, habits.flat_integer_s)
        self._slow = np.where(is_float, 0.0, _SLOW_COUNTS)
        scale = np.array([abs(tag.scale) for tag in mine])
        self._rest = np.array([tag.deadband for tag in mine])
        self._least_step = np.maximum(self._rest, np.where(is_float, 0.0, 5.0 * scale))
        interval_ms = np.array([float(tag.interval_ms) for tag in mine])
        self._longest_gap_ms = 3.0 * float(interval_ms.max())
        self._stays = np.clip(np.ceil(1000.0 * habits.spike_s / interval_ms), 1.0, float(habits.spike_samples))
        # for the quick way: when all tags had their last value, and that nothing is pending
        self._together_ms = np.nan
        self._faded_ms = np.nan
        self._short_pause_ms = float(self._shortest_ms.min()) / habits.flat_ratio

    def judge(
        self, raw: NDArray[np.float64], values: NDArray[np.float64], reason: NDArray[np.uint8], now: float
    ) -> Sequence[tuple[int, int]]:
        """Mark flat lines and spikes; return the tags and numbers of earlier spikes that were none."""
        is_good = reason[self._part] == 0
        raw, values = raw[self._part], values[self._part]
        if _are_all(is_good) and self._is_usual(raw, values, now):
            return ()
        state = self._state[:, self._columns]
        is_flat = self._pauses(raw, values, is_good, state, now)
        is_spike, settled = self._steps(values, is_good, state, now)
        is_kept = is_good & ~is_spike
        for row, new in ((_VALUE, values), (_TIME, now)):
            np.copyto(state[row], new, where=is_kept)
        self._state[:, self._columns] = state
        self._together_ms = now if _are_all(is_kept) else np.nan
        if np.count_nonzero(is_flat):
            reason[self._at[is_flat]] = FLAT
        if np.count_nonzero(is_spike):
            reason[self._at[is_spike]] = SPIKE
        return [(int(self._at[k]), stayed) for k, stayed in settled]

    def _is_usual(self, raw: NDArray[np.float64], values: NDArray[np.float64], now: float) -> bool:
        """Take values in which there is nothing to find, as is nearly always so; False when a closer look is needed."""
        elapsed = now - self._together_ms
        if not 0.0 < elapsed <= self._longest_gap_ms or not isinstance(self._columns, slice):
            return False
        state = self._state[:, self._columns]
        if np.count_nonzero(np.abs(values - state[_VALUE]) > state[_STEP]) or now - self._faded_ms > _HOUR_MS:
            return False
        if now - float(np.minimum.reduce(state[_SINCE])) > self._short_pause_ms:
            return False
        is_still = raw == state[_RAW]
        if np.count_nonzero(is_still):
            is_still &= np.abs(values) > self._rest
            state[_SINCE] = np.where(is_still, state[_SINCE], now)
            state[_RUN] = state[_RUN] * is_still + 1.0
        else:
            state[_SINCE] = now
            state[_RUN] = 1.0
        state[_RAW] = raw
        state[_VALUE] = values
        state[_TIME] = now
        state[_COUNT] += 1.0
        self._together_ms = now
        return True

    def _pauses(
        self,
        raw: NDArray[np.float64],
        values: NDArray[np.float64],
        is_good: NDArray[np.bool_],
        state: NDArray[np.float64],
        now: float,
    ) -> NDArray[np.bool_]:
        """Tell which values have stood still for too long, and learn from pauses that ended.

        Zero is rest, not a pause: a stopped pump delivers nothing for as long as it likes.
        """
        habits = self._habits
        is_still = (raw == state[_RAW]) & (np.abs(values) > self._rest)
        run = np.where(is_still, state[_RUN] + 1.0, 1.0)
        since = np.where(is_still, np.minimum(state[_SINCE], now), now)  # the clock may have been set back
        limit = np.maximum(self._shortest_ms, habits.flat_ratio * state[_LONGEST])
        is_over = is_good & ~is_still & (state[_RUN] > 1.0)
        if np.count_nonzero(is_over):  # a pause ended: it was usual, unless it was long and ended with a jump
            pause = now - state[_SINCE]
            is_usual = (pause < limit) | (np.abs(raw - state[_RAW]) <= self._slow)
            np.copyto(state[_LONGEST], np.maximum(state[_LONGEST], pause), where=is_over & is_usual)
        for row, new in ((_RAW, raw), (_RUN, run), (_SINCE, since)):
            np.copyto(state[row], new, where=is_good)
        is_flat: NDArray[np.bool_] = is_good & (run >= habits.flat_samples) & (now - since >= limit)
        return is_flat

    def _steps(
        self, values: NDArray[np.float64], is_good: NDArray[np.bool_], state: NDArray[np.float64], now: float
    ) -> tuple[NDArray[np.bool_], list[tuple[int, int]]]:
        """Tell which values are spikes so far, and how many were none and whose; learn from the steps of the plant.

        A step that is far too long is suspected until the value has stayed where it led, or has gone on from there by
        no more than the step (a pump that runs up): then it was one of the plant, and is usual from then on. What goes
        back was a spike; what jumps on is suspected anew.
        """
        habits = self._habits
        if np.isnan(self._faded_ms) or now - self._faded_ms > _HOUR_MS:
            state[_STEP] *= 1.0 if np.isnan(self._faded_ms) else 0.5 ** ((now - self._faded_ms) / _HALF_LIFE_MS)
            self._faded_ms = now
        step = np.abs(values - state[_VALUE])
        is_doubted = ~np.isnan(state[_SUSPECT])
        elapsed = now - np.where(is_doubted, state[_SEEN], state[_TIME])
        is_near = is_good & (elapsed <= self._longest_gap_ms) & (elapsed > 0.0)
        np.copyto(state[_FIRST], now, where=is_good & np.isnan(state[_FIRST]))
        is_learnt = (state[_COUNT] >= habits.learning_samples) & (now - state[_FIRST] >= 1000.0 * habits.learning_s)
        limit = np.maximum(habits.spike_ratio * state[_STEP], self._least_step)
        is_far = is_near & is_learnt & (step > limit)
        moved, led = np.abs(values - state[_SUSPECT]), np.abs(state[_SUSPECT] - state[_VALUE])
        is_held = is_good & is_doubted & (moved < step) & (moved <= led)
        np.copyto(state[_STAYED], np.where(is_held, state[_STAYED] + 1.0, 0.0), where=is_good)
        is_settled = is_held & np.where(is_near, is_far & (state[_STAYED] >= self._stays), elapsed > 0.0)
        is_spike: NDArray[np.bool_] = is_far & ~is_settled
        is_taught = is_near & ~is_spike
        np.copyto(state[_STEP], np.maximum(state[_STEP], step), where=is_taught)
        state[_COUNT] += is_taught
        np.copyto(state[_SUSPECT], np.where(is_spike, values, np.nan), where=is_good)
        np.copyto(state[_SEEN], now, where=is_good)
        if not np.count_nonzero(is_settled):
            return is_spike, []
        return is_spike, [(int(k), int(state[_STAYED, k])) for k in np.flatnonzero(is_settled)]


class _Counters:
    """Totalisers and whatever else has a wrap: it may start from zero again, or be another meter's."""

    def __init__(self, tags: Sequence[Tag], memory: Memory) -> None:
        chosen = [
            k
            for k, tag in enumerate(tags)
            if tag.type in NUMBER_FORMATS and (tag.wrap is not None or tag.quantity in TOTALS)
        ]
        self.size = len(chosen)
        if not chosen:
            return
        self._habits = memory.habits
        mine = [tags[k] for k in chosen]
        self._at = np.array(chosen, dtype=np.intp)
        self._part = _side_by_side(chosen)
        # apart from what is remembered of the same tag as a flow or a level
        self._state, self._columns = memory.of([f"{tag.name}\0counter" for tag in mine])
        self._wrap = np.array([np.nan if tag.wrap is None else tag.wrap for tag in mine])
        self._together_ms = np.nan
        self._faded_ms = np.nan
        self._is_total = np.array([tag.quantity in TOTALS for tag in mine])

    def judge(self, raw: NDArray[np.float64], reason: NDArray[np.uint8], now: float) -> None:
        """Mark wraps and exchanged meters."""
        raw = raw[self._part]
        is_good = reason[self._part] == 0
        if _are_all(is_good) and self._is_usual(raw, now):
            return
        state = self._state[:, self._columns]
        is_wrap, is_exchanged = self._jumps(raw, is_good, state, now)
        np.copyto(state[_RAW], raw, where=is_good)
        np.copyto(state[_TIME], now, where=is_good)
        self._state[:, self._columns] = state
        self._together_ms = now if _are_all(is_good) else np.nan
        reason[self._at[is_wrap]] = WRAP
        reason[self._at[is_exchanged]] = EXCHANGED

    def _is_usual(self, raw: NDArray[np.float64], now: float) -> bool:
        """Take counts that went on at no more than the usual rate; False when a closer look is needed."""
        elapsed = now - self._together_ms
        if not elapsed > 0.0 or not isinstance(self._columns, slice):
            return False
        state = self._state[:, self._columns]
        gain = raw - state[_RAW]
        if np.count_nonzero((gain < 0.0) | (gain > state[_RATE] * elapsed)) or now - self._faded_ms > _HOUR_MS:
            return False
        state[_RAW] = raw
        state[_TIME] = now
        state[_COUNT] += 1.0
        self._together_ms = now
        return True

    def _jumps(
        self, raw: NDArray[np.float64], is_good: NDArray[np.bool_], state: NDArray[np.float64], now: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which counters wrapped and which are another meter's now, and learn the others' rates."""
        habits = self._habits
        if np.isnan(self._faded_ms) or now - self._faded_ms > _HOUR_MS:
            state[_RATE] *= 1.0 if np.isnan(self._faded_ms) else 0.5 ** ((now - self._faded_ms) / _HALF_LIFE_MS)
            self._faded_ms = now
        gain, elapsed = raw - state[_RAW], now - state[_TIME]
        is_known = is_good & (elapsed > 0.0)
        usual = state[_RATE] * elapsed
        is_learnt = state[_COUNT] >= _FEW_COUNTS
        # without a rate: only what is near its end can have wrapped
        most = np.where(is_learnt, habits.wrap_ratio * usual + 2.0, 0.01 * self._wrap)
        is_back = is_known & (gain < 0.0)
        is_wrap = is_back & (gain + self._wrap >= 0.0) & (gain + self._wrap <= most)
        # a meter that counts both ways runs back as fast as it runs
        is_reverse = is_back & ~is_wrap & is_learnt & (-gain <= habits.wrap_ratio * usual + 2.0)
        is_old = state[_COUNT] >= habits.learning_samples
        is_ahead = is_known & self._is_total & is_old & (gain > habits.exchange_ratio * usual + 2.0)
        is_exchanged = (is_back & ~is_wrap & ~is_reverse) | is_ahead
        is_taught = is_known & (gain >= 0.0) & ~is_exchanged
        rate = gain / np.where(is_known, elapsed, np.inf)
        np.copyto(state[_RATE], np.maximum(state[_RATE], rate), where=is_taught)
        state[_COUNT] += is_taught
        return is_wrap, is_exchanged
