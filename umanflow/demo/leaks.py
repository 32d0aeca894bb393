"""Draw the demo's leaks; only the twin ever sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hydro.engine import Engine
from networks import Network
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
    true_inp: Path, network: Network, seed: int, start_ms: int, days: int, learning_days: int
) -> list[DrawnLeak]:
    """Draw one abrupt and one growing leak, in two different blocks.

    Pipes are drawn by length: every metre of main is as likely to leak. The size is 3 to 10 % of the block's mean
    inflow, at the pressure of the first moment.

    Parameters
    ----------
    true_inp
        The true city's INP.
    network
        Uman, for its blocks.
    start_ms, days, learning_days
        The demo's period, and how much of it must stay quiet.
    """
    if network.dmas is None or network.pipes is None:
        raise ValueError("leaks are drawn in blocks: the network needs its tables")
    random = np.random.default_rng([seed, 7])
    inlet = dict(zip(network.dmas["dma"], network.dmas["inlet"], strict=True))
    streets = network.pipes[network.pipes["kind"] == "street"]
    with Engine(true_inp) as engine:
        topology = engine.topology
        pressure, inflow = _mean_day(engine, [topology.link(pipe) for pipe in inlet.values()])
        drawn = []
        for number, index in enumerate(random.permutation(len(inlet))[:2].tolist()):
            block = list(inlet)[index]
            pipes = np.array([topology.link(p) for p in streets[streets["dma"] == block]["pipe"]])
            length = topology.length[pipes]
            pipe = int(random.choice(pipes, p=length / length.sum()))
            share = float(random.uniform(*_SHARE))
            head = max(5.0, float(pressure[[topology.start[pipe], topology.end[pipe]]].mean()))
            first = learning_days + _QUIET_DAYS
            start = first + random.uniform(0.0, 0.35 * max(1.0, days - first))
            rise = 0.0 if number == 0 else random.uniform(*_RISE_DAYS)
            leak = TrueLeak(
                pipe=topology.links[pipe],
                start_ms=start_ms + int(start * _DAY_MS),
                rise_ms=int(rise * _DAY_MS),
                coefficient=float(share * inflow[index] / np.sqrt(head)),
            )
            drawn.append(DrawnLeak(leak, block, share))
    return drawn


def _mean_day(engine: Engine, links: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Pressure of the first moment, m, and mean flow of some links over the first day, m3/s."""
    engine.duration = 86_400
    engine.start()
    engine.solve()
    pressure = engine.read("node", "pressure")
    volume, seconds = np.zeros(len(links)), 0
    while True:
        flow = engine.read("link", "flow")[links]
        step = engine.advance()
        if step <= 0:
            return pressure, volume / seconds
        volume += flow * step
        seconds += step
        engine.solve()
