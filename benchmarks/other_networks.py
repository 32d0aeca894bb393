"""Leaks of our own on other networks: distance, metres to search, delay and misses over leak size and logger density.

    python benchmarks/other_networks.py [--networks ky8 ky13 Net6 uman] [--leaks 24] [--quick] ...

Each network is a hidden city that differs from its model (`benchmarks/hidden_city.py`: roughness, diameters, demands,
offsets, noise as in `benchmarks/worlds.py`). Flow is metered at Net6's reservoir, pumps and valves and where Uman's
instruments stand. ky8 and ky13 are models of one moment without control of their pumps, whose tanks would run dry:
here they are held at levels that swing with the day, and the pipes of reservoirs and tanks are metered. Levels are
read at tanks, pressures at one junction in 25, 65 or 100, spread evenly by length of pipe: every 15 minutes, pressures
to 0.1 m. The detector is calibrated once for each network and density on quiet days and watches them; then one leak at
a time is opened at a random minute of the first day that follows, abrupt, of 2, 5 or 10 % of its zone's mean inflow,
in pipes drawn by length in zones of 25 junctions or more, and watched until an alarm is raised in its zone or ten days
are over. Demand from then on and noise are drawn anew for each leak. False alarms are counted on the quiet days, on
ten-day stretches without a leak, and in other zones while a leak is looked for.

Delay is from opening to the end of the data that raised the alarm; distance along pipes, middle to middle, from the
pipe that was told; metres to search as told; a missed leak has no distance. Medians over leaks that were found, with a
95 % interval (bootstrap over leaks). `--quick` does a few leaks on ky8. Writes one row per leak (--table, CSV), curves
(--plot), and prints tables and one JSON line.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import sys
import time
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from hidden_city import PER_DAY, START, STEP_S, Held, HiddenCity, Instruments, Truth, only
from leak_curves import draw, draw_flows, markdown, summarise
from stated_places import Scans, recorded, tempered
from threadpoolctl import threadpool_limits

from hydro.districts import District, find_districts
from hydro.engine import Engine
from hydro.record import Record
from models.detector import Detector
from models.ledger import Entry
from models.prospect import place_evenly
from models.sensing import Zone
from models.watch import Watch
from networks import Network, load

DENSITIES = (25, 65, 100)
SIZES = (0.02, 0.05, 0.10)
_LOOK, _CHUNK = 10, 5
# ky13's pumps have constant power and reach kilometres of head where hardly anything flows
_HELD: dict[str, Held] = {"ky8": "even heads", "ky13": "part full"}
_LEAST_ZONE = 25  # junctions
_LEAST_M, _MOST_M = 15.0, 200.0  # where leaks are opened and loggers stand
_RESERVOIR, _TANK, _PIPE = 1, 2, 1


@dataclass(frozen=True)
class Site:
    """A network, its instruments by density, and the leaks to be opened: pipe, mean inflow of its zone m3/s, zone."""

    network: Network
    instruments: Instruments
    loggers: dict[int, tuple[str, ...]]
    leaks: list[tuple[str, float, str]]
    held: Held | None


def meters_of(network: Network, engine: Engine) -> tuple[str, ...]:
    """Where flow is metered: see this script's text."""
    links = engine.topology.links
    if network.sensors is not None:
        table = network.sensors
        return tuple(dict.fromkeys(n for n in table.loc[table["quantity"] == "flow", "element"] if n in links))
    topology = engine.topology
    is_held = engine.duration == 0
    sources = np.flatnonzero((engine.node_types == _RESERVOIR) | (is_held & (engine.node_types == _TANK)))
    is_metered = np.isin(topology.start, sources) | np.isin(topology.end, sources)
    if not is_held:
        is_metered |= engine.link_types > _PIPE
    return tuple(links[k] for k in np.flatnonzero(is_metered))


def survey(network: Network, n_leaks: int, random: np.random.Generator) -> Site:
    """Place instruments and draw leaks."""
    with Engine(network) as engine:
        topology, is_held = engine.topology, engine.duration == 0
        meters, tanks = meters_of(network, engine), tuple(topology.nodes[k] for k in engine.tanks)
        engine.duration = 0
        districts = [d for d in find_districts(engine, meters, tanks) if len(d.junctions) >= _LEAST_ZONE]
        engine.start()
        engine.solve()
        pressure = engine.read("node", "pressure")
        is_usable = (pressure >= _LEAST_M) & (pressure <= _MOST_M)
        mean = np.mean([engine.demand_at(hour * 3600) for hour in range(168)], axis=0)
        zones = [_zone(engine, d, is_usable) for d in districts]
        n = len(engine.junctions)
        loggers = {k: place_evenly(engine, zones, round(n / k)) for k in DENSITIES}
        inflow = {z.name: float(mean[d.junctions].sum()) for z, d in zip(zones, districts, strict=True)}
        pipes = np.concatenate([z.pipes for z in zones if inflow[z.name] > 0.0])
        names = np.concatenate([[z.name] * len(z.pipes) for z in zones if inflow[z.name] > 0.0])
        length = topology.length[pipes]
        drawn = random.choice(len(pipes), n_leaks, replace=False, p=length / length.sum())
        leaks = [(topology.links[pipes[k]], inflow[names[k]], str(names[k])) for k in drawn]
    every = tuple(dict.fromkeys(name for chosen in loggers.values() for name in chosen))
    return Site(network, Instruments(every, meters, tanks), loggers, leaks, _HELD[network.name] if is_held else None)


def _zone(engine: Engine, district: District, is_usable: np.ndarray) -> Zone:
    topology = engine.topology
    nodes = engine.junctions[district.junctions]
    inside = np.isin(topology.start, nodes) & np.isin(topology.end, nodes) & topology.is_pipe
    pipes = np.flatnonzero(inside & is_usable[topology.start] & is_usable[topology.end])
    nothing = np.empty((0, 0))
    return Zone(district.name, nodes[is_usable[nodes]], pipes, topology.length[pipes], nothing, nothing)


def learn(site: Site, record: Record, quiet_days: int) -> tuple[Watch, Detector, int]:
    """Calibrate and watch the quiet days, as `umanflow detect` does with a history; count false alarms."""
    watch = Watch(site.network, record)
    frames = list(watch.frames(record))
    watch.sharpen(frames)
    detector, false = Detector(watch), 0
    learnt = record.start + watch.settings.learning
    for frame in frames:
        if frame.end <= learnt:
            detector.learn(frame)
        else:
            false += len(detector.step(frame))
    detector.begin(START + pd.Timedelta(days=quiet_days))
    detector.hours.prepare(frames)
    return watch, detector, false


def observe(
    watch: Watch, detector: Detector, records: list[Record], onset: pd.Timestamp | None, pipe: str
) -> tuple[Entry | None, int, int]:
    """Watch until an alarm in a pipe's zone; return its entry, false alarms until then, and days watched."""
    one = copy.deepcopy(detector, {id(watch): watch, **{id(f): f for f in detector.ledger.window.frames}})
    zone = watch.district_of(watch.topology.link(pipe))
    false = days = 0
    for record in records:
        for frame in watch.frames(record, with_parts=True):
            days += frame.is_whole
            for part in (*frame.each_hour(), *([frame] if frame.is_whole else [])):
                told = one.step(part)
                own = [e for e in told if watch.district_of(e.alarm.place.link) == zone]
                if own and onset is not None and part.end > onset:
                    return own[0], false + len(told) - len(own), days
                false += len(told)
    return None, false, days


def chunks(record: Record) -> list[Record]:
    """A record in parts, so that the end need not be simulated where the alarm comes soon."""
    begin, wide = record.start, pd.Timedelta(days=_CHUNK)
    return [record.between(begin + k * wide, begin + (k + 1) * wide) for k in range(_LOOK // _CHUNK)]


def row_of(
    watch: Watch, entry: Entry | None, truth: Truth, onset: int, quiet: int, pipe: str, scans: Scans
) -> dict[str, object]:
    """What was told of a leak beside what is true."""
    if entry is None:
        return {"is_found": False}
    begin = START + pd.Timedelta(days=quiet)
    alarm, topology = entry.alarm, watch.topology
    true = topology.link(pipe)
    delay = (alarm.time - begin) / pd.Timedelta("1h") - onset * STEP_S / 3600
    told_at = min(int((alarm.time - begin) / pd.Timedelta(seconds=STEP_S)), len(truth.lost))
    mass, search = 0.0, set()
    for candidate in alarm.place.candidates:
        if mass < 0.8:
            search.add(candidate.pipe)
        mass += candidate.probability
    gain = scans.of(alarm.place.candidates)
    return {
        "is_found": True, "delay_h": round(delay, 2), "told": topology.links[alarm.place.link],
        "distance_m": round(float(topology.distance_from_link(alarm.place.link)[true]), 1),
        "search_m": round(alarm.place.search_length, 1), "is_in_search": pipe in search,
        "probability": round(alarm.place.probability, 4), "gain": round(alarm.gain, 1),
        "flow_m3h": round(3600 * alarm.flow.flow, 3), "low_m3h": round(3600 * alarm.flow.low, 3),
        "high_m3h": round(3600 * alarm.flow.high, 3),
        "true_m3h": round(3600 * float(truth.lost[max(onset, told_at - PER_DAY) : told_at].mean()), 3),
        "tempered": json.dumps(tempered(gain, topology, watch.pipes, [true])) if gain is not None else "",
    }  # fmt: skip


def measure(
    name: str, seed: int, options: argparse.Namespace, rows: list[dict[str, object]], calm: list[dict[str, object]]
) -> None:
    """Everything on one network; rows are added as they come."""
    random = np.random.default_rng([seed, 7])
    site = survey(load(name), options.leaks, random)
    pipes = [pipe for pipe, _, _ in site.leaks]
    city = HiddenCity(site.network, seed, site.instruments, pipes, options.quiet + _LOOK, site.held)
    truth = city.quiet(options.quiet)
    quiet = city.read(truth, 0, random, site.instruments)
    # nobody hangs a logger where the model has no water: behind pumps that stand
    is_sound = (truth.pressure.min(axis=0) > 0.0) & (truth.pressure.max(axis=0) < _MOST_M)
    sound = dict(zip(site.instruments.loggers, is_sound.tolist(), strict=True))
    site = replace(site, loggers={k: tuple(n for n in v if sound[n]) for k, v in site.loggers.items()})
    watches = {}
    for density in options.densities:
        began = time.process_time()
        watch, detector, false = learn(site, only(quiet, site.loggers[density]), options.quiet)
        watches[density] = (watch, detector)
        calm.append({"network": name, "density": density, "days": options.quiet - 7, "false": false})
        print(f"{name} 1/{density}: {len(site.loggers[density])} loggers, {time.process_time() - began:.0f} s of CPU, "
              f"{false} alarms on quiet days", flush=True)  # fmt: skip
    todo = [("", 0.0, "", 0.0)] * options.calm + [(*leak, size) for leak in site.leaks for size in options.sizes]
    for k, (pipe, inflow, zone, size) in enumerate(todo):
        own = np.random.default_rng([seed, 100, k])
        onset = int(own.integers(1, PER_DAY))
        at = START + pd.Timedelta(days=options.quiet, seconds=onset * STEP_S) if size else None
        truth = city.onwards(_LOOK, own, pipe or site.leaks[0][0], size * inflow, onset)
        shown = city.read(truth, options.quiet, own, site.instruments)
        for density, (watch, detector) in watches.items():
            with recorded() as scans:
                entry, false, days = observe(
                    watch, detector, chunks(only(shown, site.loggers[density])), at, pipe or site.leaks[0][0]
                )
                if at is None:
                    calm.append({"network": name, "density": density, "days": days, "false": false})
                    continue
                told = row_of(watch, entry, truth, onset, options.quiet, pipe, scans)
            rows.append({"network": name, "density": density, "size": size, "zone": zone, "pipe": pipe,
                         "inflow_m3h": round(3600 * inflow, 2), "onset_h": onset * STEP_S / 3600,
                         "false": false, "days": days, **told})  # fmt: skip
        if options.table and k % 5 == 4:
            write(options.table, rows)
    for watch, _ in watches.values():
        watch.close()


def write(path: Path, rows: list[dict[str, object]]) -> None:
    """Write one row per leak."""
    pd.DataFrame(rows).to_csv(path, index=False)


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["ky8", "ky13", "Net6", "uman"])
    parser.add_argument("--densities", type=int, nargs="+", default=list(DENSITIES), choices=DENSITIES)
    parser.add_argument("--sizes", type=float, nargs="+", default=list(SIZES))
    parser.add_argument("--leaks", type=int, default=24, help="pipes on each network; each leaks in every size")
    parser.add_argument("--calm", type=int, default=6, help="stretches of ten days without a leak")
    parser.add_argument("--quiet", type=int, default=70, help="quiet days before; hours are watched after 56")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a few leaks on ky8, one logger per 100 junctions")
    parser.add_argument("--table", type=Path, help="one row per leak, CSV")
    parser.add_argument("--from", dest="tables", type=Path, nargs="+", help="do not run: take rows from these tables")
    parser.add_argument("--plot", type=Path, help="curves over size")
    parser.add_argument("--flows", type=Path, help="plot of stated over true flows")
    options = parser.parse_args()
    if options.quick:
        options.networks, options.densities, options.leaks, options.calm, options.quiet = ["ky8"], [100], 3, 1, 14
    began = time.perf_counter()
    rows: list[dict[str, object]] = []
    calm: list[dict[str, object]] = []
    if options.tables:
        rows = pd.concat([pd.read_csv(path) for path in options.tables]).to_dict("records")
    else:
        with threadpool_limits(1):
            for name in options.networks:
                measure(name, options.seed, options, rows, calm)
    if options.table:
        write(options.table, rows)
    table = summarise(pd.DataFrame(rows))
    print(markdown(table))
    result: dict[str, object] = {"leaks": len(rows)}
    if calm:
        days, false = (sum(int(str(c[key])) for c in calm) for key in ("days", "false"))
        result |= {"false_alarms": false, "days_without_leak": days, "false_a_year": round(365.25 * false / days, 2)}
        print(f"without a leak: {false} alarms in {days} days of {len(options.networks)} networks")
    elsewhere = sum(int(row["false"]) for row in rows if row["false"] == row["false"])  # type: ignore[call-overload]
    print(f"while leaks were looked for: {elsewhere} alarms in other zones, {len(rows)} runs of up to {_LOOK} days")
    result["false_elsewhere"] = elsewhere
    if options.plot:
        draw(options.plot, table)
    if options.flows:
        draw_flows(options.flows, pd.DataFrame(rows))
    found = pd.DataFrame(rows)
    found = found[found["is_found"].astype(bool)]
    within = (found["low_m3h"] <= found["true_m3h"]) & (found["true_m3h"] <= found["high_m3h"])
    ratio = (found["flow_m3h"] / found["true_m3h"]).quantile([0.1, 0.5, 0.9]).round(2).tolist()
    result["flows"] = {"alarms": len(found), "true_within_interval": round(float(within.mean()), 3),
                       "stated_over_true_10_50_90": ratio}  # fmt: skip
    print(f"stated flows: {result['flows']}")
    goal = table[(table["density"] == 25) & (table["size"] == 0.05)]
    result["one_per_25_and_5_percent"] = goal.set_index("network")[["distance_m", "delay_h", "missed"]].to_dict("index")
    versions = {p: version(p) for p in ("umanflow", "numpy")}
    print(json.dumps({"benchmark": "other_networks", "machine": platform.machine(), "python": sys.version.split()[0],
                      **versions, **result, "seconds": round(time.perf_counter() - began, 1)}))  # fmt: skip


if __name__ == "__main__":
    main()
