"""LILA's rule and minimum night flow beside the detector, on the same data.

    python benchmarks/rules_beside.py [--data DIR ...] [--days 365] [--history 365] [--found FILE ...] [--table FILE]

Folders are in the layout of data/ltown. LILA's rule (`models.pairs`: every pressure predicted from every other of its
district and the inflow, CUSUM of the errors with the published constants) is fitted on the last week before the data
and, three days after each alarm, anew on the week that follows; its place is the pipe nearest to the sensor that
alarmed. The night-flow rule (`models.night_rule`, LeakDB's, 10, 20 and 30 %) looks at each district's net inflow and
names no pipe. The detector's alarms are run here, or taken from --found (as `benchmarks/ablation.py --events` writes
them, one per --data).

A leak that began in the data is noticed by the first alarm in its district within 60 days while it runs, each alarm
for the leak that began last and was not noticed before; an alarm in a district where no leak began in the 60 days
before is false. "Placed" is BattLeDIM's count of true and false (`benchmarks/ltown.py`) with its share of EUR, leaks
from before the data among them. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from ablation import cut
from ltown import Truth, read_truth, score

from hydro.driven import DrivenModel
from hydro.record import Record, read_record
from models.detect import detect
from models.night_rule import night_flow_rule
from models.pairs import PressurePairs
from models.rules import Repair
from networks import Topology, find

_HOUR = pd.Timedelta("1h")
_LEARNING, _SETTLING = 7 * 24, 3 * 24  # hours
_SHARES = (0.10, 0.20, 0.30)
_RECENT = pd.Timedelta("60D")
Alarms = pd.DataFrame  # time, district (number), pipe


def noticed(alarms: Alarms, leaks: pd.DataFrame, begin: pd.Timestamp) -> dict[str, float]:
    """Match alarms to leaks by district and time.

    Parameters
    ----------
    alarms
        Columns time, district.
    leaks
        Columns start, end, district.
    begin
        Of the data: leaks that began before are not asked for.
    """
    found: dict[int, float] = {}
    false = 0
    for alarm in alarms.sort_values("time", kind="stable").itertuples():
        inside = leaks[(leaks["district"] == alarm.district) & (leaks["start"] >= begin)]
        recent = inside[(inside["start"] <= alarm.time) & (inside["start"] > alarm.time - _RECENT)]
        running = recent[recent["end"] >= alarm.time]
        fresh = running[~running.index.isin(found)]
        if len(fresh):
            at = int(fresh["start"].idxmax())
            found[at] = (alarm.time - leaks.loc[at, "start"]) / pd.Timedelta("1D")
        elif not len(recent):
            false += 1
    of = int((leaks["start"] >= begin).sum())
    delay = round(float(np.median(list(found.values()))), 2) if found else float("nan")
    return {"noticed": len(found), "of": of, "false": false, "delay_d": delay}


class Districts:
    """Net inflow and pressure sensors of each district, hour by hour."""

    def __init__(self, record: Record) -> None:
        self.model = DrivenModel(find("L-TOWN")[1], record)
        fine = record.resampled(_HOUR)
        drive = self.model.drive(fine, _HOUR)
        self.times, self.inflow = drive.times.tz_localize(None), drive.inflow
        self.pressure = fine.pressure.reindex(drive.times).to_numpy(dtype=float)
        junctions = self.model.engine.junctions
        self.members = [junctions[d.junctions] for d in self.model.districts]
        self.sensors = [np.flatnonzero(np.isin(self.model.sensor_nodes, nodes)) for nodes in self.members]

    def of_pipe(self, pipe: str) -> int:
        """Number of the district of a pipe, by its ends; -1 for none."""
        topology = self.model.topology
        link = topology.link(pipe)
        for number, nodes in enumerate(self.members):
            if topology.start[link] in nodes or topology.end[link] in nodes:
                return number
        return -1

    def pipe_at(self, sensor: int) -> str:
        """A pipe that ends where a sensor stands."""
        topology, node = self.model.topology, self.model.sensor_nodes[sensor]
        return topology.links[
            int(np.flatnonzero(((topology.start == node) | (topology.end == node)) & topology.is_pipe)[0])
        ]


def by_pairs(districts: Districts, begin: pd.Timestamp) -> Alarms:
    """Alarms by LILA's rule."""
    rows = []
    first = int(np.searchsorted(districts.times, begin))
    for number, sensors in enumerate(districts.sensors):
        inflow = districts.inflow[:, number]
        if len(sensors) < 2 or not np.isfinite(inflow).any():
            continue
        pressure = districts.pressure[:, sensors]
        at = first
        while at < len(inflow):
            pairs = PressurePairs.fit(pressure[max(0, at - _LEARNING) : at], inflow[max(0, at - _LEARNING) : at])
            above = pairs.alarms(pressure[at:], inflow[at:])
            hits = np.flatnonzero(above.any(axis=1))
            if not len(hits):
                break
            hit = int(hits[0])
            errors = (
                pairs.errors(pressure[at + hit][None], inflow[at + hit : at + hit + 1])[0] - pairs.mean
            ) / pairs.deviation
            sensor = int(sensors[int(np.argmax(np.where(above[hit], errors, -np.inf)))])
            rows.append((districts.times[at + hit] + _HOUR, number, districts.pipe_at(sensor)))
            at += hit + 1 + _SETTLING + _LEARNING
    return pd.DataFrame(rows, columns=["time", "district", "pipe"])


def by_night(districts: Districts, begin: pd.Timestamp, share: float) -> Alarms:
    """Alarms by the night-flow rule, which learns anew after each."""
    rows = []
    days = len(districts.times) // 24
    for number in range(len(districts.members)):
        inflow = districts.inflow[: days * 24, number].reshape(days, 24)
        if not np.isfinite(inflow).any() or np.nanmean(inflow) <= 0.0:
            continue
        day = 0
        while day < days and (called := night_flow_rule(inflow[day:], share)).any():
            day += int(np.argmax(called)) + 1  # a leak that stays is usual from then on
            rows.append((districts.times[(day - 1) * 24] + 24 * _HOUR, number, ""))
    table = pd.DataFrame(rows, columns=["time", "district", "pipe"])
    return table[table["time"] > begin]


def by_detector(folder: Path, history: Record, data: Record) -> pd.DataFrame:
    """The detector's alarms: detected, pipe."""
    table = pd.read_csv(folder / "repairs_2018.csv", parse_dates=["repaired"])
    repairs = [
        Repair(pipe, at)
        for pipe, at in zip(table["pipe"], table["repaired"].dt.tz_localize("UTC"), strict=True)
        if at > history.start
    ]
    found = detect(find("L-TOWN")[1], data, history, repairs)
    return pd.DataFrame(
        {"detected": [x.detected.tz_localize(None) for x in found.leaks], "pipe": [x.pipe for x in found.leaks]}
    )


def compare(folder: Path, days: int, history: int, found: Path | None, is_run: bool) -> list[dict[str, object]]:
    """Every method on one folder; the detector from a file, or run, or left out."""
    past, data = read_record(folder / "2018"), read_record(folder / "2019")
    until = data.start + pd.Timedelta(days=days)
    past, data = past.between(data.start - pd.Timedelta(days=history), data.start), data.between(data.start, until)
    begin = data.start.tz_localize(None)
    last = past.between(past.end - pd.Timedelta(days=21), past.end + _HOUR)
    districts = Districts(
        Record(*(pd.concat([getattr(last, q), getattr(data, q)]) for q in ("pressure", "flow", "level", "demand")))
    )
    truth = cut(read_truth(folder / "truth", 2019), until.tz_localize(None))
    leaks = truth.leaks.assign(district=[districts.of_pipe(p) for p in truth.leaks["pipe"]]).reset_index(drop=True)
    rows = []
    if found or is_run:
        own = pd.read_csv(found, parse_dates=["detected"]) if found else by_detector(folder, past, data)
        told = [districts.of_pipe(p) for p in own["pipe"]]
        ours = pd.DataFrame({"time": own["detected"], "pipe": own["pipe"], "district": told})
        rows.append(_row(folder, "detector", ours, leaks, truth, begin, districts.model.topology))
    rows.append(_row(folder, "LILA's rule", by_pairs(districts, begin), leaks, truth, begin, districts.model.topology))
    rows += [
        _row(folder, f"MNF {share:.0%}", by_night(districts, begin, share), leaks, truth, begin, None)
        for share in _SHARES
    ]
    districts.model.close()
    return [{**row, "days": days} for row in rows]


def _row(
    folder: Path,
    method: str,
    alarms: Alarms,
    leaks: pd.DataFrame,
    truth: Truth,
    begin: pd.Timestamp,
    topology: Topology | None,
) -> dict[str, object]:
    row = {"data": folder.name, "method": method, "alarms": len(alarms), **noticed(alarms, leaks, begin)}
    if topology is not None:
        placed = score(alarms, truth, topology)
        row |= {"placed": placed["true"], "placed_false": placed["false"], "share": placed["share"]}
    return row


def markdown(rows: list[dict[str, object]]) -> str:
    """The table as it stands in the documentation."""
    lines = ["| data, days | method | alarms | noticed in its district | false | median delay, d | "
             "placed within 300 m | false | BattLeDIM's share |", "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for r in rows:
        placed = (
            f"{r['placed']} | {r['placed_false']} | {100 * float(str(r['share'])):.1f} %"
            if "placed" in r
            else "- | - | -"
        )
        lines.append(f"| {r['data']}, {r['days']} | {r['method']} | {r['alarms']} | {r['noticed']} of {r['of']} | "
                     f"{r['false']} | {r['delay_d']} | {placed} |")  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Compare on each folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", default=[Path("../shared/data/ltown")])
    parser.add_argument("--found", type=Path, nargs="+", default=[])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--history", type=int, default=365)
    parser.add_argument("--rules-alone", action="store_true", help="without the detector, where --found has none")
    parser.add_argument("--quick", action="store_true", help="30 days of history and 30 of data")
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.days, options.history = 30, 30
    rows: list[dict[str, object]] = []
    for k, folder in enumerate(options.data):
        rows += compare(
            folder,
            options.days,
            options.history,
            options.found[k] if k < len(options.found) else None,
            not options.rules_alone,
        )
    print(markdown(rows))
    if options.table:
        options.table.write_text(markdown(rows) + "\n", encoding="utf-8")
    versions = {p: version(p) for p in ("umanflow", "numpy")}
    print(json.dumps({"benchmark": "rules_beside", "machine": platform.machine(), **versions, "rows": rows}))


if __name__ == "__main__":
    main()
