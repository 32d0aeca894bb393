"""Which parts of the detector carry its result: each left out in turn.

    python benchmarks/ablation.py [--data DIR ...] [--days 365] [--history 365] [--variants NAME ...] [--table FILE]

Runs detection on folders in the layout of data/ltown (the given year, worlds of `benchmarks/worlds.py`) as `umanflow
detect` does, and scores both columns by BattLeDIM's rule (`benchmarks/ltown.py`). With --days and --history less than
a year the last days of the history and the first of the evaluation year are taken, repairs and scores with them.
Nothing here is a setting of the detector: each variant replaces a part of it for one run.

as it is; no calibration (pipes and demands stay at the model's values, sensors' offsets are learnt); no ledger (a
found leak is taken off as flow times response as first told, not simulated, and never revised); tangent (responses of
a small leak at every size); night (pressures of 01-05 h UTC alone); diagonal (noise of channels independent); half the
sensors (every other pressure sensor). Writes a markdown table (--table) after each run and prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
from ltown import Truth, read_truth, score

import models.watch
from hydro.calibration import Prior, calibrate
from hydro.errors import HydraulicError
from hydro.record import Record, read_record
from models.detect import detect
from models.errors import DetectionError
from models.frame import Frame
from models.ledger import Entry, Ledger
from models.noise import Noise
from models.revise import Reviser
from models.rules import Repair
from models.watch import Watch
from networks import find

_FIRST_HOUR, _LAST_HOUR = 1, 5
_RIGID = 1e-6
Prepare = Callable[[Record], Record]


@contextmanager
def no_calibration() -> Iterator[None]:
    """Only sensors' offsets are learnt."""

    def offsets_alone(model: object, drive: object, measured: object, prior: Prior, *rest: object) -> object:
        return calibrate(model, drive, measured, replace(prior, resistance=_RIGID, demand=_RIGID), *rest)  # type: ignore[arg-type]

    with patch.object(models.watch, "calibrate", offsets_alone):
        yield


@contextmanager
def no_ledger() -> Iterator[None]:
    """What was found stays as told and is taken off to first order; only crews' repairs end it."""

    def linear(self: Ledger, frames: list[Frame], blocks: np.ndarray, entries: list[Entry]) -> np.ndarray:
        effect = np.zeros((len(frames), len(self.watch.channels.names)))
        for entry in entries:
            effect += np.outer(entry.flow(blocks), entry.unit)
        return effect

    with patch.object(Ledger, "_simulated", linear), patch.object(Reviser, "run", lambda self: None):
        yield


@contextmanager
def tangent() -> Iterator[None]:
    """The response of a small leak at every size."""

    def small(self: Watch, responses: np.ndarray) -> np.ndarray:
        return np.repeat(responses[None], 1 + len(self.sizes), axis=0)

    with patch.object(Watch, "sized", small):
        yield


@contextmanager
def diagonal() -> Iterator[None]:
    """Channels whose noise is independent."""
    learn = Watch.sharpen

    def alone(self: Watch, frames: list[Frame]) -> None:
        learn(self, frames)
        n = self.noise
        self.noise = Noise(np.diag(np.diag(n.white)), np.diag(np.diag(n.slow)), n.memory)

    with patch.object(Watch, "sharpen", alone):
        yield


@contextmanager
def unchanged() -> Iterator[None]:
    """The detector as it is."""
    yield


def whole(record: Record) -> Record:
    """The record as it is."""
    return record


def at_night(record: Record) -> Record:
    """Pressures of the small hours alone; flows and levels drive the model and its balances all day."""
    hours = record.pressure.index.hour
    is_night = pd.Series((hours >= _FIRST_HOUR) & (hours < _LAST_HOUR), index=record.pressure.index)
    return replace(record, pressure=record.pressure.where(is_night, axis=0))


def half_of_sensors(record: Record) -> Record:
    """Every other pressure sensor."""
    return replace(record, pressure=record.pressure.iloc[:, ::2])


VARIANTS: dict[str, tuple[Callable[[], object], Prepare]] = {
    "as it is": (unchanged, whole),
    "no calibration": (no_calibration, whole),
    "no ledger": (no_ledger, whole),
    "tangent": (tangent, whole),
    "night": (unchanged, at_night),
    "diagonal": (diagonal, whole),
    "half the sensors": (unchanged, half_of_sensors),
}


def cut(truth: Truth, end: pd.Timestamp) -> Truth:
    """The truth up to a time; leaks that begin later are not asked for."""
    leaks = truth.leaks[truth.leaks["start"] < end]
    return Truth(leaks, truth.volumes.loc[truth.volumes.index < end, leaks["pipe"].tolist()])


def run(name: str, folder: Path, days: int, history: int, events: Path | None = None) -> dict[str, object]:
    """One variant on one folder; its events are kept in a folder for `benchmarks/rules_beside.py`."""
    context, prepare = VARIANTS[name]
    past, data = read_record(folder / "2018"), read_record(folder / "2019")
    until = data.start + pd.Timedelta(days=days)
    past = past.between(data.start - pd.Timedelta(days=history), data.start)
    table = pd.read_csv(folder / "repairs_2018.csv", parse_dates=["repaired"])
    repairs = [
        Repair(pipe, at)
        for pipe, at in zip(table["pipe"], table["repaired"].dt.tz_localize("UTC"), strict=True)
        if at > past.start
    ]
    began, cpu = time.perf_counter(), time.process_time()
    with context():  # type: ignore[attr-defined]
        found = detect(find("L-TOWN")[1], prepare(data.between(data.start, until)), prepare(past), repairs)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    if events is not None:
        events.mkdir(parents=True, exist_ok=True)
        told = [(x.detected.tz_localize(None), x.pipe, x.dma, x.flow.flow, x.status) for x in found.leaks]
        pd.DataFrame(told, columns=["detected", "pipe", "dma", "flow", "status"]).to_csv(
            events / f"{folder.name}-{name.replace(' ', '-')}.csv", index=False
        )
    truth = cut(read_truth(folder / "truth", 2019), until.tz_localize(None))
    first = truth.volumes.index[0]
    kept = [x for x in found.leaks if x.status != "withdrawn"]
    columns = {
        "detected": pd.DataFrame({"time": [x.detected.tz_localize(None) for x in found.leaks],
                                  "pipe": [x.pipe for x in found.leaks]}),
        "start": pd.DataFrame({"time": [max(x.start.tz_localize(None), first) for x in kept],
                               "pipe": [x.pipe_best for x in kept]}),
    }  # fmt: skip
    scores = {column: score(reports, truth, found.topology) for column, reports in columns.items()}
    return {"data": folder.name, "variant": name, "days": days, "history": history, "leaks": len(truth.leaks),
            "seconds": round(seconds), "cpu_s": round(cpu), **scores}  # fmt: skip


def markdown(rows: list[dict[str, object]]) -> str:
    """The table as it stands in the documentation."""
    lines = ["| data | days of history / data, leaks | variant | detected | true / false / missed | start | "
             "true / false / missed | s of CPU |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for row in rows:
        cells = []
        for column in ("detected", "start"):
            s = row[column]
            assert isinstance(s, dict)
            cells += [f"{100 * s['share']:.1f} %", f"{s['true']} / {s['false']} / {s['missed']}"]
        lines.append(f"| {row['data']} | {row['history']} / {row['days']}, {row['leaks']} | {row['variant']} | "
                     f"{' | '.join(cells)} | {row['cpu_s']} |")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Leave out one part after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", default=[Path("../shared/data/ltown")])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--history", type=int, default=365)
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--quick", action="store_true", help="30 days of history and 30 of data, two variants")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--events", type=Path, help="folder that takes each run's events, CSV")
    options = parser.parse_args()
    if options.quick:
        options.days, options.history, options.variants = 30, 30, ["as it is", "tangent"]
    rows: list[dict[str, object]] = []
    for folder in options.data:
        for name in options.variants:
            try:
                rows.append(run(name, folder, options.days, options.history, options.events))
            except (
                DetectionError,
                HydraulicError,
                np.linalg.LinAlgError,
            ) as error:  # that it cannot run is a result too
                print(f"{folder.name}, {name}: {type(error).__name__}: {error}", flush=True)
                continue
            print(markdown(rows[-1:]).splitlines()[-1], flush=True)
            if options.table:
                options.table.write_text(markdown(rows) + "\n", encoding="utf-8")
    versions = {p: version(p) for p in ("umanflow", "numpy")}
    print(json.dumps({"benchmark": "ablation", "machine": platform.machine(), **versions, "rows": rows}, default=str))


if __name__ == "__main__":
    main()
