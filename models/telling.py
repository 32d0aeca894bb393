"""What is told of: which entries of the ledger have stood their probation, and which are echoes of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.evidence import Evidence
from models.ledger import Entry

if TYPE_CHECKING:
    from models.revise import Reviser

Floats = NDArray[np.float64]

ALIKE = 0.8  # cosine of two responses from which on one may be taken for the other
ALIKE_M = 500.0
SAME_M = 300.0


def is_echo(reviser: Reviser, evidence: Evidence) -> bool:
    """Whether a scan's best candidate was raised and withdrawn lately, and speaks no louder now."""
    watch, rules = reviser.watch, reviser.rules
    distance = watch.topology.distance_from_link(int(watch.pipes[evidence.best]))
    now, gain = reviser.ledger.window.last, float(evidence.gain.max())
    return any(
        e.is_withdrawn
        and now - e.withdrawn < rules.echo_blocks
        and distance[e.place.link] < ALIKE_M
        and gain < rules.echo_gain * e.alarm.gain
        for e in reviser.ledger.entries
    )


def is_due(reviser: Reviser, entry: Entry) -> bool:
    """Whether an entry that was not told yet has stood its probation.

    After a leak has ended what its simulation missed of it may look like a small one that goes on beside it: such
    an entry is watched longer, and where it looks like a share of the ended one it is not told at all; nor is one that
    other leaks can stand in for.
    """
    rules, window = reviser.rules, reviser.ledger.window
    if entry.place.probability < rules.sure_mass and entry.alarm.gain < rules.sure_gain:
        return False
    if reviser.is_blind(entry):
        return False
    flow = float(entry.flow(window.blocks[-1:])[0])
    if flow < max(
        rules.least_flow, rules.tell_share * reviser.watch.inflow_of_pipes[reviser.position(entry.place.link)]
    ):
        return False
    ended = {
        id(e): end
        for e in reviser.ledger.entries
        if (end := e.growth.end) is not None and not e.is_withdrawn and window.first < end <= window.last + 1
    }
    closed = [e for e in reviser.ledger.entries if id(e) in ended]
    fresh = any(e.growth.peak > flow and abs(entry.growth.onset - ended[id(e)]) < rules.unrest for e in closed)
    if fresh and window.last - entry.raised < rules.probation:
        return False
    if _is_belated(reviser, entry) and window.last - entry.raised < rules.probation:
        return False
    if not stands(reviser, entry):
        return False
    if not closed:
        return True
    distance = reviser.watch.topology.distance_from_link(entry.place.link)
    cosine = reviser.scanner(len(window), entry).alike(entry.unit, np.stack([e.unit for e in closed]))
    return not any(
        (c > ALIKE or distance[e.place.link] < ALIKE_M) and flow < rules.echo_share * e.growth.peak
        for e, c in zip(closed, cosine, strict=True)
    )


def _is_belated(reviser: Reviser, entry: Entry) -> bool:
    """Whether an entry should have been found long before: something else has changed, and may yet be understood.

    What speaks for a leak grows with its age, for one that grows with the fifth power: its flow is a square of it.
    """
    rules, growth = reviser.rules, entry.growth
    age = entry.raised + 1.0 - growth.onset
    due = age * min(1.0, rules.gain / max(entry.alarm.gain, 1e-12)) ** (1.0 if growth.rise == 0 else 0.2)
    return bool(age - due > rules.unrest)


def stands(reviser: Reviser, entry: Entry) -> bool:
    """Whether the other leaks, of other sizes, could not stand in for an entry."""
    adds = [gain for gain, e in reviser.standing() if e is entry]
    return not adds or bool(adds[0] >= reviser.rules.keep_gain)


def withdrawn_before(reviser: Reviser, entry: Entry, bursts: Sequence[Entry]) -> Entry | None:
    """A leak that was told of, and withdrawn, where an entry is to be told of that may have run then: it is that one.

    Nobody is called twice to one place about one leak.

    Parameters
    ----------
    bursts
        What hours told of, beside the ledger's entries.
    """
    window, topology = reviser.ledger.window, reviser.watch.topology
    distance = topology.distance_from_link(entry.place.link)
    found = [
        e
        for e in (*reviser.ledger.entries, *bursts)
        if e.is_told
        and e.is_withdrawn
        and not e.is_past
        and window.last - e.withdrawn < reviser.rules.window
        and distance[e.alarm.place.link] <= SAME_M
        and entry.growth.onset < window.number(e.alarm.time)
    ]
    return max(found, key=lambda e: e.alarm.time) if found else None


def around(reviser: Reviser, evidence: Evidence, responses: Floats) -> NDArray[np.bool_]:
    """Pipes near a scan's best candidate or alike in what they do, bool [n_pipes]."""
    scanner = reviser.scanner(len(reviser.ledger.window))
    distance = reviser.watch.topology.distance_from_link(int(reviser.watch.pipes[evidence.best]))[reviser.watch.pipes]
    alike: NDArray[np.bool_] = scanner.alike(responses[evidence.best], responses) > ALIKE
    return alike | (distance < ALIKE_M)
