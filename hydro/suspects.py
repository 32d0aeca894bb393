"""Pipes and valves that may be closed where the model says open, or open where it says closed.

Each status is a hypothesis of known size: what the instruments would read if it were so. All are screened to first
order at a few moments, the best are solved in EPANET, and their log likelihood ratio against the model as it stands is
taken under everything else that may be wrong with the model: offsets, roughness, demand and withdrawals are integrated
out with their priors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from hydro.derivatives import derivatives
from hydro.drive import Drive
from hydro.errors import EpanetError
from hydro.fitdata import Data
from hydro.headloss import friction
from hydro.parameters import Beliefs

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOMENTS = 8
_TRIED = 16
_LEAST_GAIN = 10.0  # about log(900 hypotheses) + 3
_FIRST_ORDER_GAIN = 3.0
_ALIKE = 3.0
_MOST = 3
_LEAST_FALL = 0.95
_STRIP = 256
_BRIDGE = 1e-6
_LEAST_FLOW = 1e-6
_ROUNDS = 6
_CHECK_VALVE, _PUMP = 0, 2
_VALVE_GRADIENT = 1e-3


@dataclass(frozen=True, slots=True)
class Suspect:
    """A link whose status in the model the data contradict.

    Attributes
    ----------
    link
        Name.
    is_closed
        Whether it seems closed (the model says open), or the reverse.
    gain
        Log likelihood ratio against the model as it stands, solved in EPANET.
    alternatives
        Other links whose status would explain the data as well, best first.
    rms_before, rms_after
        Of all pressures, weighted by nothing, at the moments looked at, m; the after without any further fit.
    evidence
        Instruments that it moves most, and by how much, m or m3/s.
    """

    link: str
    is_closed: bool
    gain: float
    alternatives: tuple[str, ...]
    rms_before: float
    rms_after: float
    evidence: tuple[tuple[str, float], ...]


def find_suspects(
    data: Data, rows: Ints, beliefs: Beliefs, progress: Callable[[float], None] = lambda share: None
) -> tuple[Suspect, ...]:
    """Test the status of every pipe and valve.

    Parameters
    ----------
    data
        A record ready to be fitted; statuses are changed during the search and put back.
    rows
        Intervals to choose the moments from.
    beliefs
        How far all else may be off.
    progress
        Called with the share that is done.

    Returns
    -------
    tuple of Suspect
        At most three, the surest first; each is sought with those before it taken for true.
    """
    return _Search(data, rows, beliefs).run(progress)


class _Search:
    def __init__(self, data: Data, rows: Ints, beliefs: Beliefs) -> None:
        self.data, self.model = data, data.model
        demand = data.drive.demand[rows].sum(axis=1)
        order = rows[np.argsort(demand, kind="stable")]
        self.rows = np.sort(order[((np.arange(_MOMENTS) + 0.5) / _MOMENTS * len(order)).astype(int)])
        self.drive = data.drive.rows(self.rows)
        self.n = len(self.model.instruments)
        engine = self.model.engine
        replaced = {k for r in self.model.replaced for k in r.links}
        kinds = engine.link_types
        self.links = np.array(
            [
                k
                for k in range(len(kinds))
                if kinds[k] not in (_CHECK_VALVE, _PUMP) and k not in replaced and k not in self.model.meter_links
            ]
        )
        self.status, self.setting = engine.read("link", "init_status"), engine.read("link", "init_setting")
        self.changed: set[int] = set()
        measured = data.measured[self.rows][:, : self.n]
        self.seen = np.isfinite(measured)
        forced = len(self.model.sensor_nodes) + np.flatnonzero(np.isin(self.model.meter_links, self.model.pumps))
        self.seen[:, forced] = False
        self.measured, self.beliefs = np.nan_to_num(measured), beliefs

    def _integrate(self, taken: dict[int, bool]) -> None:
        """Covariance of the instruments at all moments together, everything but statuses integrated out."""
        self._put(taken)
        fit = self.data.fit(self.rows, self.beliefs)
        theta = np.zeros(len(fit.parameters.deviation))
        _, jacobian = fit.linearise(theta)
        whitened = (jacobian[:, : self.n] * fit.parameters.deviation)[self.seen]
        covariance = whitened @ whitened.T
        noise = np.broadcast_to(np.square(2.0 * self.data.noise[: self.n]), self.seen.shape)[self.seen]
        self.factor = cho_factor(covariance + np.diag(noise))
        self.model.scale(np.ones(len(self.model.topology.pipes)), np.ones(len(self.model.engine.junctions)))

    def run(self, progress: Callable[[float], None]) -> tuple[Suspect, ...]:
        """Find one after the other."""
        engine, found = self.model.engine, list[Suspect]()
        try:
            base = self._solve({})
            for number in range(_MOST if base is not None else 0):
                assert base is not None
                best = self._best(base, {engine.topology.link(s.link): s.is_closed for s in found})
                progress((number + 1) / _MOST)
                if best is None:
                    break
                suspect, base = best
                found.append(suspect)
        finally:
            self._put({})
        return tuple(found)

    def _best(self, base: Floats, taken: dict[int, bool]) -> tuple[Suspect, Floats] | None:
        """The status that explains most of what is left, solved exactly; None where none does."""
        self._integrate(taken)
        residual = (self.measured - base)[self.seen]
        weighted = cho_solve(self.factor, residual)
        links, effects = self._screen(taken)
        gains = effects.T @ weighted - 0.5 * np.einsum("dk,dk->k", effects, cho_solve(self.factor, effects))
        order = [k for k in np.argsort(-gains)[:_TRIED].tolist() if gains[k] > _FIRST_ORDER_GAIN]
        tried: list[tuple[float, int, Floats]] = []
        for k in order:
            link = int(links[k])
            solved = self._solve(taken | {link: bool(self.status[link] > 0.0)})
            if solved is None:
                continue
            effect = (solved - base)[self.seen]
            gain = float(effect @ weighted - 0.5 * effect @ cho_solve(self.factor, effect))
            tried.append((gain, link, solved))
        tried.sort(key=lambda t: -t[0])
        # what the data contradict fits worse by far; a status that only suits the covariance is none
        tried = [t for t in tried if t[0] >= _LEAST_GAIN and self._rms(t[2]) < _LEAST_FALL * self._rms(base)]
        if not tried:
            return None
        gain, link, solved = tried[0]
        names = self.model.topology.links
        moved = np.sqrt(np.mean((solved - base) ** 2, axis=0)) / self.data.noise[: self.n]
        evidence = tuple(
            (self.model.instruments[k], float(np.mean((solved - base)[:, k]))) for k in np.argsort(-moved)[:5].tolist()
        )
        suspect = Suspect(
            link=names[link],
            is_closed=bool(self.status[link] > 0.0),
            gain=gain,
            alternatives=tuple(names[k] for g, k, _ in tried[1:] if g > gain - _ALIKE),
            rms_before=self._rms(base),
            rms_after=self._rms(solved),
            evidence=evidence,
        )
        return suspect, solved

    def _rms(self, expected: Floats) -> float:
        n = len(self.model.sensor_nodes)
        error = (self.measured - expected)[:, :n][self.seen[:, :n]]
        return float(np.sqrt(np.mean(error**2))) if len(error) else 0.0

    # exact --------------------------------------------------------------------------------------------------------

    def _put(self, statuses: dict[int, bool]) -> None:
        """Statuses of the file, but for some links that are closed (True) or open (False)."""
        engine = self.model.engine
        for link in self.changed - set(statuses):
            if self.status[link] in (0.0, 1.0):
                engine.set_value("link", link, "init_status", float(self.status[link]))
            else:  # a valve at work: EPANET makes it so when it gets its setting
                engine.set_value("link", link, "init_setting", float(self.setting[link]))
        for link, is_closed in statuses.items():
            engine.set_value("link", link, "init_status", 0.0 if is_closed else 1.0)
        self.changed = set(statuses)

    def _solve(self, statuses: dict[int, bool]) -> Floats | None:
        """Instruments at all moments, float64 [moments, n]; None where EPANET finds no solution."""
        self._put(statuses)
        opened = [k for k, is_closed in statuses.items() if not is_closed]
        found = np.empty((len(self.rows), self.n))
        self.model.forget()
        try:
            for moment in range(len(self.rows)):
                self._impose(moment, opened)
                pressure, flow = self.model.solve()
                found[moment] = np.concatenate([pressure[self.model.sensor_nodes], flow[self.model.meter_links]])
        except EpanetError:
            return None
        return found

    def _impose(self, moment: int, opened: list[int]) -> None:
        """Boundary conditions of a moment; what passes between districts through an opened link is taken account of."""
        sharing, topology = self.data.sharing, self.model.topology
        one = self.drive.rows(np.array([moment]))
        self.model.impose(one, 0)
        crossing = [(k, *(self._district(int(end[k])) for end in (topology.start, topology.end))) for k in opened]
        crossing = [(k, a, b) for k, a, b in crossing if a != b]
        if not crossing:
            return
        total = sharing.totals(one.demand)
        for tried in range(_ROUNDS):
            _, flow = self.model.solve()
            shifted = total.copy()
            for link, a, b in crossing:
                if a is not None:
                    shifted[0, a] -= flow[link]
                if b is not None:
                    shifted[0, b] += flow[link]
            demand = sharing.settle(one.demand, (shifted + total) / 2.0 if tried == 0 else shifted)
            self.model.impose(Drive(one.times, demand, one.level, one.pump_flow, one.inflow, one.known), 0)

    def _district(self, node: int) -> int | None:
        place = np.flatnonzero(self.model.engine.junctions == node)
        return int(self.data.sharing.district[place[0]]) if len(place) else None

    # first order --------------------------------------------------------------------------------------------------

    def _screen(self, taken: dict[int, bool]) -> tuple[Ints, Floats]:
        """Effect of changing each link's status on the instruments, float64 [seen, n_links], to first order."""
        self._put(taken)
        links = np.array([k for k in self.links.tolist() if k not in taken], dtype=np.int64)
        effects = np.zeros((len(self.rows), self.n, len(links)))
        self.model.forget()
        for moment in range(len(self.rows)):
            self.model.impose(self.drive, moment)
            self.model.solve()
            effects[moment] = self._effects(links, self.drive.demand[moment])
        table = effects[self.seen]
        strong = np.isfinite(table).all(axis=0) & (np.abs(table) > 0.0).any(axis=0)
        return links[strong], table[:, strong]

    def _effects(self, links: Ints, demand: Floats) -> Floats:
        """The same at the solved moment, float64 [n, n_links]; NaN where a closed link would cut nodes off.

        Closing a link with flow q, whose conductance is p and between whose ends the network has the effective
        resistance R, is withdrawing -q / (1 - p R) at its start and as much with the other sign at its end. An opened
        link passes the flow at which its own loss is the difference of heads that is left.
        """
        engine, topology = self.model.engine, self.model.topology
        start, end = topology.start[links], topology.end[links]
        s = derivatives(engine, self.model.sensor_nodes, self.model.meter_links)
        response = np.zeros_like(s.by_demand)
        response[engine.junctions] = self.data.sharing.response(s.by_demand, demand)
        between = self._between(start, end)
        flow, head = engine.read("link", "flow")[links], engine.read("node", "head")
        drop = head[start] - head[end]
        passing = np.zeros(len(links))
        is_open = engine.read("link", "init_status")[links] > 0.0
        gradient = self._gradient(links, flow, drop)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = 1.0 - between / gradient
            passing[is_open] = np.where(left > _BRIDGE, -flow / left, np.nan)[is_open]
        passing[is_open & (np.abs(flow) < _LEAST_FLOW)] = 0.0
        shut = np.flatnonzero(~is_open)
        passing[shut] = self._through(links[shut], drop[shut], between[shut])
        return np.asarray(((response[start] - response[end]) * passing[:, None]).T)

    def _gradient(self, links: Ints, flow: Floats, drop: Floats) -> Floats:
        """Derivative of each link's loss by its flow, m per m3/s."""
        engine = self.model.engine
        gradient = np.maximum(2.0 * np.abs(drop) / np.maximum(np.abs(flow), _LEAST_FLOW), _VALVE_GRADIENT)
        is_pipe = engine.topology.is_pipe[links]
        gradient[is_pipe] = self._friction(links[is_pipe], flow[is_pipe])[1]
        return gradient

    def _friction(self, pipes: Ints, flow: Floats) -> tuple[Floats, Floats]:
        engine = self.model.engine
        length, diameter, roughness, minor = (
            engine.read("link", name)[pipes] for name in ("length", "diameter", "roughness", "minor_loss")
        )
        return friction(flow, length, diameter, engine.roughness_si(roughness), minor, engine.headloss_law)

    def _through(self, links: Ints, drop: Floats, between: Floats) -> Floats:
        """Flow of closed links if they were open, m3/s, by halving."""
        low, high = np.zeros(len(links)), np.abs(drop) / np.maximum(between, 1e-9)
        is_pipe = self.model.topology.is_pipe[links]
        for _ in range(50):
            middle = (low + high) / 2.0
            loss = _VALVE_GRADIENT * middle
            loss[is_pipe] = self._friction(links[is_pipe], middle[is_pipe])[0]
            is_much = loss + between * middle > np.abs(drop)
            high, low = np.where(is_much, middle, high), np.where(is_much, low, middle)
        return np.asarray(np.sign(drop) * (low + high) / 2.0)

    def _between(self, start: Ints, end: Ints) -> Floats:
        """Effective resistance of the network between the ends of links, m per m3/s."""
        total = np.zeros(len(start))
        nodes = np.unique(np.concatenate([start, end]))
        nothing = np.empty(0, dtype=np.int64)
        for k in range(0, len(nodes), _STRIP):
            strip = nodes[k : k + _STRIP]
            by_demand = derivatives(self.model.engine, strip, nothing).by_demand
            for here, there in ((start, end), (end, start)):
                at = np.flatnonzero(np.isin(here, strip))
                column = np.searchsorted(strip, here[at])
                total[at] -= by_demand[here[at], column] - by_demand[there[at], column]
        return np.maximum(total, 0.0)
