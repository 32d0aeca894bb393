"""What evaluating alarms costs: 50,000 tags, a sample of each a second. Prints one JSON line.

Each tag has two limits with delays, a bad-quality alarm and one for missing values: 200,000 alarms; 500 devices behind
50 gateways. Samples are those a reader delivers, in blocks of 100 of one device; they are made before. Ticks are four a
second, as live. Measured is processor time (of this process) against the seconds that the samples stand for, medians of
`--repeats` in turn:

quiet     all values within their limits
columns   the same as the reader hands it over, replies as columns: making a sample of each value is counted
usual     every second one tag in 50,000 goes beyond a limit for five seconds
busy      25 tags a second do, which no operator could follow, but the program has to
outage    every device falls silent and comes back, all at once: 50,000 consequences of 50 causes
loop      for comparison, the quiet samples looked at in the plain way: each alarm of each sample compared in turn,
          without delays, causes or a journal
journal   time until the entries of an outage are on the disk, per 1,000 entries

    python benchmarks/alarms.py [--tags 50000] [--seconds 20] [--repeats 3]
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from scada.alarms import Alarm, AlarmEngine, Wiring
from scada.alarms.journal import Journal
from scada.historian import open_historian
from scada.readings import Readings
from scada.sample import Quality, Sample

START_MS = 1_790_000_000_000
SEED = 20260105
PER_DEVICE, PER_GATEWAY = 100, 10
LOW, HIGH = 10.0, 90.0

Second = list[Sequence[Sample]]  # blocks


def city(count: int) -> tuple[list[Alarm], Wiring]:
    """Alarms and wiring of so many tags."""
    names = [f"tag-{k:05d}" for k in range(count)]
    devices = {name: f"d{k // PER_DEVICE}" for k, name in enumerate(names)}
    gateways = {device: f"g{int(device[1:]) // PER_GATEWAY}" for device in set(devices.values())}
    alarms = []
    for name in names:
        alarms += [
            Alarm(name, "H", limit=HIGH, deadband=1.0, on_delay_s=2.0),
            Alarm(name, "L", limit=LOW, deadband=1.0, on_delay_s=2.0),
            Alarm(name, "bad"),
            Alarm(name, "stale", window_s=30.0),
        ]
    return alarms, Wiring(devices, gateways, away_delay_s=5.0)


def stream(wiring: Wiring, seconds: int, crossing: float, is_outage: bool = False) -> list[Second]:
    """Samples by second and block; `crossing` of all tags begin to be beyond a limit each second."""
    rng = np.random.default_rng(SEED)
    names = list(wiring.device_of)
    until = np.zeros(len(names))
    found = []
    for second in range(seconds):
        at = START_MS + 1000 * second
        values = rng.uniform(LOW + 5.0, HIGH - 5.0, len(names))
        until[rng.random(len(names)) < crossing] = second + 5
        values[until > second] = HIGH + 5.0
        is_lost = is_outage and seconds // 4 <= second < seconds // 2
        quality, reason = (Quality.BAD, "timeout") if is_lost else (Quality.GOOD, "")
        blocks = []
        for start in range(0, len(names), PER_DEVICE):
            arrival = at + 20 + start * 900 // len(names)
            block = zip(names[start : start + PER_DEVICE], values[start : start + PER_DEVICE].tolist(), strict=True)
            blocks.append(
                [Sample(name, at, arrival, math.nan if is_lost else value, quality, reason) for name, value in block]
            )
        found.append(blocks)
    return found


def as_columns(samples: list[Second]) -> list[Second]:
    """The same samples as the reader hands them over."""
    return [
        [
            Readings(
                tuple(sample.tag for sample in block),
                block[0].time_ms,
                block[0].arrival_ms,
                np.array([sample.value for sample in block]),
            )
            for block in blocks
        ]
        for blocks in samples
    ]


def evaluate(alarms: list[Alarm], wiring: Wiring, samples: list[Second]) -> tuple[float, int, float]:
    """Return processor seconds, entries and the longest tick, s."""
    engine = AlarmEngine(alarms, START_MS, wiring)
    engine.take([block[0] for block in samples[0]])
    gc.collect()
    gc.freeze()
    entries, longest = 0, 0.0
    began = time.process_time()
    for second, blocks in enumerate(samples):
        for quarter in range(4):
            for block in blocks[quarter * len(blocks) // 4 : (quarter + 1) * len(blocks) // 4]:
                entries += len(engine.take(block))
            tick = time.process_time()
            entries += len(engine.advance(START_MS + 1000 * second + 250 * (quarter + 1)))
            longest = max(longest, time.process_time() - tick)
    return time.process_time() - began, entries, longest


def compare_plainly(alarms: list[Alarm], samples: list[Second]) -> float:
    """Processor seconds of comparing each alarm of each sample in turn."""
    by_tag: dict[str, list[Alarm]] = {}
    for alarm in alarms:
        by_tag.setdefault(alarm.tag, []).append(alarm)
    active: set[str] = set()
    seen: dict[str, int] = {}
    began = time.process_time()
    for blocks in samples:
        for block in blocks:
            for sample in block:
                seen[sample.tag] = sample.arrival_ms
                for alarm in by_tag[sample.tag]:
                    is_bad = sample.quality is not Quality.GOOD
                    if alarm.kind == "H":
                        holds = not is_bad and sample.value > alarm.limit
                    elif alarm.kind == "L":
                        holds = not is_bad and sample.value < alarm.limit
                    else:
                        holds = alarm.kind == "bad" and is_bad
                    if holds:
                        active.add(alarm.id)
                    else:
                        active.discard(alarm.id)
    return time.process_time() - began


def keep(alarms: list[Alarm], wiring: Wiring, samples: list[Second]) -> float:
    """Milliseconds until a thousand entries are on the disk."""
    engine = AlarmEngine(alarms, START_MS, wiring, run="r")
    entries = []
    for blocks in samples:
        for block in blocks:
            entries += engine.take(block)
    entries += engine.finish(START_MS + 1000 * len(samples))
    with tempfile.TemporaryDirectory() as folder, closing(open_historian(f"sqlite:///{folder}/h.db")) as store:
        journal = Journal(store.alarms, Path(folder, "waiting"), 0)
        began = time.perf_counter()
        for start in range(0, len(entries), 1000):
            journal.put(entries[start : start + 1000])
        spent = time.perf_counter() - began
        journal.close()
        if len(store.alarms.select()) != len(entries):
            raise SystemExit("entries were lost")
    return 1e6 * spent / len(entries)


def figures_of(work: Callable[[], tuple[float, int, float]], seconds: int) -> dict[str, float]:
    """Share of a core, entries a second and longest tick of one run."""
    spent, entries, longest = work()
    return {"core_share": spent / seconds, "entries_per_s": entries / seconds, "longest_tick_ms": 1000.0 * longest}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tags", type=int, default=50_000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    alarms, wiring = city(options.tags)
    ways = {
        "quiet": (quiet := stream(wiring, options.seconds, 0.0)),
        "columns": as_columns(quiet),
        "usual": stream(wiring, options.seconds, 1 / 50_000),
        "busy": stream(wiring, options.seconds, 1 / 2000),
        "outage": stream(wiring, options.seconds, 0.0, is_outage=True),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in (*ways, "loop")}
    for _ in range(options.repeats):
        for name, samples in ways.items():
            runs[name].append(figures_of(lambda samples=samples: evaluate(alarms, wiring, samples), options.seconds))
        spent = compare_plainly(alarms, ways["quiet"])
        runs["loop"].append({"core_share": spent / options.seconds})
    answer: dict[str, object] = {
        "benchmark": "alarms",
        "tags": options.tags,
        "alarms": len(alarms),
        "samples_per_s": options.tags,
    }
    small = dict(list(wiring.device_of.items())[: min(options.tags, 5000)])
    few = Wiring(small, wiring.gateway_of, wiring.away_delay_s)
    kept = [alarm for alarm in alarms if alarm.tag in small]
    answer["journal_ms_per_1000"] = round(keep(kept, few, stream(few, options.seconds, 0.0, is_outage=True)), 2)
    for name, found in runs.items():
        for key in found[0]:
            answer[f"{name}_{key}"] = round(statistics.median(run[key] for run in found), 4)
    for name in runs:
        print(f"{name:8}" + "".join(f"  {key} {answer[f'{name}_{key}']}" for key in runs[name][0]))
    print(f"journal   ms per 1,000 entries {answer['journal_ms_per_1000']}")
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
