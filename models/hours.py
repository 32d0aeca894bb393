"""The watch by hours: a burst is told at the end of an hour, before its day is over.

What an hour shows beyond the known leaks and beyond what is usual at that hour of the week is scanned, with the hours
before it, for a leak that began at once. Days know nothing of what hours told: they find the leak by themselves, and
their entry then carries the earlier alarm, or they do not, and the alarm is withdrawn.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.evidence import Scanner
from models.frame import Frame, HourFrame
from models.growth import Growth
from models.health_scan import FaultScan
from models.hours_frames import lagging
from models.hours_judge import YOUNG_BLOCKS, Burst, HourReviser
from models.hours_noise import completed, learn_hours, once_in, usual_day
from models.leak import Estimate
from models.ledger import Alarm, Entry, Ledger
from models.noise import Noise, with_known
from models.rules import Rules
from models.telling import ALIKE, ALIKE_M

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOURS = 48  # that are looked back
_A_DAY = 24
_FEWEST_DAYS, _FEWEST_CALM = 56, 28  # fewer tell too little of a tail
_SETTLED_DAYS = 14
_PROBATION, _LONGEST = 4, 14  # whole days within which a burst has to be confirmed; while days show it, or doubt it
NEAR_BLOCKS = 3.0  # between the onsets that hours and days tell of one leak
_TELLING = 9.0  # energy of a burst in the days' noise (three deviations, squared) at which they can deny it
_LEAST_GAIN = 10.0
_PLAIN = 2.0  # times the threshold, from which on a burst is plain
_REPRESENTATIVES = 48
_DAYS_PER_ALARM = 365.0  # chance alone passes the screen once in so many days
_YOUNG_BLOCKS, _YOUNG_DOUBT = 14, 0.3
_STIRRED_BLOCKS, _AROUND_BLOCKS = 5, 2  # after an onset or an end, and before what days tell of it
_PARTS = 4
ONSET_DEVIATION = 1.0 / 24.0


class HourWatch:
    """Watches hours for one ledger.

    Parameters
    ----------
    ledger
        Its known leaks are taken off; nothing is entered in it.
    rules
        Thresholds.

    Attributes
    ----------
    noise
        Of an hour; None before enough days were seen.
    bursts
        What was told and the days have not confirmed: still asked about, or withdrawn.
    threshold, restless
        Gain that the largest of a day's hours passes by chance once a year: on days on which nothing began or ended
        of late, and on all.
    """

    def __init__(self, ledger: Ledger, rules: Rules, faults: FaultScan) -> None:
        self.ledger, self.rules, self.watch, self._faults = ledger, rules, ledger.watch, faults
        self.noise: Noise | None = None
        self.threshold = self.restless = _LEAST_GAIN
        self.late = lagging(self.watch)
        self._days: dict[int, Floats] = {}
        self._block: int | None = None
        self._today: list[Floats] = []
        self._usual: Floats = np.empty((0, 0))
        self._effect: Floats = np.empty((0, 0))
        self._rows: Floats = np.empty((0, 0))
        self._patterns: dict[bytes, Floats] = {}
        self._reviser: HourReviser | None = None
        self._screen: Scanner | None = None
        self._few: Floats = np.empty((0, 0))
        self.bursts: list[Entry] = []
        self._settled: list[tuple[int, Entry]] = []  # confirmed, and in which block

    # what is usual ------------------------------------------------------------------------------------------------

    def prepare(self, frames: list[Frame]) -> None:
        """Learn from days that are past, with the leaks that are known by now taken off.

        Parameters
        ----------
        frames
            In order; those without hours are passed over.
        """
        frames = [f for f in frames if f.is_whole and len(f.hours) == _A_DAY]
        if len(frames) < _FEWEST_DAYS:
            return
        window = self.ledger.window
        blocks = np.array([round(window.number(f.start)) for f in frames])
        days = np.stack([f.hours for f in frames]) - self.ledger.simulated(frames)[:, None, :]
        days -= self._within(blocks)
        weekdays = self._weekdays(blocks)
        unusual = days.copy()
        for k in range(_SETTLED_DAYS, len(days)):
            past = slice(max(0, k - self.rules.window), k)
            unusual[k] -= usual_day(days[past], weekdays[past], int(weekdays[k]))
        unusual, blocks = unusual[_SETTLED_DAYS:], blocks[_SETTLED_DAYS:]
        # noise is what hours do where nothing began or ended of late, if that was ever long
        calm = np.array([not self._is_stirred(int(b), _AROUND_BLOCKS) for b in blocks])
        calm = calm if calm.sum() >= _FEWEST_CALM else np.ones(len(calm), dtype=bool)
        self.noise = learn_hours(unusual[calm].reshape(-1, unusual.shape[2]))
        self._patterns.clear()
        self._few = self._representatives(self.noise)
        largest = self._largest(unusual, blocks)
        self.threshold = max(_LEAST_GAIN, once_in(_DAYS_PER_ALARM, largest[calm[len(calm) - len(largest) :]]))
        self.restless = max(self.threshold, once_in(_DAYS_PER_ALARM, largest))
        for frame in frames[-self.rules.window :]:
            self._days[round(window.number(frame.start))] = frame.hours

    @property
    def _cost(self) -> float:
        return 1.0 / (self.rules.usual_share * self.watch.largest_take)

    def _weekdays(self, blocks: Ints) -> Ints:
        window = self.ledger.window
        return np.array([window.time(float(b)).day_of_week for b in blocks], dtype=np.int64)

    def _representatives(self, noise: Noise) -> Floats:
        """Responses of a few pipes that stand for all: each unlike those before."""
        responses = self.watch.secants[1]
        white = np.linalg.solve(np.linalg.cholesky(noise.white + noise.slow), responses.T).T
        unit = white / np.maximum(np.linalg.norm(white, axis=1), 1e-30)[:, None]
        chosen = [int(np.argmax(np.linalg.norm(white, axis=1)))]
        likeness = unit @ unit[chosen[0]]
        while len(chosen) < min(_REPRESENTATIVES, len(unit)):
            chosen.append(int(np.argmin(likeness)))
            likeness = np.maximum(likeness, unit @ unit[chosen[-1]])
        few: Floats = responses[chosen]
        return few

    def _largest(self, unusual: Floats, blocks: Ints) -> Floats:
        """Largest statistic of each day of a past, float64 [n_days], from days float64 [n_days, 24, n_channels]."""
        if self.noise is None:
            raise RuntimeError("the noise of hours is not known yet")
        rows = unusual.reshape(-1, unusual.shape[2])
        full = at_once = completed(rows, self.noise, self._patterns)
        if self.late.any():
            held = rows.copy()
            held[:, self.late] = np.nan
            at_once = completed(held, self.noise, self._patterns)
        gains = np.zeros(len(full))
        for day, block in enumerate(blocks.tolist()):
            screen = self._scanner(self._young(block))
            for end in range(max(HOURS, day * _A_DAY + 1), (day + 1) * _A_DAY + 1):
                window = np.vstack([full[end - HOURS : end - 1], at_once[end - 1 : end]])
                gains[end - 1] = screen.scan(window, self._few).gain.max()
        daily: Floats = gains.reshape(-1, _A_DAY).max(axis=1)
        return daily[HOURS // _A_DAY :]

    def _scanner(self, doubts: Floats) -> Scanner:
        if self.noise is None:
            raise RuntimeError("the noise of hours is not known yet")
        return Scanner(with_known(self.noise, doubts), HOURS, (), self._cost)

    # hours --------------------------------------------------------------------------------------------------------

    def step(self, frame: HourFrame) -> list[Entry]:
        """Take an hour; return the entry that it raised, if any."""
        window = self.ledger.window
        block = int(np.floor(window.number(frame.start) + 1e-9))
        if block != self._block:
            self._begin(block)
        hour = round((window.number(frame.start) - block) * _A_DAY)
        while len(self._today) < hour:  # hours that nobody saw
            self._take(np.full_like(frame.values, np.nan))
        self._take(frame.values)
        if self._screen is None or self.noise is None or len(self._rows) < HOURS:
            return []
        rows = self._rows[-HOURS:].copy()
        rows[-1, self.late] = np.nan
        if np.isnan(rows[-1]).all():
            return []
        rows = completed(rows, self.noise, self._patterns)
        least = self.restless if self._is_stirred(block) else self.threshold
        if self._screen.scan(rows, self._few).gain.max() < least or self._reviser is None:
            return []
        burst = self._reviser.judge(rows, frame, _LEAST_GAIN, _PLAIN * least)
        return [] if burst is None else [self._enter(burst, block + (hour + 1.0) / _A_DAY, frame)]

    def fork(self) -> HourWatch:
        """A copy that may be led through other hours of the same day."""
        other = copy(self)
        other._days, other._today = dict(self._days), list(self._today)
        other.bursts, other._settled = list(self.bursts), list(self._settled)
        return other

    def _take(self, values: Floats) -> None:
        at = len(self._today)
        self._today.append(values)
        if len(self._usual):
            self._rows = np.vstack([self._rows, values - self._effect[at] - self._usual[at]])[-HOURS - _A_DAY :]

    def _begin(self, block: int) -> None:
        """Begin a day: what is usual in it, what known leaks do in it, and the hours before it."""
        self._keep_today()
        self._block, self._today = block, []
        if self.noise is None:
            return
        window = self.ledger.window
        known = [b for b in sorted(self._days) if window.first <= b <= window.last and b < block]
        self._days = {b: self._days[b] for b in known}
        if len(known) < _SETTLED_DAYS:
            self._usual = self._rows = np.empty((0, 0))  # nothing older is looked at either
            return
        blocks = np.array(known)
        effect = self.ledger.effect[blocks - window.first]
        days = np.stack([self._days[b] for b in known]) - effect[:, None, :] - self._within(blocks)
        for burst in self._own():
            days -= np.stack([_by_hour(burst, b) for b in known])[:, :, None] * burst.unit
        weekdays = self._weekdays(np.append(blocks, block))
        rows = [
            days[k] - usual_day(days[:k], weekdays[:k], int(weekdays[k]))
            for k in range(len(days) - HOURS // _A_DAY, len(days))
        ]
        self._rows = np.vstack(rows)
        self._usual = usual_day(days, weekdays[:-1], int(weekdays[-1]))
        self._effect = self._effect_of(block)
        self._attend(block)

    def _attend(self, block: int) -> None:
        """Prepare scans for what is known and doubted of now."""
        if self.noise is None:
            raise RuntimeError("the noise of hours is not known yet")
        doubts = [self.ledger.doubts(), self._young(block), *(b.growth.peak * b.doubt for b in self._own())]
        self._screen = self._scanner(np.vstack(doubts))
        noise = with_known(self.noise, np.vstack(doubts))
        # the first days size a leak worse than its hours did
        self._settled = [(at, burst) for at, burst in self._settled if block - at <= YOUNG_BLOCKS]
        told = [*self.bursts, *(burst for _, burst in self._settled)]
        self._reviser = HourReviser(self.ledger, self.rules, noise, block, told, self._faults)

    def _keep_today(self) -> None:
        if self._block is not None and self._today:
            missing = [np.full_like(self._today[0], np.nan)] * (_A_DAY - len(self._today))
            self._days[self._block] = np.stack([*self._today, *missing])

    def _young(self, block: int) -> Floats:
        """What is uncertain about leaks that began or ended of late, float64 [n, n_channels].

        What is usual at each hour was learnt without them, and a leak does not do the same at all hours.
        """
        found = [np.empty((0, len(self.watch.channels.names)))]
        for entry in (*self.ledger.entries, *self._own()):
            growth = entry.growth
            if entry.is_withdrawn or growth.onset > block + 1.0:
                continue
            changed = min(growth.onset + growth.rise, block)
            if growth.end is not None and growth.end <= block + 1.0:
                changed = growth.end
            if block - changed < _YOUNG_BLOCKS:
                found.append(_YOUNG_DOUBT * growth.peak * entry.unit[None, :])
        return np.vstack(found)

    def _is_stirred(self, block: int, before: int = 0) -> bool:
        """Whether a leak began at once or ended of late, or begins within so many blocks."""
        at = [
            at
            for entry in self.ledger.entries
            if not entry.is_withdrawn
            for at in (entry.growth.onset if entry.growth.rise == 0 else None, entry.growth.end)
            if at is not None
        ]
        return any(-before <= block - np.floor(one) <= _STIRRED_BLOCKS for one in at)

    def _effect_of(self, block: int) -> Floats:
        """What known leaks do in each hour of a day that is not over, float64 [24, n_channels]."""
        window = self.ledger.window
        effect = np.tile(self.ledger.effect[-1], (_A_DAY, 1))
        before = window.blocks[-1:]
        for entry in self.ledger.entries:
            if not entry.is_withdrawn:
                change = _by_hour(entry, block) - entry.flow(before)
                if change.any():
                    effect += np.outer(change, _effect_per_flow(entry))
        for burst in self._own():
            effect += np.outer(_by_hour(burst, block), burst.unit)
        return effect

    def _within(self, blocks: Ints) -> Floats:
        """What leaks that begin or end within a day do in its hours beyond its mean, float64 [n, 24, n_channels]."""
        found = np.zeros((len(blocks), _A_DAY, len(self.watch.channels.names)))
        for entry in self.ledger.entries:
            if entry.is_withdrawn:
                continue
            ends = (entry.growth.onset if entry.growth.rise == 0 else None, entry.growth.end)
            for day in {int(np.floor(at)) for at in ends if at is not None}:
                for k in np.flatnonzero(blocks == day).tolist():
                    flow = _by_hour(entry, day)
                    found[k] += np.outer(flow - flow.mean(), _effect_per_flow(entry))
        return found

    # what days say of it ------------------------------------------------------------------------------------------

    @property
    def pending(self) -> list[Entry]:
        """What was told and the days have neither confirmed nor denied."""
        return [burst for burst in self.bursts if not burst.is_withdrawn]

    def confirmed(self, entry: Entry) -> Alarm | None:
        """The alarm that hours raised about an entry which the days would tell of now; it then knows its hour, too."""
        for burst in self.pending:
            if self._is_one(entry, burst):
                self.bursts.remove(burst)
                self._settled.append((self.ledger.window.last, burst))
                entry.hour_onset = burst.growth.onset
                return replace(burst.alarm, gain=entry.alarm.gain)
        return None

    def close(self) -> None:
        """After a day's frame: it may deny the bursts of its hours."""
        window = self.ledger.window
        for burst in self.pending:
            if self._is_denied(burst):
                burst.withdraw(window.last)
        is_asked = self._block is not None  # of a history that is looked at by days alone nobody asks
        if is_asked and self.noise is None and len(window) >= _FEWEST_DAYS:
            self.prepare(window.frames)

    def _enter(self, burst: Burst, now: float, frame: HourFrame) -> Entry:
        onset = now - burst.age / _A_DAY
        deviation = 2.0 * burst.deviation
        alarm = Alarm(
            time=frame.end,
            place=burst.place,
            flow=Estimate(burst.flow, max(0.0, burst.flow - deviation), burst.flow + deviation),
            kind="abrupt",
            gain=burst.gain,
            evidence=burst.evidence,
        )
        raised = int(np.floor(onset)) + 1  # the first whole day
        entry = Entry(alarm, raised, burst.place, Growth(onset, 0.0, burst.flow), burst.unit, burst.doubt)
        entry.is_told, entry.onset_deviation = True, ONSET_DEVIATION
        self.bursts.append(entry)
        # the hours since its onset, told as usual from now on
        at = self.ledger.window.last + 1 if self._block is None else self._block
        before, self._effect = self._effect, self._effect_of(at)
        n = len(self._today)
        self._rows[-n:] -= (self._effect - before)[:n]
        self._attend(at)
        return entry

    def _own(self) -> list[Entry]:
        """Bursts that nothing in the ledger stands for yet."""
        return [b for b in self.pending if not any(self._is_one(e, b) for e in self.ledger.entries)]

    def _is_one(self, entry: Entry, burst: Entry) -> bool:
        """Whether an entry that the days found is what hours told of."""
        # a hypothesis of the days before, not told yet, may have taken up the burst
        if not entry.is_open or (entry.is_told and entry.raised < burst.raised - 1):
            return False
        if abs(entry.growth.onset - burst.growth.onset) > NEAR_BLOCKS:
            return False
        if self.watch.topology.distance_from_link(burst.place.link)[entry.place.link] < ALIKE_M:
            return True
        scanner = Scanner(self.watch.noise, len(self.ledger.window), ())
        return bool(scanner.alike(burst.unit, entry.unit[None, :])[0] > ALIKE)

    def _is_denied(self, burst: Entry) -> bool:
        """Whether days have shown by now that there is no such leak, or have told of it otherwise."""
        window = self.ledger.window
        days = window.last - burst.raised + 1  # whole ones since its onset
        if days < 1:
            return False
        if days >= _LONGEST:
            return True
        same = [e for e in self.ledger.entries if self._is_one(e, burst)]
        if same:
            return days >= _PROBATION and all(e.is_told for e in same)
        scanner = Scanner(self.watch.noise, len(window), self.rules.rises)
        shown = scanner.whiten(self.ledger.residual)
        template = scanner.whiten_products(burst.flow(window.blocks)[None, :], burst.unit)[0]
        match, energy = float(template @ shown), max(float(template @ template), 1e-30)
        if match / energy < self.rules.withdrawn_share and energy > _TELLING:
            return True
        return days >= _PROBATION and 0.5 * max(match, 0.0) ** 2 / energy < self.rules.keep_gain


def _effect_per_flow(entry: Entry) -> Floats:
    return entry.unit + entry.misfit if len(entry.misfit) else entry.unit


def _by_hour(entry: Entry, block: int) -> Floats:
    """Mean flow in each hour of a day, float64 [24], m3/s."""
    moments = block + (np.arange(_A_DAY * _PARTS) + 0.5) / (_A_DAY * _PARTS)
    flow: Floats = entry.growth.moment(moments).reshape(_A_DAY, _PARTS).mean(axis=1)
    return flow
