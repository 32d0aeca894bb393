"""Draw the demo's leaks; only the twin ever sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hydro.engine import Engine
from umanflow.demo.city import Layout
from umanflow.twin import TrueLeak

_DAY_MS = 86_400_000
_SHARE = (0.03, 0.10)  # of the block's mean inflow
_QUIET_DAYS = 2.0  # between the learning period and the first leak
_RISE_DAYS = (2.0, 4.0)


@dataclass(frozen=True, slots=True)
class DrawnLeak:
    """A leak of the twin and what it is a share of."""

    leak: TrueLeak
    block: str
    share: float


def draw_leaks(
    network: Path, layout: Layout, seed: int, start_ms: int, days: int, learning_days: int
) -> list[DrawnLeak]:
    """Draw one abrupt and one growing leak, in two different blocks.

    Pipes are drawn by length: every metre of main is as likely to leak. The size is 3 to 10 % of the block's mean
    inflow at the pressure of the model's first moment.

    Parameters
    ----------
    network
        The city's INP.
    start_ms, days, learning_days
        The demo's period, and how much of it must stay quiet.
    """
    random = np.random.default_rng([seed, 7])
    with Engine(network) as engine:
        topology = engine.topology
        engine.start()
        engine.solve()
        pressure = engine.read("node", "pressure")
        demand = np.mean([engine.demand_at(hour * 3600) for hour in range(24)], axis=0)
        inlets = {pipe for block in layout.blocks for pipe in block.inlets}
        shut = inlets | set(layout.closed) | {layout.prv_name}
        part = topology.districts(np.array([link in shut for link in topology.links]))
    drawn = []
    for number, index in enumerate(random.permutation(len(layout.blocks))[:2].tolist()):
        block = layout.blocks[index]
        inside = part == part[topology.node(block.loggers[0])]
        pipes = np.array([k for k in topology.pipes if inside[topology.start[k]] and inside[topology.end[k]]])
        length = topology.length[pipes]
        pipe = int(random.choice(pipes, p=length / length.sum()))
        share = float(random.uniform(*_SHARE))
        flow = share * demand[inside[: len(demand)]].sum()
        head = max(5.0, float(pressure[[topology.start[pipe], topology.end[pipe]]].mean()))
        first = learning_days + _QUIET_DAYS
        start = first + random.uniform(0.0, 0.35 * max(1.0, days - first))
        rise = 0.0 if number == 0 else random.uniform(*_RISE_DAYS)
        leak = TrueLeak(
            topology.links[pipe], start_ms + int(start * _DAY_MS), int(rise * _DAY_MS), float(flow / np.sqrt(head))
        )
        drawn.append(DrawnLeak(leak, block.name, share))
    return drawn
