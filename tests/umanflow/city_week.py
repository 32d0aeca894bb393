"""A week of the true Uman, for scoring: what flowed, what was drawn, what leaked, by district."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import Network
from networks.dma import Dma
from networks.uman.build import write_true_inp
from umanflow.demo.nature import old_leaks
from umanflow.districts import find_districts

Floats = NDArray[np.float64]

DAY_S, WEEK_S, STEP_S = 86_400, 7 * 86_400, 900
TANKS = ("RES-1", "RES-2", "TOWER-C", "TOWER-W", "TOWER-B")


@dataclass(frozen=True)
class CityWeek:
    """The truth.

    Attributes
    ----------
    dmas
        Districts of the model.
    flow
        Link -> float64 [n_moments], m3/s.
    level
        Tank -> float64 [n_moments], m.
    times, lasts
        Of the moments and how long each holds, s.
    drawn, leaked
        District -> m3 in the week.
    night_drawn
        District -> m3/s between 2 and 4 o'clock.
    stored
        m3 in the week.
    """

    dmas: tuple[Dma, ...]
    flow: dict[str, Floats]
    level: dict[str, Floats]
    times: Floats
    lasts: Floats
    drawn: dict[str, float]
    leaked: dict[str, float]
    night_drawn: dict[str, float]
    stored: float

    def volume(self, link: str) -> float:
        """What passed a link, m3."""
        return float(self.flow[link] @ self.lasts)

    def quarters(self, link: str) -> Floats:
        """Mean flow of each quarter of an hour, float64 [7, 96], m3/s."""
        place = (self.times // STEP_S).astype(np.int64)
        inside = self.lasts > 0.0
        sums = np.bincount(place[inside], (self.flow[link] * self.lasts)[inside], WEEK_S // STEP_S)
        return (sums / STEP_S).reshape(7, 96)

    @property
    def supplied(self) -> float:
        """Own and bought water less what was stored, m3."""
        return self.volume("GATE-METER") + self.volume("PS3-OUT") - self.stored


def live_a_week(network: Network, folder: Path) -> CityWeek:
    """Run the true city, its old leaks included."""
    path = folder / "city.inp"
    leaks = old_leaks(path, write_true_inp(path), 0)
    dmas = tuple(find_districts(network))
    assert network.nodes is not None
    assert network.pipes is not None
    dma_of = dict(zip(network.nodes["node"], network.nodes["dma"], strict=True))
    pipe_dma = dict(zip(network.pipes["pipe"], network.pipes["dma"], strict=True))
    with Engine(path) as engine:
        spots = [(engine.add_leak(leak.pipe), leak) for leak in leaks]
        topology = engine.topology
        owner = np.array([str(dma_of.get(name, "")) for name in topology.nodes])
        for node, leak in spots:
            owner[node] = str(pipe_dma[leak.pipe])
        engine.start()
        for node, leak in spots:
            engine.open_leak(node, leak.coefficient)
        times, lasts, flows, levels, drawn, leaked = [], [], [], [], [], []
        while True:
            times.append(engine.solve())
            flows.append(engine.read("link", "flow"))
            levels.append(engine.read("node", "pressure"))
            demand, leak_flow = np.zeros(len(topology.nodes)), engine.read("node", "leakage")
            demand[engine.junctions] = engine.demand_at(times[-1])
            leak_flow[engine.junctions] += engine.emitter_flow()
            drawn.append(demand)
            leaked.append(leak_flow)
            lasts.append(engine.advance())
            if lasts[-1] <= 0:
                break
        area = {tank: engine.tank_area(topology.node(tank)) for tank in TANKS}
    time, last = np.array(times, dtype=float), np.array(lasts, dtype=float)
    flow, level, took, lost = (np.array(rows) for rows in (flows, levels, drawn, leaked))
    at_night = (time % DAY_S >= 2 * 3600) & (time % DAY_S < 4 * 3600) & (last > 0)
    links = ["GATE-METER", "PS3-OUT", *(dma.inlets[0] for dma in dmas)]
    of = {dma.name: owner == dma.name for dma in dmas}
    assert sum(mask.sum() for mask in of.values()) > 0
    return CityWeek(
        dmas=dmas,
        flow={link: flow[:, topology.link(link)] for link in links},
        level={tank: level[:, topology.node(tank)] for tank in TANKS},
        times=time,
        lasts=last,
        drawn={name: float(last @ took[:, mask].sum(axis=1)) for name, mask in of.items()},
        leaked={name: float(last @ lost[:, mask].sum(axis=1)) for name, mask in of.items()},
        night_drawn={
            name: float(np.average(took[at_night][:, mask].sum(axis=1), weights=last[at_night]))
            for name, mask in of.items()
        },
        stored=sum(
            area[tank] * float(level[-1, topology.node(tank)] - level[0, topology.node(tank)]) for tank in TANKS
        ),
    )
