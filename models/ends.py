"""How known leaks end: their effect goes missing, or a crew reports that it has mended one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.ledger import Entry
from models.localise import Place
from models.rules import Repair
from models.searches import with_measurement

if TYPE_CHECKING:
    from models.revise import Reviser

Floats = NDArray[np.float64]

END_BLOCKS = 10
_STOPS = 0.6  # of a leak's flow at least is missing when it has ended


def test_ends(reviser: Reviser) -> None:
    """Recognise a known leak that has stopped: from some block on its effect is missing.

    Only if that explains the residual better than any new leak does: a leak that begins elsewhere also pushes
    against the known ones.
    """
    entries = [e for e in reviser.ledger.entries if e.is_open and not reviser.is_blind(e)]
    ends = [(*_end_of(reviser, e), e) for e in entries]
    if not ends:
        return
    gain, at, share, entry = max(ends, key=lambda end: end[0])
    if gain < reviser.rules.end_gain:
        return
    if not reviser.is_settled(entry) and entry.refitted < reviser.ledger.window.last:
        # a leak that stopped growing also falls behind what was expected of it
        kept = entry.state()
        reviser.refit(entry)
        gain, at, share = (0.0, 0.0, 0.0) if entry.is_withdrawn else _end_of(reviser, entry)
        if gain < reviser.rules.end_gain and not entry.is_withdrawn:
            return
        if entry.is_withdrawn or share >= _STOPS:
            changed = entry.growth
            entry.restore(kept)
            reviser.ledger.update(entry, changed)
            gain, at, share = _end_of(reviser, entry)
    if gain < reviser.rules.end_gain or share < _STOPS:
        return
    rival, _ = reviser.scan(reviser.ledger.residual, reviser.watch.responses)
    if rival.gain.max() > gain:
        return
    end = float(reviser.ledger.window.first + at)
    if end < entry.raised + 1:
        # what had ended before it was entered explained something else; closed, it would be fitted to that
        before = entry.growth
        entry.withdraw(reviser.ledger.window.last)
        reviser.ledger.update(entry, before)
        return
    _close(reviser, entry, end)


def _close(reviser: Reviser, entry: Entry, end: float) -> None:
    """End an entry; what it was is fitted on the blocks in which it ran alone."""
    before = entry.growth
    entry.growth = replace(before, end=end)
    past = int(np.sum(reviser.ledger.window.blocks < np.floor(end)))
    if past >= 2 and not reviser.is_settled(entry):
        reviser.refit(entry, past)
    else:
        reviser.ledger.update(entry, before)
    if not entry.is_withdrawn:
        reviser.settle(entry)


def _end_of(reviser: Reviser, entry: Entry) -> tuple[float, float, float]:
    """Gain in log likelihood of an entry's best end, that end, blocks from the window's first, and what stops.

    The last is the share of its flow that is missing from then on.
    """
    n = len(reviser.ledger.window)
    scanner = reviser.scanner(n, entry)
    # one block alone may be odd: an end shows in the newest two
    ends = np.arange(max(1, n - END_BLOCKS), n - 1 + 1e-9, 1.0 / 12.0)
    stopped = 1.0 - np.clip(ends[:, None] - np.arange(n), 0.0, 1.0)
    templates = scanner.whiten_products(-entry.flow(reviser.ledger.window.blocks) * stopped, entry.unit)
    match, energy = templates @ scanner.whiten(reviser.ledger.residual), (templates**2).sum(axis=1)
    gain = match - 0.5 * energy
    best = int(np.argmax(gain))
    return float(gain[best]), float(ends[best]), float(match[best] / max(energy[best], 1e-30))


def apply(reviser: Reviser, repair: Repair, entry: Entry) -> None:
    """Use what a crew reports of a known leak: it has ended, was there, and lost what was measured."""
    ledger, watch, window = reviser.ledger, reviser.watch, reviser.ledger.window
    link, end = watch.topology.link(repair.pipe), window.number(repair.time)
    before = entry.growth
    entry.growth = replace(before, end=None)
    past = int(np.sum(window.blocks < np.floor(end)))
    residual = ledger.without(entry)[:past]
    entry.place = Place(link, entry.place.candidates, 1.0, float(watch.topology.length[link]))
    if past >= 2:
        drive = window.drive_since(before.onset)
        at = reviser.position(link)
        responses = watch.respond(drive, ledger.flows_now(entry, len(drive.times), 0.0))
        evidence, responses = reviser.scan(residual, responses, entry)
        response = responses[at]
        if evidence.gain[at] > 0.0:
            entry.growth, entry.unit = evidence.growth(at, window.first), response
            entry.doubt = reviser.rules.size_doubt * response[None, :]
        if repair.flow is not None:
            last = float(entry.growth.moment(np.array([end]))[0])
            deviation = float(np.hypot(evidence.deviation[at], reviser.rules.size_doubt * last))
            share = with_measurement(last, deviation, repair.flow)[0] / last if last > 0.0 else 1.0
            entry.growth = replace(entry.growth, peak=share * entry.growth.peak)
    entry.growth = replace(entry.growth, end=end)
    ledger.update(entry, before)
    reviser.settle(entry)
