"""What each zone loses when a record begins and when it ends, and what of it is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.record import Record
from models.detector import Detector
from models.dirtystart import DirtyStart
from models.ledger import Entry
from models.oldleaks import place_in
from models.rules import Rules
from models.window import Window
from models.zones import Found, Zone, Zones

Floats = NDArray[np.float64]

_LAST = pd.Timedelta("14D")  # of the data: what is lost now
_CANDIDATES = 20
_ABOUT = 0.15  # standard deviation of a leak's flow, as a share, where no interval was told


@dataclass(frozen=True, slots=True)
class OldEnd:
    """A leak that was older than the record and was known only by its end.

    Attributes
    ----------
    pipe, flow
        Where it was, and what it lost, m3/s.
    probability
        That it was within 300 m of the pipe.
    ended, recognised
        UTC.
    """

    pipe: str
    flow: float
    probability: float
    ended: pd.Timestamp
    recognised: pd.Timestamp


@dataclass(frozen=True, slots=True)
class Statement:
    """What zones lose.

    Attributes
    ----------
    first, last
        In the learning period, and in the last two weeks of the data.
    ends
        Of leaks that nobody had known.
    """

    first: tuple[Zone, ...]
    last: tuple[Zone, ...]
    ends: tuple[OldEnd, ...]


def state_zones(zones: Zones, start: DirtyStart, detector: Detector, learning: Record, data: Record) -> Statement:
    """State what every zone loses, as all that is known at the end has it.

    Parameters
    ----------
    learning, data
        The learning period and the data in question.
    """
    ledger = detector.ledger
    first = zones.state(learning, _found(ledger.entries, ledger.window, learning))
    recent = data.between(max(data.start, data.end - _LAST), data.end + pd.Timedelta("1s"))
    last = zones.state(recent, _found(ledger.entries, ledger.window, recent))
    said = tuple(_with_candidates(zones, start, detector, part) for part in (first, last))
    ends = [
        OldEnd(
            pipe=zones.watch.topology.links[e.place.link], flow=e.growth.peak, probability=e.place.probability,
            ended=ledger.window.time(e.growth.end), recognised=e.alarm.time,
        )
        for e in detector.old_ends.entered
        if e.growth.end is not None
    ]  # fmt: skip
    return Statement(said[0], said[1], tuple(ends))


def _found(entries: Sequence[Entry], window: Window, record: Record) -> list[Found]:
    """What known leaks lost in a record."""
    moments = np.linspace(window.number(record.start), window.number(record.end), 200)
    found = []
    for entry in entries:
        flow = 0.0 if entry.is_withdrawn else float(entry.growth.moment(moments).mean())
        if flow > 0.0:
            told = entry.alarm.flow
            share = (told.high - told.low) / (2.0 * 1.96 * told.flow) if told.flow > 0.0 else 0.0
            found.append(Found(entry.place.link, flow, flow * (share or _ABOUT)))
    return found


def _with_candidates(zones: Zones, start: DirtyStart, detector: Detector, said: tuple[Zone, ...]) -> tuple[Zone, ...]:
    """Say where what is not explained may be, as far as pressures tell."""
    evidence = start.search.rest
    if evidence is None:
        return said
    watch, numbers = zones.watch, {d.name: k for k, d in enumerate(zones.watch.model.districts)}
    believed = detector.believed()
    told = []
    for zone in said:
        if zone.unexplained is not None and zone.unexplained.value > 0.0 and zone.name in numbers:
            place = place_in(watch, evidence, numbers[zone.name], Rules(), believed)
            told.append(replace(zone, candidates=place.candidates[:_CANDIDATES], told=place.probability))
        else:
            told.append(zone)
    return tuple(told)
