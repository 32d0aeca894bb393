"""A city that leaks when its record begins: what is lost then is learnt as losses, not as demand or roughness.

First the zones' nights say how much is lost (`models.zones`); as long as nobody knows where, it is spread along the
pipes. The model is calibrated so, old leaks are sought in the levels of its residuals (`models.oldleaks`), and with
those that were found in their places it is calibrated again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.calibration import Prior, calibrate
from hydro.phase import find_phase
from hydro.record import Record
from models.growth import Growth
from models.leak import Estimate
from models.ledger import Alarm, Entry
from models.levels import read_levels
from models.oldleaks import TEMPER, Lost, OldLeak, Search, pose, search
from models.rules import Rules
from models.watch import Watch
from models.zoneflow import Night
from models.zones import Zones

Floats = NDArray[np.float64]

_SURE = 1.96  # standard deviations by which losses must be above zero to be taken for real
_STATES = 84
_GLANCE = 6.0  # gain of a leak, as a small one responds, from which a search is worth its simulations


@dataclass(frozen=True, slots=True)
class DirtyStart:
    """What was learnt of the time before the first record.

    Attributes
    ----------
    search
        Old leaks, and where the rest may be.
    lost
        What each zone with closed meters loses in all.
    is_clean
        Whether nothing was found that runs already: the watch is as it was.
    """

    search: Search
    lost: tuple[Lost, ...]
    is_clean: bool

    @property
    def most(self) -> float:
        """What zones that surely lose water may lose at most, m3/s; infinite where no zone's losses are known."""
        sure = [zone.flow + 2.0 * zone.deviation for zone in self.lost if zone.flow > _SURE * zone.deviation]
        return float(sum(sure)) if self.lost else np.inf


def learn_start(zones: Zones, learning: Record, rules: Rules) -> DirtyStart:
    """Learn what runs already in the learning period and calibrate the watch with it.

    Parameters
    ----------
    zones
        Of a watch that is calibrated on `learning` as if nothing leaked; it is calibrated anew where something does.
    learning
        The learning period.
    """
    watch = zones.watch
    lost = losses_of(zones, learning)
    spread = [replace(z, flow=z.flow if z.flow > _SURE * z.deviation else 0.0) for z in lost]
    is_clean = not any(z.flow > 0.0 for z in spread)
    if not is_clean:
        _calibrate(zones, learning, spread, ())
    found = _search(zones, learning, lost, spread, rules)
    if found.leaks:
        is_clean = False
        _calibrate(zones, learning, spread, found.leaks)
    if not is_clean:
        watch.settle(learning.resampled(watch.settings.step), running(found.leaks))
    return DirtyStart(found, tuple(lost), is_clean)


def losses_of(zones: Zones, record: Record) -> list[Lost]:
    """What each closed district loses over the day beyond its background leakage, as its nights tell it."""
    lost = []
    for number, (name, _, night) in enumerate(zones.nights(record)):
        if isinstance(night, Night):
            excess = night.mean_losses - zones.background(number, name)
            lost.append(Lost(number, excess.value, excess.sd))
    return lost


def running(leaks: tuple[OldLeak, ...]) -> dict[int, float]:
    """Flow by link, m3/s."""
    flows: dict[int, float] = {}
    for leak in leaks:
        flows[leak.place.link] = flows.get(leak.place.link, 0.0) + leak.flow
    return flows


def entries_of(watch: Watch, start: DirtyStart, time: pd.Timestamp, block: int, rules: Rules) -> list[Entry]:
    """Old leaks as entries of the ledger: they run since before the first block.

    Parameters
    ----------
    time
        When they are told: the learning period's end.
    block
        Number of that period's last block.
    """
    entries = []
    for leak in start.search.leaks:
        at = int(np.searchsorted(watch.pipes, leak.place.link))
        unit = watch.secants[1, at]
        reach = 1.96 * leak.deviation
        alarm = Alarm(
            time, leak.place, Estimate(leak.flow, max(0.0, leak.flow - reach), leak.flow + reach), "old", leak.gain, ()
        )
        # one block before the first, and one deviation of as much: since the first record for sure
        growth = Growth(-1.0, 0.0, leak.flow)
        doubt = rules.size_doubt * unit[None, :]
        # its ranks shall stay what they are when the reviser tempers them
        ratio = (rules.temper + rules.temper_growth * leak.gain) / (TEMPER + rules.temper_growth * leak.gain)
        entries.append(Entry(alarm, block, leak.place, growth, unit, doubt, belief=ratio * leak.belief, is_told=True))
    return entries


def _calibrate(zones: Zones, learning: Record, lost: list[Lost], leaks: tuple[OldLeak, ...]) -> None:
    """Calibrate with leaks in their places and what else is lost spread along the pipes."""
    watch = zones.watch
    model, step = watch.model, watch.settings.step
    model.scale(np.ones(len(watch.topology.pipes)), np.ones(len(model.engine.junctions)))
    model.losses = _spread(zones, lost, leaks)
    fine = learning.resampled(step)
    drive = model.drive(fine, step, find_phase(model, fine, step))
    taken = watch.lost(drive, {k: np.full(len(drive.times), q) for k, q in running(leaks).items()})
    watch.adopt(calibrate(model, drive, watch.measured(fine, drive), Prior(), taken, _STATES))


def _spread(zones: Zones, lost: list[Lost], leaks: tuple[OldLeak, ...]) -> Floats:
    """What is lost beyond the leaks, along each zone's pipes, float64 [n_junctions], m3/s."""
    watch, model = zones.watch, zones.watch.model
    losses = np.zeros_like(model.losses)
    for zone in lost:
        placed = sum(q * watch.share(link, zone.district) for link, q in running(leaks).items())
        inside = model.districts[zone.district].junctions
        weight = zones.length[inside]
        if weight.sum() > 0.0 and zone.flow > placed:
            losses[inside] += (zone.flow - placed) * weight / weight.sum()
    return losses


def _search(zones: Zones, learning: Record, lost: list[Lost], spread: list[Lost], rules: Rules) -> Search:
    """Search with the present calibration; what is spread along the pipes in it is put back into the data."""
    watch = zones.watch
    model, step, pipes = watch.model, watch.settings.step, watch.pipes
    fine = learning.resampled(step)
    drive = model.drive(fine, step, find_phase(model, fine, step))
    levels = read_levels(watch, drive, watch.measured(fine, drive), watch.calibration, Prior())
    data = levels.data.copy()
    for zone in spread:
        share = np.array([watch.share(int(k), zone.district) for k in pipes])
        weight = share * watch.topology.length[pipes]
        if weight.sum() > 0.0:
            data += zone.flow * (weight / weight.sum()) @ levels.small
    levels = replace(levels, data=data)
    if not any(zone.flow > 0.0 for zone in spread):
        # nothing is surely lost: simulate leaks in every pipe only if their tangents tell of something
        glance = search(watch, pose(watch, levels, lost), lost, rules)
        if glance.rest is None or (glance.rest.gain.max() < _GLANCE and not glance.leaks):
            return glance
    return search(watch, pose(watch, levels.simulated(watch, drive), lost), lost, rules)
