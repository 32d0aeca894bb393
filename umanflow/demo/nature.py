"""The city as it is: hidden truth, leaks and calendar behind the simulated PLCs. The detector never sees this."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network
from networks.uman import demand
from networks.uman.build import write_true_inp
from networks.uman.truth import meter_errors
from scada.tag import Tag
from umanflow.demo.leaks import DrawnLeak
from umanflow.twin import Mismatch, TrueLeak, Twin

Floats = NDArray[np.float64]

_LONG_AGO_MS = 1000 * 86_400_000
_PILGRIMS_QUARTER = "L3"  # the block at Sofiivka


def write_city(path: Path) -> list[tuple[str, float]]:
    """Write the true city's INP; return the leaks that have run for years: pipe and m3/h."""
    return write_true_inp(path)


def old_leaks(path: Path, flows: Sequence[tuple[str, float]], start_ms: int) -> list[TrueLeak]:
    """Leaks that ran before the first record, as the twin takes them."""
    with Engine(path) as engine:
        topology = engine.topology
        engine.start()
        engine.solve()
        pressure = engine.read("node", "pressure")
        found = []
        for pipe, flow in flows:
            k = topology.link(pipe)
            head = max(5.0, float(pressure[[topology.start[k], topology.end[k]]].mean()))
            found.append(TrueLeak(pipe, start_ms - _LONG_AGO_MS, 0, flow / 3600.0 / float(np.sqrt(head))))
    return found


def make_twin(
    path: Path, network: Network, tags: Sequence[Tag], start_ms: int, step_s: int, seed: int, leaks: Sequence[TrueLeak]
) -> Twin:
    """The twin of the true city: its roughness, valves and demands are the file's, its noise is the seed's."""
    return Twin(
        path, tags, start_ms, step_s, seed, leaks, Mismatch(roughness=0.0, demand=0.0),
        calendar=Calendar(network), gain=meter_errors(),
    )  # fmt: skip


class Calendar:
    """Season, and the pilgrims' week in the quarter at Sofiivka.

    Parameters
    ----------
    network
        Uman, for the quarter's houses.
    """

    def __init__(self, network: Network) -> None:
        nodes = network.nodes
        if nodes is None:
            raise ValueError("the calendar needs a network with a table of nodes")
        quarter = nodes[(nodes["dma"] == _PILGRIMS_QUARTER) & (nodes["connections"] > 0)]
        self._weights = dict(zip(quarter["node"], quarter["connections"] / quarter["connections"].sum(), strict=True))
        self._hours = np.array(demand.week("pilgrimage")[:24])

    def factor(self, t_ms: int) -> float:
        """Total demand against the year's mean."""
        return demand.season(_day(t_ms))

    def guests(self, t_ms: int) -> Mapping[str, float]:
        """What guests take at each junction, m3/s."""
        share = demand.pilgrimage(_day(t_ms))
        if share <= 0.0:
            return {}
        hour = int(t_ms // 3_600_000 % 24)
        total = share * demand.PILGRIMS_M3D / 86_400.0 * float(self._hours[hour])
        return {node: total * weight for node, weight in self._weights.items()}


def _day(t_ms: int) -> dt.date:
    return dt.datetime.fromtimestamp(t_ms / 1000.0, dt.UTC).date()


class TruthLog:
    """The twin as a process, with a note of what leaked when.

    Parameters
    ----------
    twin
        The city.
    drawn
        Leaks to note.

    Attributes
    ----------
    values
        Every tag's value at the last moment, battery loggers' too.
    """

    def __init__(self, twin: Twin, drawn: Sequence[DrawnLeak]) -> None:
        self._twin = twin
        self.values: Mapping[str, float] = {}
        self._times: list[int] = []
        self._flows: dict[str, list[float]] = {d.leak.pipe: [] for d in drawn}

    def advance(self, t_ms: int, commands: Mapping[str, float]) -> Mapping[str, float]:
        """Move the twin on and note its leaks."""
        self.values = values = self._twin.advance(t_ms, commands)
        self._times.append(t_ms)
        now = self._twin.leak_flows
        for pipe, flows in self._flows.items():
            flows.append(now[pipe])
        return values

    def flows_at(self, pipe: str) -> pd.Series:
        """A leak's flow, m3/s, by UTC time."""
        return pd.Series(self._flows[pipe], index=pd.to_datetime(self._times, unit="ms", utc=True))
