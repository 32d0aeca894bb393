"""Time the scorers against a plain sum over the same array, against pandas and against river, in one thread.

    python benchmarks/kernels.py [--millions 100] [--rounds 7]

The sum is Numba's with fastmath, so that it is vectorised and waits for the memory alone; NumPy's own is printed
beside it. Scorers read the same array of 200 channels: CUSUM, EWMA-z and Page-Hinkley the whole of it for
their alarms, the others a part of it for their scores. River is compared where it is installed (`pip install
'.[bench]'`). Ratios are medians over alternating rounds of the thread's own time, which other work on the machine
disturbs less than the clock; the clock's are printed beside them. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd
from numba import njit

from models.scoring import (
    Cusum,
    District,
    Ewma,
    EwmaChart,
    FlatLine,
    Glr,
    MassBalance,
    PageHinkley,
    RobustZ,
    RollingMedian,
    Scorer,
    Spike,
    WeeklyBand,
)

_SEED, _CHANNELS, _WIDE, _WINDOW = 1, 200, 10_000, 96
_TILE = 2048

Way = Callable[[], object]


@njit(error_model="numpy", fastmath=True)
def plain_sum(values: np.ndarray) -> float:
    """Add up everything: what reading the memory costs."""
    total, flat = 0.0, values.ravel()
    for i in range(flat.size):
        total += flat[i]
    return total


def race(ways: dict[str, Way], rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds of the thread and of the clock, the ways taking turns; the first round compiles."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            began = time.thread_time(), time.perf_counter()
            way()
            taken[name].append((time.thread_time() - began[0], time.perf_counter() - began[1]))
    return {
        name: (statistics.median(t for t, _ in times[1:]), statistics.median(c for _, c in times[1:]))
        for name, times in taken.items()
    }


def dense(scorer: Scorer[Any], values: np.ndarray) -> Way:
    """Score frame by frame, each frame's scores in the place of the last one's."""
    room = np.empty((_TILE, scorer.width(values.shape[1])), dtype=values.dtype)

    def run() -> None:
        state = scorer.start(values.shape[1])
        for first in range(0, len(values), _TILE):
            part = values[first : first + _TILE]
            state, _ = scorer.score(state, part, out=room[: len(part)])

    return run


def sparse(scorer: Scorer[Any], values: np.ndarray) -> Way:
    """Find the alarms of the whole."""
    return lambda: scorer.alarms(scorer.start(values.shape[1]), values)


def scorers(n_channels: int) -> dict[str, Scorer[Any]]:
    """Every kernel with settings of use; windows of 96 rows."""
    districts = tuple(District(((c, 1.0), (c + 1, -1.0)), ((c + 2, 50.0),)) for c in range(0, n_channels - 2, 3))
    return {
        "cusum": Cusum(limit=8.0), "ewma_z": Ewma(), "ewma_chart": EwmaChart(limit=5.0),
        "page_hinkley": PageHinkley(), "robust_z": RobustZ(history=100), "flat_line": FlatLine(), "spike": Spike(),
        "mass_balance": MassBalance(districts=districts, interval=_WINDOW),
        "weekly_band": WeeklyBand(), "rolling_median": RollingMedian(window=_WINDOW),
        "glr_step": Glr(window=_WINDOW, limit=15.0), "glr_ramp": Glr(shape="ramp", window=_WINDOW, limit=15.0),
    }  # fmt: skip


def against_sum(values: np.ndarray, rounds: int) -> dict[str, Any]:
    """Ratio of each scorer's time for a sample to that of the sum."""
    known = scorers(_CHANNELS)
    narrow = values[: len(values) // 2].astype(np.float32)
    gappy = values[: len(values) // 5].copy()
    gappy[np.random.default_rng(_SEED + 1).random(gappy.shape) < 0.1] = np.nan
    big: dict[str, Way] = {"sum": lambda: plain_sum(values), "numpy_sum": values.sum}
    big |= {f"{name}_alarms": sparse(known[name], values) for name in ("cusum", "ewma_z", "page_hinkley")}
    big |= {f"{name}_scores": dense(known[name], values) for name in ("cusum", "ewma_z", "page_hinkley")}
    sizes = dict.fromkeys(big, values.size)
    single: dict[str, Way] = {"sum_float32": lambda: plain_sum(narrow)}
    single |= {f"{name}_alarms_float32": sparse(known[name], narrow) for name in ("cusum", "ewma_z")}
    single |= {f"{name}_alarms_10_percent_missing": sparse(known[name], gappy) for name in ("cusum", "ewma_z")}
    sizes |= {name: gappy.size if name.endswith("missing") else narrow.size for name in single}
    few = values[: max(len(values) // 50, 400)]
    rest: dict[str, Way] = {f"{name}_scores": dense(scorer, few) for name, scorer in known.items()}
    rest = {name: way for name, way in rest.items() if name not in big}
    rest["rolling_median_scores_10_percent_missing"] = dense(known["rolling_median"], gappy[: len(few)])
    sizes |= dict.fromkeys(rest, few.size)
    seconds = race(big | single | rest, rounds)
    base = [total / values.size for total in seconds["sum"]]
    ratios, rates = {}, {}
    for name, (own, clock) in seconds.items():
        ratios[name] = round(own / sizes[name] / base[0], 2)
        rates[name] = round(sizes[name] / own / 1e6)
        clocked = clock / sizes[name] / base[1]
        print(f"{name:40} {rates[name]:>6,} M samples/s   {ratios[name]:7.2f} x the sum (by the clock {clocked:.2f})")
    return {"times_the_sum": ratios, "million_samples_per_s": rates}


def wide_frames(rounds: int) -> dict[str, float]:
    """Milliseconds for one row of 10,000 channels, windows full."""
    rng = np.random.default_rng(_SEED)
    past, found = rng.standard_normal((120, _WIDE)), {}
    frames = [rng.standard_normal((1, _WIDE)) for _ in range(8)]
    for name, scorer in scorers(_WIDE).items():
        state, _ = scorer.score(scorer.start(_WIDE), past)
        room, taken = np.empty((1, scorer.width(_WIDE))), []
        for k in range(40 * rounds):
            began = time.perf_counter()
            state, _ = scorer.score(state, frames[k % 8], out=room)
            taken.append(1e3 * (time.perf_counter() - began))
        found[name] = round(statistics.median(taken), 3)
        print(f"{name:34} {found[name]:7.3f} ms a frame of {_WIDE:,} channels (best {min(taken):.3f})")
    return found


def against_pandas(values: np.ndarray, rounds: int) -> dict[str, float]:
    """How many times faster EWMA-z is than z scores by pandas over the same readings."""
    few = values[: max(len(values) // 10, 400)]
    frame, ewma = pd.DataFrame(few), scorers(_CHANNELS)["ewma_z"]

    def rolling() -> pd.DataFrame:
        window = frame.rolling(_WINDOW)
        return (frame - window.mean()) / window.std()

    def weighted() -> pd.DataFrame:
        window = frame.ewm(alpha=0.05)
        return (frame - window.mean()) / window.std()

    ways = {"rolling": rolling, "ewm": weighted, "alarms": sparse(ewma, few), "scores": dense(ewma, few)}
    seconds = {name: own for name, (own, _) in race(ways, rounds).items()}
    found = {
        f"{ours}_over_pandas_{theirs}_z": round(seconds[theirs] / seconds[ours], 1)
        for theirs in ("rolling", "ewm") for ours in ("alarms", "scores")
    }  # fmt: skip
    for name, ratio in found.items():
        print(f"ewma_z {name.replace('_', ' '):40} {ratio:7.1f} x")
    return found


def against_river(values: np.ndarray, rounds: int) -> dict[str, float] | None:
    """How many times faster Page-Hinkley is than river's, sample by sample; both must find the same."""
    try:
        from river.drift import PageHinkley as Theirs
    except ImportError:
        print("river is not installed: pip install '.[bench]'")
        return None
    one = values[:200_000, :1].copy()
    one[len(one) // 2 :] += 0.3
    stream = one[:, 0].tolist()
    ours = PageHinkley(memory=1e18)

    def river() -> list[int]:
        test, found = Theirs(alpha=1.0), []
        for step, x in enumerate(stream):
            test.update(x)
            if test.drift_detected:
                found.append(step)
        return found

    _, alarms = ours.alarms(ours.start(1), one)
    assert alarms.step.tolist() == river(), "not the same test"
    many = values[: max(len(values) // 5, 400)]
    seconds = {name: own for name, (own, _) in race({"river": river, "ours": sparse(ours, many)}, rounds).items()}
    ratio = (seconds["river"] / len(stream)) / (seconds["ours"] / many.size)
    print(f"page_hinkley over river's: {ratio:.0f} x, {len(alarms)} alarms alike in {len(stream):,} samples")
    return {
        "page_hinkley_over_river": round(ratio),
        "river_million_per_s": round(len(stream) / seconds["river"] / 1e6, 2),
    }


def compile_seconds() -> dict[str, float]:
    """Seconds of each scorer's first frame in this process; what was compiled before comes from the disk."""
    found = {}
    for name, scorer in scorers(64).items():
        began = time.perf_counter()
        scorer.alarms(scorer.start(64), np.zeros((101, 64)))
        found[name] = round(time.perf_counter() - began, 2)
    return found


def main() -> None:
    """Print the figures and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millions", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    names = ("numba", "numpy", "pandas", "river")
    versions = {}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "none"
    machine = {"machine": platform.machine(), "python": platform.python_version(), **versions}
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    first = compile_seconds()
    print(f"first frame of every scorer: {sum(first.values()):.1f} s in all", file=sys.stdout)
    values = np.random.default_rng(_SEED).standard_normal((options.millions * 1_000_000 // _CHANNELS, _CHANNELS))
    result: dict[str, Any] = {
        "benchmark": "kernels", "seed": _SEED, "million_samples": options.millions, "channels": _CHANNELS,
        **against_sum(values, options.rounds), "ms_per_frame_of_10000": wide_frames(options.rounds),
        **against_pandas(values, options.rounds), **(against_river(values, options.rounds) or {}),
        "first_frame_s": first, **machine,
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
