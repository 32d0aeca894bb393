"""A surge of demand somewhere is no leak: it follows the clock, a leak runs day and night.

Whole days tell where water leaves, not when. Each frame also holds its residuals in the parts of the day with least,
middling and most demand; what a place takes more since the onset is compared in these parts with a leak that runs
evenly and with demand that goes as the district's does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.forecast.parts import mean_of_seen
from models.frame import PROBES, Frame
from models.growth import Growth
from models.health import SURGE, Fault
from models.ledger import Ledger

Floats = NDArray[np.float64]

_BEFORE, _AFTER, _LEAST = 20, 10, 5
_GAIN = 8.0
_GOES_ON, _LONGEST, _SPELL = 3, 16, 10  # blocks
_TEMPER = 3.0  # channels err together: their evidence does not add up


class Surges:
    """Tells surges of demand from leaks.

    Attributes
    ----------
    faults
        Surges that were taken for none; the last is extended while it goes on.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.watch, self.window = ledger, ledger.watch, ledger.window
        self.faults: list[Fault] = []
        self._left_out: set[int] = set()
        self._since, self._asked = -np.inf, -np.inf  # blocks: of the surge's beginning, and in which it was seen last

    def is_one(self, link: int, growth: Growth, frame: Frame) -> bool:
        """Whether what looks like a leak in a pipe takes water as people do; notes it then."""
        gain, flow = self.gain(link, growth)
        if gain < _GAIN:
            return False
        is_known = bool(self._left_out) and self.window.last - max(self._left_out) <= _GOES_ON
        if self.window.last - self._asked > _SPELL:
            self._since = float(np.floor(growth.onset))
        self._asked = self.window.last
        if self.window.last - self._since >= _LONGEST:
            return False  # who has stayed as long as this is no guest
        if self.window.last <= np.floor(growth.onset) and not is_known:
            return True  # what began in the middle of this day has no night yet: the next day tells
        self._leave_out(growth)
        topology = self.watch.topology
        name, text = topology.links[link], f"follows demand over the day: half chi-square {gain:.0f} over a steady leak"
        since = self.window.time(growth.onset)
        last = self.faults[-1] if self.faults else None
        if last is not None and frame.end - (last.until or last.told) < 10 * self.watch.settings.block:
            last.size, last.until = max(last.size, flow), frame.end
            return True
        self.faults.append(Fault(name, "pipe", SURGE, since, frame.end, flow, "m3/s", text, frame.end))
        return True

    def without(self, frame: Frame) -> Frame:
        """A frame, silent if it is of a surge."""
        if round(self.window.number(frame.start)) not in self._left_out:
            return frame
        return replace(frame, values=np.full_like(frame.values, np.nan))

    def _leave_out(self, growth: Growth) -> None:
        """Days of a surge say nothing about leaks, nor may what they leave in the window look like one's end."""
        ledger = self.ledger
        for row, block in enumerate(self.window.blocks.astype(int).tolist()):
            if block >= int(np.floor(growth.onset)) and block not in self._left_out:
                self._left_out.add(block)
                frame = self.window.frames[row]
                silent = replace(frame, values=np.full_like(frame.values, np.nan))
                self.window.put(row, silent, ledger.effect[row], self.watch.noise)

    def gain(self, link: int, growth: Growth) -> tuple[float, float]:
        """By how much a surge explains the parts of the days since an onset better than a leak, and its mean flow."""
        known = zip(self.window.frames, self.window.blocks.tolist(), strict=True)
        seen_days = [(f, b) for f, b in known if int(b) not in self._left_out]
        if not seen_days:
            return 0.0, 0.0
        begin = np.floor(growth.onset) + 1.0  # the first day is only partly a leak's
        after = [f for f, b in seen_days if b >= begin + growth.rise / 2.0][-_AFTER:]
        before = [f for f, b in seen_days if b + 1.0 <= growth.onset][-_BEFORE:]
        after = after or [seen_days[-1][0]]
        if len(before) < _LEAST or any(len(f.parts) == 0 for f in (*before, *after)):
            return 0.0, 0.0
        old = np.stack([f.parts for f in before])
        moved = mean_of_seen(np.stack([f.parts for f in after])) - mean_of_seen(old)
        spread = 1.4826 * np.sqrt(mean_of_seen((old - mean_of_seen(old)) ** 2) + 1e-12)
        floor = np.sqrt(np.diag(self.watch.noise.white))[: moved.shape[1]]
        weight = 1.0 / (np.maximum(spread, floor) ** 2 * (1.0 / len(after) + 1.0 / len(before)))
        flow = float(growth.flow(self.window.blocks[-1:])[0])
        response, demand = self._by_part(self.window.frames[-1], link, max(flow, 1e-6))
        seen = np.isfinite(moved) & np.isfinite(response)
        weight = np.where(seen, weight, 0.0)
        moved, response = np.where(seen, moved, 0.0), np.where(seen, response, 0.0)
        shape = demand / max(float(demand.mean()), 1e-12)
        steady, _ = _left(moved, response, weight)
        surge, amount = _left(moved, response * shape[:, None], weight)
        return 0.5 * (steady - surge) / _TEMPER, amount * flow

    def _by_part(self, frame: Frame, link: int, flow: float) -> tuple[Floats, Floats]:
        """What a leak does in each part of the day, float64 [n_parts, n_channels], and the district's demand then."""
        watch, n = self.watch, len(self.watch.channels.picked)
        drive = frame.drive
        change = np.hstack(watch.model.expect(watch.with_leaks(drive, {link: np.full(PROBES, flow)}))) - frame.base
        response = np.zeros((PROBES, n + len(watch.channels.balances)))
        response[:, :n] = change[:, watch.channels.picked]
        for column, number in enumerate(watch.channels.balances, start=n):
            response[:, column] = flow * watch.share(link, number)
        district = watch.district_of(link)
        inside = watch.model.districts[district].junctions if district is not None else slice(None)
        demand: Floats = np.maximum(drive.demand[:, inside], 0.0).sum(axis=1)
        return response, demand


def _left(moved: Floats, shape: Floats, weight: Floats) -> tuple[float, float]:
    """Weighted squares that the best positive amount of a shape leaves, and that amount."""
    energy = float((weight * shape**2).sum())
    amount = max(0.0, float((weight * shape * moved).sum()) / max(energy, 1e-30))
    return float((weight * (moved - amount * shape) ** 2).sum()), amount
