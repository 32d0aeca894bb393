"""How well faults explain a window of residuals, beside leaks: the same likelihood ratio, with faults' own effects."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.evidence import Evidence, Scanner
from models.health import LEVEL, METER, OPEN
from models.health_causes import Cause, instrument_causes, valve_causes
from models.ledger import Entry
from models.noise import with_known
from models.revise import Reviser

Floats = NDArray[np.float64]

LASTS = 2.0  # blocks that a fault is old when it is told: a day's disturbance is none
_MARGIN, _MARGIN_SHARE = 10.0, 0.05  # by how much a fault must explain more than a leak: its own, and model errors'
_MISJUDGED = 0.3  # of what known leaks do: so much of it may be simulated wrong beside them
_CLOSED, _SIZED = (0.4, 4.0), 8.0  # how far a closed valve's effect may be off its simulation, and the price of it
_ALIKE, _OTHER = 8, 0.5  # other closures that it may have been, and the share of their difference that is doubt
_LEAST_M, _LEAST_SHARE = 0.03, 0.02  # smaller faults are left to the noise: m, and share of a meter's mean flow
_LEAST_PASSED = 0.005  # share of the largest district's inflow that passes a boundary
_MOST_SHARE, _MOST_LEVEL_M = 0.5, 2.0
_GAP_BONUS = 15.0
_NEAR_ENTRY, _SHARE_ENTRY = 3.0, 0.3  # blocks, and share of a known leak's effect that its misfit may be


@dataclass(frozen=True, slots=True)
class Suspect:
    """The fault of an instrument that explains a residual best.

    Attributes
    ----------
    cause, sign
        Which, and whether it reads more or less.
    gain
        Half the likelihood-ratio chi-square.
    onset
        Block of the window.
    size
        In the newest block, signed.
    is_growing
        Whether it came bit by bit.
    bonus
        What speaks for it beside the residual, in the gain's unit.
    """

    cause: Cause
    sign: float
    gain: float
    onset: float
    size: float
    is_growing: bool
    bonus: float

    def has_lasted(self, n_blocks: int) -> bool:
        """Whether so many blocks of the window show it; one that grew shows in the later half of its time."""
        return (0.5 if self.is_growing else 1.0) * (n_blocks - self.onset) >= LASTS


@dataclass(frozen=True, slots=True)
class Closure:
    """A pipe that may have been closed: how well that explains, since which block of the window, at what size.

    Attributes
    ----------
    alike
        Pipes that would explain it as well.
    doubt
        See `Case`.
    """

    gain: float
    cause: Cause
    onset: float
    size: float
    alike: tuple[str, ...]
    doubt: Floats


class FaultScan:
    """Scans the window of one ledger for faults.

    Parameters
    ----------
    reviser
        Of that ledger.
    """

    def __init__(self, reviser: Reviser) -> None:
        self.reviser, self.ledger, self.watch = reviser, reviser.ledger, reviser.watch
        self._causes: list[Cause] | None = None
        self._valves: list[Cause] = []

    def learn(self) -> None:
        """Simulate what faults would do, if it was not yet."""
        if self._causes is None:
            self._causes, self._valves = instrument_causes(self.watch), valve_causes(self.watch)

    def forget(self) -> None:
        """The model was calibrated anew."""
        self._causes, self._valves = None, []

    def suspect(self, residual: Floats, but: Collection[int] = ()) -> Suspect | None:
        """The instrument's fault that explains a residual best, but for causes with these ids; None if none does."""
        causes = [c for c in self._causes or () if id(c) not in but]
        if not causes:
            return None
        evidence, gain = self._suspected(causes, self.scanner(len(residual)), residual)
        at = int(np.argmax(gain))
        if gain[at] <= 0.0:
            return None
        cause, sign, best = causes[at % len(causes)], 1.0 if at < len(causes) else -1.0, float(gain[at])
        onset = float(evidence.onset[at])
        bonus = _GAP_BONUS + _MARGIN_SHARE * best if self._was_away(cause, onset) else 0.0
        return Suspect(cause, sign, best, onset, sign * float(evidence.now[at]), bool(evidence.rise[at] > 0), bonus)

    def _suspected(self, causes: Sequence[Cause], scanner: Scanner, residual: Floats) -> tuple[Evidence, Floats]:
        """Evidence for each cause, showing more and then showing less, and its gain where its size can be."""
        templates = np.stack([c.template for c in causes])
        evidence = scanner.scan(residual, np.vstack([templates, -templates]))
        least = np.tile([self._least(c) for c in causes], 2)
        most = np.tile([self._most(c) for c in causes], 2)
        return evidence, np.where((evidence.now >= least) & (evidence.now <= most), evidence.gain, 0.0)

    def _closed(self, causes: Sequence[Cause], scanner: Scanner, residual: Floats) -> tuple[Evidence, Floats]:
        """Evidence for each closure, and its gain where its size can be; the further off it is, the less."""
        evidence = scanner.scan(residual, np.stack([c.template for c in causes]))
        size = np.maximum(evidence.now, 1e-6)
        is_one = (size > _CLOSED[0]) & (size < _CLOSED[1])
        return evidence, np.where(is_one, evidence.gain - _SIZED * np.log(size) ** 2, 0.0)

    def gain(self, scanner: Scanner, residual: Floats) -> float:
        """How well the best of all faults explains a residual, by some scan."""
        self.learn()
        gains = [
            scan(causes, scanner, residual)[1].max()
            for scan, causes in ((self._suspected, self._causes), (self._closed, self._valves))
            if causes
        ]
        return float(max(gains, default=0.0))

    def closure(self, residual: Floats, closed: Collection[str], least_age: float = LASTS) -> Closure | None:
        """The closure that explains a residual best; one that is not of its simulated size explains less.

        `closed` are known already; `least_age` is how many blocks it must have lasted.
        """
        causes = [c for c in self._valves if c.element not in closed]
        if not causes:
            return None
        evidence, gain = self._closed(causes, self.scanner(len(residual), ()), residual)
        gain = np.where(evidence.onset <= len(residual) - least_age, gain, 0.0)
        size = np.maximum(evidence.now, 1e-6)
        at = int(np.argmax(gain))
        if gain[at] <= 0.0:
            return None
        order = [k for k in np.argsort(-gain)[1 : 1 + _ALIKE].tolist() if gain[k] > 0.5 * gain[at]]
        effect = size[at] * causes[at].template
        doubt = np.stack([size[k] * causes[k].template - effect for k in order]) if order else effect[None] * 0.0
        alike = tuple(causes[k].element for k in order if gain[k] > gain[at] - 3.0)
        return Closure(float(gain[at]), causes[at], float(evidence.onset[at]), float(size[at]), alike, _OTHER * doubt)

    def leaks_gain(self, residual: Floats) -> float:
        """How well the best new leak, or a change of a known one, explains a residual."""
        evidence, _ = self.reviser.scan(residual, self.watch.responses)
        best = float(evidence.gain.max())
        entries = [e for e in self.ledger.entries if e.is_open]
        if entries:
            units = np.stack([e.unit for e in entries])
            best = max(best, float(self.scanner(len(residual)).scan(residual, np.vstack([units, -units])).gain.max()))
        return best

    def is_an_entrys(self, suspect: Suspect) -> bool:
        """Whether a known leak began or ended then and moved this very channel: what is left may be its misfit."""
        channel = suspect.cause.channel
        if channel is None:
            return False
        onset = suspect.onset + self.ledger.window.first
        for entry in self.ledger.entries:
            if entry.is_withdrawn:
                continue
            moments = [entry.growth.onset] + ([entry.growth.end] if entry.growth.end is not None else [])
            reach = _NEAR_ENTRY + 0.5 * entry.growth.rise
            effect = abs(float(entry.unit[channel]) * entry.growth.peak)
            if any(abs(m - onset) <= reach for m in moments) and abs(suspect.size) < effect * _SHARE_ENTRY:
                return True
        return False

    def _was_away(self, cause: Cause, onset: float) -> bool:
        """Whether a meter was silent for an hour or more when it changed: somebody had it out of the pipe.

        A meter that shows more than flows and a leak beside it look alike but for that.
        """
        if cause.kind != METER:
            return False
        time = self.ledger.window.time(onset + self.ledger.window.first)
        away = self.watch.silences.get(cause.element, pd.DatetimeIndex([]))
        return bool((np.abs(away - time) <= 2 * self.watch.settings.block).any())

    def _least(self, cause: Cause) -> float:
        """Smallest size of a fault that is told, in the unit of the cause's template."""
        if cause.unit == "m":
            return _LEAST_M
        return (_LEAST_PASSED if cause.kind == OPEN else _LEAST_SHARE) * self._flow(cause)

    def _most(self, cause: Cause) -> float:
        """Largest size that is believed: a meter half wrong, a level by two metres."""
        if cause.kind == LEVEL:
            return _MOST_LEVEL_M
        return _MOST_SHARE * self._flow(cause) if cause.unit == "m3/s" else np.inf

    def _flow(self, cause: Cause) -> float:
        """What flows where a cause may be, m3/s."""
        return self.watch.largest_take if cause.kind == OPEN else self.watch.mean_flow(cause.element)

    def scanner(self, n_blocks: int, rises: tuple[int, ...] | None = None) -> Scanner:
        """A scan prepared for a window's length, without any price of size."""
        noise = with_known(self.watch.noise, self.ledger.doubts())
        return Scanner(noise, n_blocks, self.reviser.rules.rises if rises is None else rises)

    def may_be_misjudged(self, cause: Cause, size: float, but: Entry | None = None) -> bool:
        """Whether a fault's effect is small beside what known leaks (but for one) did in the window where it shows.

        A part of what a large leak does beside a sensor is simulated wrong, and looks like that sensor's fault.
        """
        effect = self.ledger.effect
        if but is not None:
            effect = effect - np.outer(but.flow(self.ledger.window.blocks), but.unit)
        if not len(effect):
            return False
        weight = 1.0 / np.sqrt(np.diag(self.watch.noise.white))
        fault = np.abs(cause.effect(size)) * weight
        moved = np.where(fault > 0.0, np.ptp(effect, axis=0) * weight, 0.0)
        return bool(np.linalg.norm(fault) < _MISJUDGED * np.linalg.norm(moved))


def is_ahead(fault: float, other: float) -> bool:
    """Whether a fault explains so much more than anything else that it is told."""
    return fault > other + _MARGIN + _MARGIN_SHARE * fault
