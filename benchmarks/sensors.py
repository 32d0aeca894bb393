"""Compare loggers placed by `models.sensing` with as many placed evenly, by leaks simulated in Uman as it truly is.

    python benchmarks/sensors.py [--loggers 30] [--leaks 120] [--flow 3]

Loggers are placed by the model alone. Leaks (m3/h, drawn by length of pipe) then run for a day in EPANET in the hidden
city, whose roughness and demands differ from the model's. A logger's residual is the day's mean with the leak less that
with the same water taken by all customers of the district, plus noise; the pipe whose response in the model fits best
is the answer. Prints the distance along pipes to the true pipe, median and mean, beside what the model promised.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from hydro.course import Course
from hydro.engine import Engine
from hydro.leaks import orifice
from hydro.scenario import DISCHARGE, Leak, Scenario, Surge
from models.prospect import expect, place_evenly
from models.sensing import Assumptions, Zone, place_sensors, zones_of
from networks import Network, load
from networks.uman.build import write_true_inp

_DAY = 86_400


def _mean_pressure(engine: Engine, network: Network, scenario: Scenario, nodes: list[str]) -> tuple[np.ndarray, float]:
    """Mean over a day, m, and the mean flow of the leak, m3/s."""
    course, flows = Course(engine, scenario, network, accuracy=1e-5), []
    total, seconds = np.zeros(len(nodes)), 0
    try:
        at = [engine.topology.node(name) for name in nodes]
        course.begin()
        while True:
            engine.solve()
            pressure = engine.read("node", "pressure")[at]
            leaking = float(course.leak_flows().sum()) if course.holes else 0.0
            step = engine.advance()
            if step <= 0:
                return total / seconds, sum(flows) / seconds
            total += step * pressure
            flows.append(step * leaking)
            seconds += step
            course.prepare()
    finally:
        course.end()


def _locate(zone: Zone, places: list[int], residual: np.ndarray, assumed: Assumptions) -> int:
    moved = zone.response[:, places] * assumed.leak
    variance = assumed.noise**2 + (assumed.model_error * moved) ** 2
    misfit = np.sum((residual - moved) ** 2 / variance + np.log(variance), axis=1) - 2.0 * np.log(zone.length)
    return int(np.argmin(misfit))


def main() -> None:
    """Place, simulate, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loggers", type=int, default=30)
    parser.add_argument("--leaks", type=int, default=120)
    parser.add_argument("--flow", type=float, default=3.0)
    arguments = parser.parse_args()
    began, random = time.perf_counter(), np.random.default_rng(7)
    model = load("uman")
    assert model.nodes is not None
    members = {name: rows["node"].tolist() for name, rows in model.nodes.groupby("dma") if name}
    assumed = Assumptions(leak=arguments.flow / 3600.0)
    with Engine(model) as engine:
        zones = zones_of(engine, members)
        chosen = place_sensors(engine, zones, arguments.loggers, assumed)
        sets = {"placed": chosen.sensors, "evenly": place_evenly(engine, zones, arguments.loggers)}
        promised = {name: expect(engine, zones, sensors, assumed) for name, sensors in sets.items()}
        names, nodes = engine.topology.links, engine.topology.nodes
    every = sorted(set(sets["placed"]) | set(sets["evenly"]))
    zone_at = np.repeat(np.arange(len(zones)), [len(z.pipes) for z in zones])
    length = np.concatenate([z.length for z in zones])
    drawn = random.choice(len(length), arguments.leaks, replace=False, p=length / length.sum())
    distances: dict[str, list[float]] = {name: [] for name in sets}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "true.inp"
        write_true_inp(path)
        true = load(path)
        with Engine(true) as engine:
            engine.duration = _DAY
            spread: dict[int, np.ndarray] = {}
            for k in sorted(drawn.tolist()):
                z = int(zone_at[k])
                zone, at = zones[z], int(k - np.searchsorted(zone_at, z))
                if z not in spread:
                    taken = sum(engine.demand_at(h * 3600) for h in range(24)) / 24.0
                    rows = np.searchsorted(engine.junctions, [engine.topology.node(n) for n in members[zone.name]])
                    surge = Surge(junctions=tuple(members[zone.name]), factor=1.0 + assumed.leak / taken[rows].sum())
                    spread[z], _ = _mean_pressure(engine, true, Scenario(events=(surge,)), every)
                hole = assumed.leak / (orifice(1.0, DISCHARGE) * np.sqrt(40.0))
                leak = Leak(pipe=names[int(zone.pipes[at])], area=hole)
                pressure, flow = _mean_pressure(engine, true, Scenario(events=(leak,)), every)
                noise = random.standard_normal(len(every)) * assumed.noise
                residual = dict(zip(every, (pressure - spread[z]) * assumed.leak / flow + noise, strict=True))
                for name, sensors in sets.items():
                    places = [p for p, node in enumerate(zone.nodes.tolist()) if nodes[node] in sensors]
                    read = np.array([residual[nodes[int(zone.nodes[p])]] for p in places])
                    distances[name].append(float(zone.distance[at, _locate(zone, places, read, assumed)]))
    result = {
        name: {
            "median_m": round(float(np.median(found)), 1), "mean_m": round(float(np.mean(found)), 1),
            "within_300_m": round(float(np.mean(np.array(found) <= 300.0)), 3),
            "promised_median_m": round(promised[name].distance, 1),
            "promised_detected": round(promised[name].detected, 3),
        }
        for name, found in distances.items()
    }  # fmt: skip
    for name, row in result.items():
        print(f"{name:>8}: {row}")
    print(json.dumps({
        "benchmark": "sensors", "machine": platform.machine(), "python": sys.version.split()[0],
        "loggers": arguments.loggers, "leaks": arguments.leaks, "flow_m3h": arguments.flow,
        "at_least_of_best": round(chosen.at_least, 3), "seconds": round(time.perf_counter() - began, 1), **result,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
