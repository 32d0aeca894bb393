"""The network element by element: free head of customers, velocity, leakage, breaks and age of pipes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from networks import Network, Topology
from umanflow.planner.customers import customers_of
from umanflow.planner.pressure import Norm
from umanflow.planner.renewal import break_years
from umanflow.planner.simulation import Day

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Condition:
    """What maps of the network are coloured by.

    Attributes
    ----------
    nodes
        Names of nodes with customers.
    lowest, highest, due
        float64 [n_nodes], free head of the day and what the norm asks for, m.
    links
        Names of pipes.
    velocity
        float64 [n_links], highest of the day, m/s.
    leakage
        float64 [n_links], m3 a day and km.
    breaks
        float64 [n_links], a km and year; NaN where there is no record.
    laid
        float64 [n_links], year; NaN where unknown.
    """

    nodes: tuple[str, ...]
    lowest: Floats
    highest: Floats
    due: Floats
    links: tuple[str, ...]
    velocity: Floats
    leakage: Floats
    breaks: Floats
    laid: Floats


def condition_of(network: Network, topology: Topology, day: Day, leakage: Floats, norm: Norm) -> Condition:
    """Look at a simulated day.

    Parameters
    ----------
    leakage
        float64 [n_links], m3 a day of each link.
    """
    customers = customers_of(network, topology, day, norm)
    at, due = customers.at, customers.due
    pipes = topology.pipes
    km = np.maximum(topology.length[pipes], 0.1) / 1000.0
    names = tuple(topology.links[k] for k in pipes.tolist())
    breaks, laid = _records(network, names, km)
    return Condition(
        tuple(topology.nodes[k] for k in at.tolist()), day.pressure[:, at].min(axis=0), day.pressure[:, at].max(axis=0),
        due, names, day.velocity[pipes], leakage[pipes] / km, breaks, laid,
    )  # fmt: skip


def _records(network: Network, names: tuple[str, ...], km: Floats) -> tuple[Floats, Floats]:
    """Breaks a km and year of each pipe, and the year in which it was laid."""
    row = {name: k for k, name in enumerate(names)}
    breaks, laid = np.full(len(names), np.nan), np.full(len(names), np.nan)
    if network.pipes is None:
        return breaks, laid
    for pipe, year in zip(network.pipes["pipe"], network.pipes["year"], strict=True):
        if str(pipe) in row and year > 0:
            laid[row[str(pipe)]] = float(year)
    if network.breaks is None or not len(network.breaks):
        return breaks, laid
    years = break_years(network)
    for pipe in network.pipes["pipe"]:
        if str(pipe) in row:
            breaks[row[str(pipe)]] = 0.0
    for pipe in network.breaks["pipe"]:
        if str(pipe) in row:
            breaks[row[str(pipe)]] += 1.0
    return breaks / km / (max(years) - min(years) + 1.0), laid
