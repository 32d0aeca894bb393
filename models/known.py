"""Leaks that crews have repaired in a history: where each was and when it ended is known, how it grew is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.evidence import Scanner
from models.frame import Frame, joined
from models.leak import Estimate
from models.ledger import Alarm, Entry, Ledger
from models.localise import Candidate, Place
from models.rules import Repair, Rules
from models.searches import with_measurement
from models.sized import at_size, best_size
from models.watch import Watch

Floats = NDArray[np.float64]

_SWEEPS = 2
_LOOK_BACK = 150  # blocks before a repair in which its leak may have begun
_DRIVES = 6
_MARGIN = 12  # blocks before and after a leak against which it is seen


def repaired_leaks(
    watch: Watch, frames: list[Frame], repairs: Sequence[Repair], rules: Rules, old: Sequence[Entry] = ()
) -> tuple[list[Entry], tuple[Repair, ...]]:
    """Fit every leak that was repaired within a history, all of them together.

    Parameters
    ----------
    old
        Leaks that ran from before its beginning, and are known.

    Returns
    -------
    entries : list of Entry
        Closed ones; a repair that the measurements do not show has none.
    others : tuple of Repair
        Those that have none.
    """
    ledger = Ledger(watch, len(frames))
    ledger.entries = [*old]
    for frame in frames:
        ledger.append(frame, watch.noise)
    found: dict[int, Entry] = {}
    ordered = sorted(repairs, key=lambda r: r.time)
    for _ in range(_SWEEPS):
        for k, repair in enumerate(ordered):
            known = found.pop(k, None)
            ledger.entries = [*old, *found.values()]
            residual = ledger.residual + (np.outer(known.flow(ledger.window.blocks), known.unit) if known else 0.0)
            entry = _fit(ledger, residual, repair, rules)
            if entry is not None:
                found[k] = entry
            ledger.entries = [*old, *found.values()]
            onsets = [e.growth.onset for e in (entry, known) if e is not None]
            if onsets:
                ledger.simulate_from(min(onsets))
    _take_misfits(ledger, list(found.values()))
    return [found[k] for k in sorted(found)], tuple(r for k, r in enumerate(ordered) if k not in found)


def _take_misfits(ledger: Ledger, entries: Sequence[Entry]) -> None:
    """Learn what each leak did beyond its simulation from how its beginning and its end show in the residual.

    Of a leak whose place is known the rest is the model's error there; it must not be taken for another leak.
    """
    blocks = ledger.window.blocks
    residual = ledger.residual
    for entry in entries:
        flow = entry.flow(blocks)
        end = entry.growth.end if entry.growth.end is not None else blocks[-1]
        around = (blocks > entry.growth.onset - _MARGIN) & (blocks < end + _MARGIN)
        age = (blocks[around] - blocks[around].mean()) / _MARGIN
        known = np.column_stack([flow[around] / max(entry.growth.peak, 1e-12), np.ones(around.sum()), age])
        entry.misfit = np.linalg.lstsq(known, residual[around], rcond=None)[0][0] / max(entry.growth.peak, 1e-12)
    ledger.simulate_from(float(blocks[0]))


def _fit(ledger: Ledger, residual: Floats, repair: Repair, rules: Rules) -> Entry | None:
    """The growth of one repaired leak that explains the blocks before its repair best, or None."""
    watch, window = ledger.watch, ledger.window
    link = watch.topology.link(repair.pipe)
    end = window.number(repair.time)
    past = int(np.sum(window.blocks < np.floor(end)))
    begin = max(0, past - _LOOK_BACK)
    position = np.flatnonzero(watch.pipes == link)
    if past - begin < 2 or window.blocks[-1] + 1.0 < end or not len(position):
        return None
    drive = joined([f.drive for f in window.frames[max(begin, past - _DRIVES) : past]])
    running = _running(ledger.entries, window.blocks[past - 1], len(drive.times))
    at = int(position[0])
    sized = watch.sized(watch.respond(drive, running))[:, at]
    cost = 1.0 / (rules.usual_share * watch.largest_take)
    scanner = Scanner(watch.noise, past - begin, rules.rises, cost)
    tried = np.stack([scanner.scan(residual[begin:past], each[None, :]).now for each in sized])
    now = tried[best_size(tried, watch.sizes), 0]
    response = at_size(sized[:, None, :], now, watch.sizes)[0]
    evidence = scanner.scan(residual[begin:past], response[None, :])
    if evidence.gain[0] < rules.gain:
        return None
    growth = evidence.growth(0, int(window.blocks[begin]))
    place = Place(link, (Candidate(repair.pipe, 1.0),), 1.0, float(watch.topology.length[link]))
    flow = float(evidence.now[0])
    if repair.flow is not None:
        last = float(growth.moment(np.array([end]))[0])
        deviation = float(np.hypot(evidence.deviation[0], rules.size_doubt * last))
        growth = replace(
            growth, peak=growth.peak * with_measurement(last, deviation, repair.flow)[0] / max(last, 1e-12)
        )
    alarm = Alarm(repair.time, place, Estimate(flow, flow, flow), growth.kind, float(evidence.gain[0]), ())
    doubt = rules.size_doubt * response[None, :]
    return Entry(alarm, past, place, replace(growth, end=end), response, doubt)


def _running(entries: list[Entry], block: float, n: int) -> dict[int, Floats]:
    flows: dict[int, Floats] = {}
    for entry in entries:
        flow = float(entry.growth.moment(np.array([block + 0.5]))[0])
        if flow > 0.0:
            flows[entry.place.link] = flows.get(entry.place.link, np.zeros(n)) + flow
    return flows
