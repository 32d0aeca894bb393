"""How soon bursts are told by the hour, and how often there was none.

    python benchmarks/bursts.py [--data ../shared/data/ltown] [--every 14] [--each 3] [--until 2019-07-01] [--seed 1]

The detector runs as `umanflow detect` runs it (2018 as history with its repairs, 2019 by hours and days) on hourly
means. Every 14th day three bursts each of 2, 5, 10 and 20 % of their zone's inflow are added to what that day's hours
showed, one at a time, each from some whole hour before noon on, at pipes drawn by length; a burst's effect is simulated
at the day's own moments with the model, so that it bears none of the model's error. What is told by midnight is
counted; at midnight the day's frame would follow. Beside that: alarms by the hour in the data as they are, the delay of
those about a leak that ran (within 500 m), and how many are about none. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from hydro.record import Record, read_record
from models.detect import RELEARN_BLOCKS, typical_pressures
from models.detector import Detector
from models.dirtystart import entries_of, learn_start
from models.frame import Frame
from models.health_raw import Cleaner
from models.hours_raw import known_by_hour
from models.known import repaired_leaks
from models.rules import Repair, Rules
from models.watch import Settings, Watch
from models.zones import Zones
from networks import find
from umanflow.detection import read_repairs

HOUR, SIZES, LATEST = pd.Timedelta(hours=1), (0.02, 0.05, 0.10, 0.20), 12
_NEAR_M = 500.0


@dataclass(frozen=True)
class Trial:
    """One burst: its zone, its share of the zone's inflow, hours to the alarm, metres to the alarm's pipe."""

    zone: str
    share: float
    delay: float
    distance: float


def prepared(watch: Watch, network: Path, history: Record, repairs: Sequence[Repair]) -> Detector:
    """A detector that has watched a history, as `models.detect` leads it."""
    rules, learning = Rules(), watch.settings.learning
    zones, learnt = Zones(watch, network), history.start + learning
    start = learn_start(zones, history.between(history.start, learnt), rules)
    old = entries_of(watch, start, learnt, round(learning / watch.settings.block) - 1, rules)
    frames = list(watch.frames(history))
    watch.sharpen(frames)
    past = tuple(r for r in repairs if r.time <= history.end)
    known, left = repaired_leaks(watch, frames, past, rules, old)
    detector = Detector(watch, rules, (*left, *(r for r in repairs if r.time > history.end)))
    detector.old_ends.most = start.most
    detector.know([*old, *known], past)
    detector.is_history = len(frames) >= RELEARN_BLOCKS
    for frame in frames:
        (detector.learn if frame.end <= learnt else detector.step)(frame)
    if detector.is_history:
        frames = detector.relearn(history)
    detector.is_history = False
    detector.begin(history.end + HOUR)
    detector.hours.prepare(frames)
    return detector


def tried(detector: Detector, frame: Frame, random: np.random.Generator, each: int) -> list[Trial]:
    """Bursts in one day, one at a time."""
    watch = detector.watch
    length = watch.topology.length[watch.pipes]
    found = []
    for share in SIZES * each:
        at = int(random.choice(len(watch.pipes), p=length / length.sum()))
        onset, link = int(random.integers(0, LATEST)), int(watch.pipes[at])
        flow = share * float(watch.inflow_of_pipes[at])
        effect = watch.effect([frame], {link: np.full(1, flow)})[0]
        hours = detector.hours.fork()
        delay, distance = np.inf, np.nan
        for k, hour in enumerate(frame.each_hour()):
            raised = hours.step(replace(hour, values=hour.values + effect) if k >= onset else hour)
            if raised and k >= onset:
                delay = float(k + 1 - onset)
                distance = float(watch.topology.distance_from_link(link)[raised[0].place.link])
                break
        district = watch.district_of(link)
        zone = "" if district is None else watch.model.districts[district].name
        found.append(Trial(zone, share, delay, distance))
    return found


def judged(told: list[tuple[pd.Timestamp, str]], watch: Watch, truth: Path) -> dict[str, object]:
    """Alarms by the hour against the leaks that ran."""
    leaks = pd.read_csv(truth / "leaks_2019.csv", parse_dates=["start", "end"])
    delays, false = {}, 0
    for when, pipe in told:
        distance = watch.topology.distance_from_link(watch.topology.link(pipe))
        time_ = when.tz_localize(None)
        near = [
            leak
            for leak in leaks.itertuples()
            if leak.start <= time_ <= leak.end and distance[watch.topology.link(leak.pipe)] <= _NEAR_M
        ]
        false += not near
        for leak in near:
            delays.setdefault(leak.pipe, round((time_ - leak.start) / HOUR, 1))
    return {"alarms": len(told), "false": false, "hours_after_start": delays}


def tabled(trials: list[Trial]) -> dict[str, dict[str, object]]:
    """Delays and distances by zone and size."""
    table: dict[str, dict[str, object]] = {}
    for zone in sorted({t.zone for t in trials}):
        for share in SIZES:
            mine = [t for t in trials if t.zone == zone and t.share == share]
            found = [t for t in mine if np.isfinite(t.delay)]
            table[f"{zone} {100 * share:.0f} %"] = {
                "bursts": len(mine),
                "within_2_h": round(float(np.mean([t.delay <= 2.0 for t in mine])), 3) if mine else None,
                "by_midnight": round(len(found) / len(mine), 3) if mine else None,
                "median_h": float(np.median([t.delay for t in found])) if found else None,
                "median_m": round(float(np.median([t.distance for t in found]))) if found else None,
            }
    return table


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ltown"))
    parser.add_argument("--every", type=int, default=14, help="days from one trial to the next; 0 for none")
    parser.add_argument("--each", type=int, default=3, help="bursts of each size in a trial")
    parser.add_argument("--until", type=pd.Timestamp, default=pd.Timestamp("2020-01-01"))
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random, began = np.random.default_rng(options.seed), time.monotonic()
    with threadpool_limits(1):
        network = find("L-TOWN")[1]
        raw_past, raw = read_record(options.data / "2018"), read_record(options.data / "2019")
        raw = raw.between(raw.start, options.until.tz_localize("UTC"))
        settings = Settings()
        head = raw_past.between(raw_past.start, raw_past.start + settings.learning)
        cleaner = Cleaner(head, settings.block, typical_pressures(network, tuple(raw_past.pressure.columns)))
        past, record = cleaner.clean(raw_past), cleaner.clean(raw)
        hours = known_by_hour(raw, record, settings.block, cleaner.doubtful, (raw_past, past))
        watch = Watch(network, past, settings)
        detector = prepared(watch, network, past, read_repairs(options.data / "repairs_2018.csv"))
        told: list[tuple[pd.Timestamp, str]] = []
        trials: list[Trial] = []
        by_hour, days = 0.0, 0
        for days, frame in enumerate(watch.frames(record, hours=hours), start=1):
            if options.every and days % options.every == 0:
                trials += tried(detector, frame, random, options.each)
            started = time.monotonic()
            for hour in frame.each_hour():
                told += [(e.alarm.time, watch.topology.links[e.place.link]) for e in detector.step(hour)]
            by_hour += time.monotonic() - started
            detector.step(frame)
        result = judged(told, watch, options.data / "truth")
        watch.close()
    table = tabled(trials)
    for name, row in table.items():
        print(f"{name}: {row}")
    print(
        f"in the data: {result}, {days} days; threshold {detector.hours.threshold:.1f}, "
        f"{detector.hours.restless:.1f} after an onset or an end"
    )
    machine = {"python": platform.python_version(), "machine": platform.machine(), "umanflow": version("umanflow")}
    seconds = {"seconds": round(time.monotonic() - began), "seconds_by_hour": round(by_hour, 1)}
    print(json.dumps({"benchmark": "bursts", **machine, **seconds, "days": days, "injected": table, "data": result}))


if __name__ == "__main__":
    main()
