"""State estimation on L-Town: every pressure sensor left out in turn and predicted from the others.

The model is calibrated on 2018 with all sensors and the known repairs. Then 2019 is estimated once for each sensor
without it, and the 30-minute means that it read are compared with what the estimate says there. `truth/` is not read.
Compared in the same run with the model as it is shipped, driven by the same inflows, without offsets; and with the
calibrated model without state estimation.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from hydro.calibrated import Calibrated, calibrate
from hydro.driven import DrivenModel
from hydro.estimation import Estimation
from hydro.phase import find_phase
from hydro.record import Record, read_record
from hydro.repair import Repair

STEP = pd.Timedelta("30min")


def read_repairs(path: Path) -> list[Repair]:
    """Pipes and times of the history's repairs."""
    table = pd.read_csv(path, parse_dates=["repaired"])
    return [Repair(str(p), t.tz_localize("UTC")) for p, t in zip(table["pipe"], table["repaired"], strict=True)]


def driven(record: Record, calibration: Calibrated | None, every: int) -> pd.DataFrame:
    """Pressures of the driven model without any estimation, at each n-th interval."""
    model = DrivenModel("L-TOWN", record)
    if calibration is not None:
        model.scale(calibration.resistance, calibration.demand)
    drive = model.drive(record, STEP, find_phase(model, record, STEP))
    wanted = np.zeros(len(drive.times), dtype=bool)
    wanted[::every] = True
    pressure, _ = model.expect(drive, wanted)
    model.close()
    offset = calibration.offset if calibration is not None else 0.0
    return pd.DataFrame(pressure + offset, drive.times, model.pressure_sensors)[wanted]


def hold_out(record: Record, calibration: Calibrated, sensor: str, every: int) -> tuple[pd.Series, pd.Series]:
    """What the estimate says at a sensor that it did not see, and its standard deviation."""
    without = replace(record, pressure=record.pressure.drop(columns=[sensor]))
    estimation = Estimation("L-TOWN", without, calibration, outputs=((sensor,), ()))
    found = estimation.run(without, every=every)
    elevation = estimation.model.engine.value("node", estimation.model.topology.node(sensor), "elevation")
    estimation.close()
    offset = calibration.offset[calibration.sensors.index(sensor)]
    # a reading differs from the truth by its own noise too
    deviation = np.hypot(found.head_deviation[:, 0], estimation.rates.pressure)
    pressure = found.head[:, 0] - elevation + offset
    return pd.Series(pressure, found.times), pd.Series(deviation, found.times)


def rms(values: pd.Series) -> float:
    """Root mean square of what is there."""
    return float(np.sqrt((values**2).mean()))


def main() -> None:
    """Calibrate, estimate, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ltown"))
    # eleven half hours go through all hours of the day
    parser.add_argument("--every", type=int, default=11, help="estimate each n-th interval of 30 minutes")
    parser.add_argument("--days", type=float, default=366.0, help="of 2019")
    parser.add_argument("--sensors", nargs="*", help="to leave out in turn; all by default")
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data}: no such folder; give L-Town's data with --data")
    history, record = (read_record(options.data / year).resampled(STEP) for year in ("2018", "2019"))
    record = record.between(record.start, record.start + pd.Timedelta(days=options.days))
    began = time.monotonic()
    calibration = calibrate("L-TOWN", history, read_repairs(options.data / "repairs_2018.csv"), STEP)
    calibrating = time.monotonic() - began
    shipped, plain = driven(record, None, options.every), driven(record, calibration, options.every)
    rows, steps, began = [], 0, time.monotonic()
    for sensor in options.sensors or list(record.pressure.columns):
        said, deviation = hold_out(record, calibration, sensor, options.every)
        read = record.pressure[sensor].reindex(said.index)
        error = read - said
        there = error.notna()
        steps += int(there.sum())
        row = {
            "sensor": sensor,
            "shipped_m": rms(read - shipped[sensor]),
            "calibrated_m": rms(read - plain[sensor]),
            "estimated_m": rms(error),
            "median_m": float(error.abs().median()),
            "covered": float((error[there].abs() <= 1.96 * deviation[there]).mean()),
        }
        rows.append(row)
        print("  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{v:>5}" for k, v in row.items()), flush=True)
    seconds = time.monotonic() - began
    table = pd.DataFrame(rows).set_index("sensor")
    whole = {k: float(np.sqrt((table[k] ** 2).mean())) for k in ("shipped_m", "calibrated_m", "estimated_m")}
    result = {
        "benchmark": "estimation", "python": platform.python_version(), "machine": platform.machine(),
        "umanflow": version("umanflow"), "numpy": np.__version__, "sensors": len(table), "states": steps,
        "calibrate_s": round(calibrating, 1), "ms_per_state": round(1000.0 * seconds / max(steps, 1), 2),
        "rms_m": {k: round(v, 4) for k, v in whole.items()},
        "estimated_median_m": round(float(table["estimated_m"].median()), 4),
        "estimated_max_m": round(float(table["estimated_m"].max()), 4),
        "worst": str(table["estimated_m"].idxmax()),
        "within_0_05_m": int((table["estimated_m"] <= 0.05).sum()),
        "within_a_third": int((table["estimated_m"] <= table["shipped_m"] / 3.0).sum()),
        "covered_95": round(float(table["covered"].mean()), 4),
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
