"""Batch detection: replay a record through the detector, frame by frame, as if it came in live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from hydro.calibration import Calibration
from hydro.engine import Engine
from hydro.record import Record
from models.detector import MOST_RECORD, Detector
from models.dirtystart import entries_of, learn_start
from models.errors import NotEnoughData
from models.frame import Frame
from models.health import Fault, Health
from models.health_limits import limits_of
from models.health_raw import Cleaner
from models.hours_raw import known_by_hour
from models.known import repaired_leaks
from models.leak import Leak, Untold
from models.ledger import Entry
from models.rules import Repair, Rules
from models.searches import DrySearch
from models.watch import Settings, Watch
from models.zones import Zones
from models.zonestatement import Statement, state_zones
from networks import Network, Topology

Progress = Callable[[str, float], None]

RELEARN_BLOCKS = 60  # a history as long as this tells more of the model than its first week


@dataclass(frozen=True, slots=True)
class Detection:
    """Everything that a detection found.

    Attributes
    ----------
    leaks
        In order of `detected`.
    residuals
        DataFrame [n_frames, n_channels], m and m3/s, against the model without leaks; index is each frame's start.
    noise
        float64 [n_channels], standard deviation of a frame.
    calibration
        What was learnt of the model.
    topology
        Of the network.
    districts
        (name, mean inflow m3/s, whether its balance is closed) of each district.
    health
        What is wrong with which instrument, and what could not be done for lack of what.
    statement
        What each zone loses at night, explained and not, when the record begins and when it ends.
    untold
        Leaks that only hindsight shows: no alarm was raised about them, so that no event tells of them.
    """

    leaks: list[Leak]
    residuals: pd.DataFrame
    noise: NDArray[np.float64]
    calibration: Calibration
    topology: Topology
    districts: tuple[tuple[str, float, bool], ...]
    health: Health
    statement: Statement
    untold: tuple[Untold, ...] = ()


def detect(
    network: Network | Path | str,
    data: Record,
    history: Record | None = None,
    repairs: Sequence[Repair] = (),
    settings: Settings | None = None,
    rules: Rules | None = None,
    progress: Progress | None = None,
    searches: Sequence[DrySearch] = (),
) -> Detection:
    """Find the leaks in a record.

    Parameters
    ----------
    network
        What `hydro.Engine` accepts.
    data
        The period in question.
    history
        What came before; the detector learns from its first days and watches the rest. Without it the first days of
        the data are learnt from. Leaks that run then already are sought in the levels of what was measured.
    repairs
        What crews have repaired, and when.
    progress
        Called with a stage's name and the share that is done of it.
    searches
        Where crews looked for a leak and found none.

    Raises
    ------
    NotEnoughData
        If the record is shorter than the learning period, or nothing in it can be driven.
    RecordError
        If the instruments do not fit the network.
    """
    # the matrices are small: a second BLAS thread costs more than it gives
    with threadpool_limits(1):
        report = progress or (lambda stage, share: None)
        return _detect(network, data, history, repairs, settings, rules or Rules(), report, searches)


def _detect(
    network: Network | Path | str,
    data: Record,
    history: Record | None,
    repairs: Sequence[Repair],
    settings: Settings | None,
    rules: Rules,
    report: Progress,
    searches: Sequence[DrySearch],
) -> Detection:
    settings = settings or Settings()
    quiet = data if history is None else history
    report("calibrate", 0.0)
    head = quiet.between(quiet.start, quiet.start + settings.learning)
    cleaner = Cleaner(head, settings.block, typical_pressures(network, tuple(quiet.pressure.columns)))
    read, past_read = data, history
    history = cleaner.clean(history) if history is not None else None
    data = cleaner.clean(data)
    before = (past_read, history) if past_read is not None and history is not None else None
    by_hour = known_by_hour(read, data, settings.block, cleaner.doubtful, before)
    quiet = data if history is None else history
    watch = Watch(network, quiet, settings)
    try:
        for pipe in (*(r.pipe for r in repairs), *(s.pipe for s in searches)):
            watch.topology.link(pipe)
        _check_drivers(quiet, data)
        learnt = quiet.start + watch.settings.learning
        zones = Zones(watch, network)
        start = learn_start(zones, quiet.between(quiet.start, learnt), rules)
        last = round(watch.settings.learning / watch.settings.block) - 1
        old = entries_of(watch, start, learnt, last, rules)
        report("residuals", 0.0)
        frames: list[Frame] = []
        known: list[Entry] = []
        past: tuple[Repair, ...] = ()
        left = tuple(repairs)
        if history is not None:
            frames = list(watch.frames(history))
            watch.sharpen(frames)
            past = tuple(r for r in repairs if r.time <= history.end)
            known, left = repaired_leaks(watch, frames, past, rules, old)
            left = (*left, *(r for r in repairs if r.time > history.end))
        detector = Detector(watch, rules, left, tuple(searches))
        detector.old_ends.most = start.most
        detector.know([*old, *known], past)
        if history is not None:
            looked = _watch_history(detector, frames, history, learnt, report)
            detector.begin(data.start)
            detector.hours.prepare(looked)
        parts = list(watch.frames(data, with_parts=True, hours=by_hour))
        later = [f for f in parts if f.is_whole]
        if not frames and not later:
            raise NotEnoughData(
                "no block of the record has every inlet flow, pump flow and tank level that drive the model"
            )
        if history is None:
            watch.sharpen([f for f in later if f.end <= learnt])
        _replay(detector, parts, learnt, report, by_hour=True)
        report("look back", 0.0)
        detector.judge(data.end)
        faults = [*detector.faults, *_clock_faults(watch), *cleaner.finish(data.end)]
        statement = state_zones(zones, start, detector, quiet.between(quiet.start, learnt), data)
        return _gather(watch, detector, [*frames, *later], Health(faults, limits_of(watch)), statement)
    finally:
        watch.close()


def _watch_history(
    detector: Detector, frames: list[Frame], history: Record, learnt: pd.Timestamp, report: Progress
) -> list[Frame]:
    """Let a detector watch a history; return its frames against the model as it is known then."""
    if len(frames) < RELEARN_BLOCKS:
        _replay(detector, frames, learnt, report)
        return frames
    # what is judged together in the end need not be sought one by one before
    early = max(len(frames) - MOST_RECORD, 0)
    _replay(detector, frames[:early], learnt, report)
    detector.is_history = True
    _replay(detector, frames[early:], learnt, report)
    looked = detector.relearn(history)
    detector.is_history = False
    return looked


def typical_pressures(network: Network | Path | str, sensors: tuple[str, ...]) -> dict[str, float]:
    """Mean pressure that the model gives each sensor in its first day, m; none for a node it does not have."""
    with Engine(network) as engine:
        nodes = [(name, engine.topology.node_index[name]) for name in sensors if name in engine.topology.node_index]
        engine.duration = 86400 - 3600
        pressures = [engine.read("node", "pressure") for _ in engine.steps()]
    mean = np.mean(pressures, axis=0)
    return {name: float(mean[node]) for name, node in nodes}


def _clock_faults(watch: Watch) -> list[Fault]:
    return [fault for start in sorted(watch.clocks) for fault in watch.clocks[start].faults]


def _check_drivers(quiet: Record, data: Record) -> None:
    """Refuse data without a meter or level that drove the model while it was calibrated."""
    for quantity in ("flow", "level"):
        missing = set(getattr(quiet, quantity).columns) - set(getattr(data, quantity).columns)
        if missing:
            raise NotEnoughData(
                f"the data have no {quantity} column '{sorted(missing)[0]}', which the history has and the model is "
                f"driven by: add it, or leave it out of the history too"
            )


def _replay(
    detector: Detector, frames: list[Frame], learnt: pd.Timestamp, report: Progress, *, by_hour: bool = False
) -> None:
    for k, frame in enumerate(frames):
        if frame.end <= learnt:
            if frame.is_whole:
                detector.learn(frame)
        else:
            for hour in frame.each_hour() if by_hour else []:
                detector.step(hour)
            if frame.is_whole:
                detector.step(frame)
        report("detect", (k + 1) / len(frames))


def _gather(watch: Watch, detector: Detector, frames: list[Frame], health: Health, statement: Statement) -> Detection:
    residuals = pd.DataFrame(
        np.stack([f.values for f in frames]),
        index=pd.DatetimeIndex([f.start for f in frames], name="time"),
        columns=list(watch.channels.names),
    )
    return Detection(
        leaks=detector.leaks(),
        residuals=residuals,
        noise=np.sqrt(np.diag(watch.noise.white)),
        calibration=watch.calibration,
        topology=watch.topology,
        districts=tuple(
            (d.name, float(q), d.is_closed) for d, q in zip(watch.model.districts, watch.mean_inflow, strict=True)
        ),
        untold=tuple(detector.untold()),
        health=health,
        statement=statement,
    )
