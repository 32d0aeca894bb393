"""Score leak detection on a year of Hanoi's network, many times over, as the benchmark LeakDB does.

    python benchmarks/hanoi_leaks.py [--scenarios N] [--cache FILE.npz]

The scenarios are made anew by LeakDB's published rules, with other random numbers and demand patterns of our own: 365
days of 30 minutes; lengths, diameters, roughness and base demands off by up to 0, 5, 10, 15 or 20 %; each junction has
its own weekly and yearly Fourier pattern (coefficients varied by 10 %) and 5 % of noise; round(U(0, 2)) leaks at
junctions, from a random time to another after it, abrupt or growing in diameter to a peak, 2 to 20 cm wide, discharge
0.75. Differences: leaks stay at their peak (the published generator ends growing ones there), demand is scaled to a
mean of 0.6 so that pressures stay positive (LeakDB's pattern coefficients are not ours to take), EPANET solves every
step. A scenario with a pressure below zero is drawn again. Noise of 0.1 % of the inflow's mean and 1 cm is added.

Scores: F1 over all time steps of all scenarios together, and LeakDB's early-detection score: 2 / (1 + exp(5 d / w))
for a leak first called d steps after its start, w its length and ten steps, if more than 75 % of the steps from then
to the end of w are called; means over leaks, in percent. S. G. Vrachimis et al., "LeakDB", WDSA/CCWI (2018). Prints a
table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from hydro.engine import Engine
from hydro.leaks import orifice
from models.forecast import Settings
from models.inflow_watch import InflowWatch, Rules
from models.night_rule import night_flow_rule
from models.pairs import PressurePairs

_DAYS, _STEPS = 365, 48
_MEAN = 0.6
_SENSORS = ("5", "10", "13", "16", "19", "22", "27", "30")
_DIAMETERS_MM = (
    *(1016.0,) * 9, *(762.0,) * 2, 609.6, *(406.4,) * 2, 304.8, 406.4, 508.0, *(609.6,) * 2, 1016.0, 508.0, 304.8,
    1016.0, *(762.0,) * 2, 508.0, *(304.8,) * 2, *(406.4,) * 2, *(304.8,) * 2, 406.4, 508.0,
)  # fmt: skip
_LEARNING = 14  # days on which LILA's regressions are fitted
_SED_SHARE, _SED_EXTRA = 0.75, 10


@dataclass(frozen=True)
class Scenario:
    """One year: inflow m3/s, pressures m at the sensors, whether a leak runs."""

    inflow: np.ndarray
    pressure: np.ndarray
    label: np.ndarray


def week_and_year() -> tuple[np.ndarray, np.ndarray]:
    """A town's week and year about zero, [336] and [365 * 48]."""
    hour = np.arange(_STEPS) / 2.0

    def bump(at: float, wide: float) -> np.ndarray:
        away = (hour - at + 12.0) % 24.0 - 12.0
        return np.exp(-0.5 * (away / wide) ** 2)

    weekday = 0.35 + 1.0 * bump(7.5, 1.5) + 0.75 * bump(13.0, 3.0) + 0.95 * bump(19.5, 2.2)
    weekend = 0.38 + 0.9 * bump(9.5, 2.2) + 0.95 * bump(13.5, 3.0) + 0.85 * bump(19.5, 2.5)
    week = np.concatenate([weekday] * 5 + [weekend] * 2)
    year = 0.08 * np.cos(2.0 * np.pi * (np.arange(_DAYS * _STEPS) / _STEPS - 196) / 365.0)
    return week / week.mean() - 1.0, year


def varied(signal: np.ndarray, harmonics: int, n: int, random: np.random.Generator) -> np.ndarray:
    """A periodic signal with its Fourier coefficients varied by 10 %, [n, len(signal)]."""
    spectrum = np.fft.rfft(signal)[: harmonics + 1]
    parts = np.stack([spectrum.real, spectrum.imag])[None] * random.uniform(0.9, 1.1, (n, 2, len(spectrum)))
    return np.fft.irfft(parts[:, 0] + 1j * parts[:, 1], len(signal), axis=1)


def off_by(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Values off by up to a share that is drawn for all of them."""
    share = random.choice(5) * 0.05
    return values * random.uniform(1.0 - share, 1.0 + share, len(values))


def draw(engine: Engine, base: dict[str, np.ndarray], random: np.random.Generator) -> Scenario | None:
    """One scenario; None where a pressure falls below zero."""
    n_steps, n = _DAYS * _STEPS, len(engine.junctions)
    for name in ("length", "diameter", "roughness"):
        engine.set_values("link", np.arange(len(base[name])), name, off_by(base[name], random))
    week, year = week_and_year()
    weekly = np.tile(varied(week, 84, n, random), (1, _DAYS // 7 + 1))[:, :n_steps]
    yearly = varied(year, 5, n, random)
    variation = 0.75 + random.normal(0.0, 0.07, n)
    pattern = (1.0 + yearly) * (1.0 + variation[:, None] * weekly) * random.normal(1.0, 0.05, (n, n_steps))
    demand = _MEAN * off_by(base["demand"], random)[None, :] * np.maximum(pattern.T, 0.0)
    holes, label = draw_leaks(n, n_steps, random)
    nodes = np.array([engine.topology.node(s) for s in _SENSORS])
    inflow, pressure = np.zeros(n_steps), np.zeros((n_steps, len(nodes)))
    shut = np.zeros(n)
    for k in range(n_steps):
        engine.set_demands(demand[k])
        engine.set_values("node", engine.junctions, "emitter", sum((h[k] * e for h, e in holes), shut))
        engine.start(keep_flows=k > 0 and label[k] == label[k - 1])
        engine.solve()
        head = engine.read("node", "pressure")
        if head[engine.junctions].min() <= 0.0:
            return None
        pressure[k] = head[nodes]
        inflow[k] = engine.read("link", "flow")[0]
    inflow += random.normal(0.0, 0.001 * inflow.mean(), n_steps)
    return Scenario(inflow, pressure + random.normal(0.0, 0.01, pressure.shape), label)


def draw_leaks(
    n: int, n_steps: int, random: np.random.Generator
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Leaks, each its emitter coefficient by time and where it is, and the label of each step."""
    label = np.zeros(n_steps, dtype=bool)
    holes = []
    for _ in range(round(random.uniform(0.0, 2.0))):
        start = int(random.uniform(1, n_steps - 1))
        end = int(random.uniform(start + 1, n_steps))
        width = np.zeros(n_steps)
        width[start:end] = random.uniform(0.02, 0.2)
        if random.uniform() < 0.5:
            peak = max(start + 1, int(random.uniform(start + 1, end)))
            width[start:peak] *= np.linspace(0.0, 1.0, peak - start)
        holes.append((orifice(1.0, 0.75) * np.pi / 4.0 * width**2, np.eye(n)[int(random.uniform(0, n))]))
        label[start:end] = True
    return holes, label


def make(n: int, seed: int) -> list[Scenario]:
    """Draw scenarios until there are enough."""
    random = np.random.default_rng(seed)
    found: list[Scenario] = []
    with Engine("Hanoi") as engine:
        engine.freeze_demands()
        engine.set_emitter_exponent(0.5)
        base = {"length": engine.read("link", "length"), "roughness": engine.read("link", "roughness")}
        base["diameter"] = np.array(_DIAMETERS_MM) / 1000.0
        base["demand"] = engine.demand_at(0)
        while len(found) < n:
            scenario = draw(engine, base, random)
            if scenario is not None:
                found.append(scenario)
    return found


# methods ----------------------------------------------------------------------------------------------------------


def by_day(called: np.ndarray) -> np.ndarray:
    """Labels of days as labels of their steps."""
    return np.repeat(called, _STEPS)


def ours(scenario: Scenario, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels as known at the end of each day, and in hindsight with the start and end that the alarms state."""
    import datetime as dt

    hourly = scenario.inflow.reshape(_DAYS, 24, 2).mean(axis=2)[:, :, None]
    watch = InflowWatch(("inlet",), Settings(), Rules(threshold=threshold))
    first = dt.date(2017, 1, 1)
    then, now = np.zeros(_DAYS + 1, dtype=bool), np.zeros(_DAYS + 1, dtype=bool)
    since = 0
    for day in range(_DAYS):
        for alarm in watch.step(first + dt.timedelta(days=day), hourly[day]):
            start = (alarm.start - first).days
            if alarm.kind == "leak":
                since = start
                then[since : day + 1] = True
            elif alarm.kind == "ended":
                then[max(start, since) : day + 1] = False
        now[day + 1] = watch.known[0] > 0.0
        then[day + 1] = now[day + 1]
    return by_day(now[:_DAYS]), by_day(then[:_DAYS])


def pairs(scenario: Scenario) -> np.ndarray:
    """Labels by LILA's rule, its regressions fitted on the first days."""
    n = _LEARNING * _STEPS
    model = PressurePairs.fit(scenario.pressure[:n], scenario.inflow[:n])
    called = model.alarms(scenario.pressure, scenario.inflow).any(axis=1)
    called[:n] = False
    return called


# scores -----------------------------------------------------------------------------------------------------------


def early(label: np.ndarray, called: np.ndarray) -> list[float]:
    """LeakDB's early-detection score of each leak."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], label, [False]]).astype(int)))
    scores = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        window = called[start : end + _SED_EXTRA]
        hits = np.flatnonzero(window)
        if len(hits) == 0 or window[hits[0] :].mean() <= _SED_SHARE:
            scores.append(0.0)
        else:
            scores.append(float(2.0 / (1.0 + np.exp(5.0 * hits[0] / len(window)))))
    return scores


def score(scenarios: list[Scenario], labels: list[np.ndarray]) -> dict[str, float]:
    """Pooled F1, rates and early detection, percent."""
    truth, called = np.concatenate([s.label for s in scenarios]), np.concatenate(labels)
    true, false, missed = (truth & called).sum(), (~truth & called).sum(), (truth & ~called).sum()
    scores = [x for s, c in zip(scenarios, labels, strict=True) for x in early(s.label, c)]
    return {
        "f1": round(200.0 * float(true / max(2 * true + false + missed, 1)), 1),
        "true_rate": round(100.0 * float(true / truth.sum()), 1),
        "false_rate": round(100.0 * float(false / (~truth).sum()), 1),
        "early": round(100.0 * float(np.mean(scores)), 1),
    }


def main() -> None:
    """Make the scenarios, or take them from the cache, and score every method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=100)
    parser.add_argument("--seed", type=int, default=2018)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    began = time.perf_counter()
    if options.cache and options.cache.exists():
        with np.load(options.cache) as file:
            parts = [file[k] for k in ("inflow", "pressure", "label")]
        scenarios = [Scenario(*row) for row in zip(*parts, strict=True)]
    else:
        scenarios = make(options.scenarios, options.seed)
        if options.cache:
            arrays = {k: np.stack([getattr(s, k) for s in scenarios]) for k in ("inflow", "pressure", "label")}
            np.savez_compressed(options.cache, **arrays)
    made = time.perf_counter() - began
    table = {}
    for share in (0.1, 0.2, 0.3):
        labels = [by_day(night_flow_rule(s.inflow.reshape(_DAYS, _STEPS), share)) for s in scenarios]
        table[f"MNF {share:.0%}"] = score(scenarios, labels)
    table["LILA's rule (8 pressures)"] = score(scenarios, [pairs(s) for s in scenarios])
    for threshold in (4.5, 6.0):
        both = [ours(s, threshold) for s in scenarios]
        table[f"ours {threshold}, as known then"] = score(scenarios, [now for now, _ in both])
        table[f"ours {threshold}, hindsight"] = score(scenarios, [then for _, then in both])
    print(f"{len(scenarios)} scenarios, {100.0 * np.mean([s.label.mean() for s in scenarios]):.0f} % of steps leak")
    print("| method | F1 | true rate | false rate | early detection |\n|---|---|---|---|---|")
    for name, row in table.items():
        print(f"| {name} | {row['f1']} | {row['true_rate']} | {row['false_rate']} | {row['early']} |")
    versions = {p: version(p) for p in ("umanflow", "numpy", "owa-epanet")}
    print(json.dumps({"benchmark": "hanoi_leaks", "machine": platform.machine(), **versions, "table": table,
                      "made_s": round(made, 1), "seconds": round(time.perf_counter() - began, 1)}))  # fmt: skip


if __name__ == "__main__":
    main()
