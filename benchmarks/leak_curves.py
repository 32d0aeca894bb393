"""Tables and plots of `benchmarks/other_networks.py`: medians by network, density and size; flows stated and true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

_DRAWS = 2000


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """Median and its 95 % interval by bootstrap; NaN of none."""
    if not len(values):
        return (float("nan"),) * 3
    drawn = np.random.default_rng(0).choice(values, (_DRAWS, len(values)))
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return float(np.median(values)), float(low), float(high)


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """Medians and shares by network, density and size."""
    found = []
    for key, part in rows.groupby(["network", "density", "size"], sort=False):
        seen = part[part["is_found"]]
        median, low, high = interval(seen["distance_m"].to_numpy())
        found.append({
            "network": key[0], "density": key[1], "size": key[2], "leaks": len(part),
            "missed": len(part) - len(seen), "distance_m": median, "distance_low": low, "distance_high": high,
            "search_m": seen["search_m"].median() if len(seen) else np.nan,
            "delay_h": seen["delay_h"].median() if len(seen) else np.nan,
            "within_day": float((seen["delay_h"] <= 24.0).sum()) / len(part),
            "within_300_m": float((seen["distance_m"] <= 300.0).sum()) / len(part),
            "covered": float(((seen["low_m3h"] <= seen["true_m3h"]) & (seen["true_m3h"] <= seen["high_m3h"])).mean())
            if len(seen) else np.nan,
        })  # fmt: skip
    return pd.DataFrame(found)


def markdown(table: pd.DataFrame) -> str:
    """The summary as it stands in the documentation."""
    lines = [
        "| network | junctions per logger | leak, share of zone's inflow | leaks | missed | "
        "distance, m (95 % interval) | metres to search | delay, h | told within 24 h | within 300 m |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in table.to_dict("records"):
        place = f"{r['distance_m']:.0f} ({r['distance_low']:.0f} to {r['distance_high']:.0f}) | {r['search_m']:.0f} | "
        cells = f"{place}{r['delay_h']:.0f}" if r["missed"] < r["leaks"] else "- | - | -"
        lines += [
            f"| {r['network']} | {r['density']} | {r['size']:.0%} | {r['leaks']} | {r['missed']} | {cells} | "
            f"{r['within_day']:.0%} | {r['within_300_m']:.0%} |"
        ]
    return "\n".join(lines)


def draw(path: Path, table: pd.DataFrame) -> None:
    """Curves over leak size, one line per network and density."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "networks"
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(table["network"]))
    size = (3.2 * len(names), 10.0)
    figure, axes = plt.subplots(4, len(names), figsize=size, sharex=True, layout="constrained", squeeze=False)
    titles = ("distance, m", "metres to search", "delay, h", "missed, %")
    for column, name in enumerate(names):
        axes[0, column].set_title(name)
        for density, colour in zip((25, 65, 100), ("tab:green", "tab:orange", "tab:blue"), strict=True):
            part = table[(table["network"] == name) & (table["density"] == density)].sort_values("size")
            if not len(part):
                continue
            size, label = 100 * part["size"], f"one per {density}"
            axes[0, column].plot(size, part["distance_m"], marker="o", color=colour, label=label)
            axes[0, column].fill_between(
                size, part["distance_low"], part["distance_high"], color=colour, alpha=0.12, lw=0
            )
            axes[1, column].plot(size, part["search_m"], marker="o", color=colour)
            axes[2, column].plot(size, part["delay_h"], marker="o", color=colour)
            axes[3, column].plot(size, 100 * part["missed"] / part["leaks"], marker="o", color=colour)
        axes[0, column].axhline(200.0, color="0.5", lw=0.8, ls=":")
        axes[2, column].axhline(24.0, color="0.5", lw=0.8, ls=":")
        axes[3, column].set(xlabel="leak, % of zone's inflow", xticks=[2, 5, 10], ylim=(-3, 103))
    for row, title in enumerate(titles):
        axes[row, 0].set_ylabel(title)
        for axis in axes[row]:
            axis.grid(alpha=0.3)
            if row < 3:
                axis.set_ylim(bottom=0.0)
    axes[0, 0].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def draw_flows(path: Path, rows: pd.DataFrame) -> None:
    """Stated flows with their intervals over true ones."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "flows"
    from matplotlib import pyplot as plt

    seen = rows[rows["is_found"].astype(bool)]
    figure, axis = plt.subplots(figsize=(5.2, 5.0), layout="constrained")
    ends = [0.8 * seen["true_m3h"].min(), 1.25 * seen["true_m3h"].max()]
    axis.plot(ends, ends, color="0.6", lw=0.8)
    for name, colour in zip(
        dict.fromkeys(seen["network"]), ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=False
    ):
        part = seen[seen["network"] == name]
        spread = [part["flow_m3h"] - part["low_m3h"], part["high_m3h"] - part["flow_m3h"]]
        axis.errorbar(part["true_m3h"], part["flow_m3h"], yerr=spread, fmt="o", ms=3, lw=0.8, color=colour, label=name)
    axis.set(
        xscale="log", yscale="log", xlabel="true flow of the last day, m3/h", ylabel="stated, with its interval, m3/h"
    )
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})
