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


def may_have_ended(reviser: Reviser) -> bool:
    """Whether the effect of some known leak seems to be missing."""
    entries = [e for e in reviser.ledger.entries if e.is_open and not reviser.is_blind(e)]
    return any(_gain_of_end(reviser, entry) >= reviser.rules.end_gain for entry in entries)


def _gain_of_end(reviser: Reviser, entry: Entry) -> float:
    """Gain in log likelihood of an entry's best end within the last blocks."""
    n = len(reviser.ledger.window)
    scanner = reviser.scanner(n, entry)
    # one block alone may be odd: an end shows in the newest two
    ends = np.arange(max(1, n - END_BLOCKS), n - 1 + 1e-9, 1.0 / 12.0)
    stopped = 1.0 - np.clip(ends[:, None] - np.arange(n), 0.0, 1.0)
    templates = scanner.whiten_products(-entry.flow(reviser.ledger.window.blocks) * stopped, entry.unit)
    match, energy = templates @ scanner.whiten(reviser.ledger.residual), (templates**2).sum(axis=1)
    return float((match - 0.5 * energy).max())


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
