"""Whether hours that look like a burst are one: surges, single instruments and moments of switching are not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.evidence import Evidence, Scanner
from models.frame import HourFrame
from models.health_scan import FaultScan, is_ahead
from models.ledger import Entry, Ledger
from models.localise import Place
from models.noise import Noise
from models.revise import Reviser
from models.rules import Rules
from models.telling import ALIKE, ALIKE_M

Floats = NDArray[np.float64]

_DEAF = 1e4  # times its variance, with which an instrument says nothing
_SURGED = 3.0  # what a district takes beyond what is usual may be so many times the burst
_WITNESS = 6.0  # gain that pressures need without meters and balances
_LONE = 4.0  # gain that must stand without the instrument that moved most
_SHOWS = 0.3  # share of the flow that each of the newest two hours must show
_LEFT = 2.0  # what is left unexplained may be so many times what is explained, beyond noise
YOUNG_BLOCKS = 3
_LARGER = 3.0  # a burst so many times as large as what is known is none of it
_SURE_GAIN = 40.0
_FRESH_H = 4.0


@dataclass(frozen=True, slots=True)
class Burst:
    """A leak that began at once, hours ago.

    Attributes
    ----------
    place, flow, deviation, gain
        Where, how much with its standard deviation (m3/s), and half the likelihood-ratio chi-square.
    age
        Hours since its onset.
    unit
        float64 [n_channels], effect per m3/s.
    doubt
        float64 [n, n_channels], directions in which that may be off.
    evidence
        (channel, standard deviations) of those that moved most.
    """

    place: Place
    flow: float
    deviation: float
    gain: float
    age: float
    unit: Floats
    doubt: Floats
    evidence: tuple[tuple[str, float], ...]


class HourReviser(Reviser):
    """A reviser whose scans are of hours.

    Parameters
    ----------
    noise
        Of an hour, with what is uncertain about known leaks.
    block
        The day, on the detector's clock.
    bursts
        What hours told before, without those that days confirmed longer ago.
    faults
        What may have happened instead.
    """

    def __init__(
        self, ledger: Ledger, rules: Rules, noise: Noise, block: int, bursts: list[Entry], faults: FaultScan
    ) -> None:
        super().__init__(ledger, rules)
        self.hourly, self.block, self.bursts, self._faults = noise, block, bursts, faults

    def scanner(self, n_blocks: int, but: Entry | None = None) -> Scanner:
        """A scan of hours for leaks that began at once."""
        return self._scanner(self.hourly, n_blocks)

    def _scanner(self, noise: Noise, n_blocks: int) -> Scanner:
        return Scanner(noise, n_blocks, (), 1.0 / (self.rules.usual_share * self.watch.largest_take))

    def judge(self, rows: Floats, frame: HourFrame, least: float, plain: float) -> Burst | None:
        """The burst that the last hours show, or None where they show none, or something else.

        Parameters
        ----------
        rows
            float64 [n_hours, n_channels], beyond what is usual and known, without NaN.
        frame
            The newest of them.
        least, plain
            Gain that it needs, and above which even a small one is told: days tell small ones, and err less often.
        """
        rules, watch = self.rules, self.watch
        evidence, used = self.scan(rows, watch.responses)
        evidence = replace(evidence, gain=np.where(watch.blind(frame), 0.0, evidence.gain))
        gain = float(evidence.gain.max())
        if gain < least or self._is_told(evidence):
            return None
        place = self.locate(evidence)
        if place.probability < rules.sure_mass and gain < _SURE_GAIN:
            return None
        at = self.position(place.pipe)
        flow = float(evidence.now[at])
        share = rules.tell_share if gain >= plain else rules.burst_share
        if flow < max(rules.least_flow, share * watch.inflow_of_pipes[at]):
            return None
        age = len(rows) - float(evidence.onset[at])
        if age > _FRESH_H:  # what did not show at once days will tell, and know better
            return None
        if self._is_echo(evidence, flow) or self._is_known(evidence, flow):
            return None
        # what its first hours missed of a larger one looks like a small one beside it
        if any(not b.is_withdrawn and flow < rules.echo_share * b.growth.peak for b in self.bursts):
            return None
        if not self._is_burst(rows, used[at], flow, age, float(evidence.gain[at])):
            return None
        if is_ahead(self._faults.gain(Scanner(self.hourly, len(rows), ()), rows), gain):  # days will tell which it is
            return None
        return Burst(
            place, flow, float(evidence.deviation[at]), gain, age, used[at], self.doubt(evidence, used, at),
            self._moved(rows, age),
        )  # fmt: skip

    def _is_told(self, evidence: Evidence) -> bool:
        """Whether hours told of it already: the days will say, or have said that it was none."""
        if not self.bursts:
            return False
        best = evidence.best
        distance = self.watch.topology.distance_from_link(int(self.watch.pipes[best]))
        units = np.stack([b.unit for b in self.bursts])
        cosine = self._scanner(self.hourly, 1).alike(self.watch.secants[1, best], units)
        now, gain = self.ledger.window.last, float(evidence.gain.max())
        return any(
            (c > ALIKE or distance[b.place.link] < ALIKE_M)
            and (
                not b.is_withdrawn
                or (now - b.withdrawn < self.rules.window and gain < self.rules.echo_gain * b.alarm.gain)
            )
            for c, b in zip(cosine, self.bursts, strict=True)
        )

    def _is_known(self, evidence: Evidence, flow: float) -> bool:
        """Whether a leak like this was entered of late: the day's frame will tell its place and size."""
        return any(
            flow < _LARGER * e.growth.peak
            and (self.block - e.growth.onset < YOUNG_BLOCKS or self.block - e.raised < YOUNG_BLOCKS)
            for e in self.similar(evidence)
        )

    def _is_echo(self, evidence: Evidence, flow: float) -> bool:
        """Whether days raised something like this and withdrew it lately; gains of days and hours do not compare."""
        distance = self.watch.topology.distance_from_link(int(self.watch.pipes[evidence.best]))
        now = self.ledger.window.last
        return any(
            e.is_withdrawn
            and now - e.withdrawn < self.rules.echo_blocks
            and distance[e.place.link] < ALIKE_M
            and flow < _LARGER * e.alarm.flow.flow
            for e in self.ledger.entries
        )

    def _is_burst(self, rows: Floats, unit: Floats, flow: float, age: float, gain: float) -> bool:
        watch, n = self.watch, len(rows)
        since = rows[n - max(1, int(np.ceil(age))) :]
        inverse = np.linalg.inv(self.hourly.white + self.hourly.slow)
        # a pump that switches, a reading gone wrong: one hour
        shown = rows[-2:] @ inverse @ unit / max(float(unit @ inverse @ unit), 1e-30)
        if age <= 1.0 or shown.min() < _SHOWS * flow:
            return False
        # valves and pumps shift pressures in patterns that no leak makes
        left = since - np.outer(np.minimum(1.0, age - np.arange(len(since))[::-1]), unit) * flow
        unexplained = float(np.einsum("ij,jk,ik->", left, inverse, left)) - left.size
        if unexplained > _LEFT * gain:
            return False
        # an instrument that jumps is alone; a leak has others beside it, or the balance
        pressures = np.arange(watch.channels.n_pressures)
        deviation = np.sqrt(np.diag(self.hourly.white))
        if len(pressures):
            loudest = int(np.argmax(np.abs(since[:, pressures].mean(axis=0)) / deviation[pressures]))
            deaf = self.hourly.white.copy()
            deaf[loudest, loudest] *= _DEAF
            if self._gain(replace(self.hourly, white=deaf), rows, unit) < _LONE:
                return False
        if self._is_surge(since, unit, flow):
            return False
        # guests and refilled tanks take what demand takes, a meter that was exchanged shows another flow: pressures
        # alone must tell of a place
        if len(pressures):
            deaf = self.hourly.white.copy()
            others = np.arange(len(pressures), len(deaf))
            deaf[others, others] *= _DEAF
            if self._gain(replace(self.hourly, white=deaf), rows, unit) < _WITNESS:
                return False
        return True

    def _is_surge(self, since: Floats, unit: Floats, flow: float) -> bool:
        """Whether its district takes far more or less than usual, beyond the burst: a model's errors grow with flow."""
        first = len(self.watch.channels.picked)
        columns = first + np.arange(len(self.watch.channels.balances))
        columns = columns[unit[columns] > 0.0]
        deviation = np.sqrt(np.diag(self.hourly.white + self.hourly.slow))[columns]
        return bool(np.any(np.abs(since[:, columns].mean(axis=0)) > _SURGED * flow + 2.0 * deviation))

    def _gain(self, noise: Noise, rows: Floats, unit: Floats) -> float:
        return float(self._scanner(noise, len(rows)).scan(rows, unit[None, :]).gain[0])

    def _moved(self, rows: Floats, age: float) -> tuple[tuple[str, float], ...]:
        """Channels that moved most since the onset, in standard deviations of one hour."""
        since = rows[-max(1, int(np.floor(age))) :].mean(axis=0) / np.sqrt(
            np.diag(self.hourly.white + self.hourly.slow)
        )
        order = np.argsort(-np.abs(since))[:8]
        return tuple((self.watch.channels.names[k], float(since[k])) for k in order)
