"""Leaks that run before the first record: found from levels, not from changes.

A sparse fit: leaks with flows of at least 0 and an exponential prior stand beside resistances, shares of demand and
offsets (`models.levels`), beside losses spread evenly along each zone's pipes, and beside what the zones' nights say is
lost in all (`models.zones`). Leaks are taken in one by one, each where the fit gains most; then each is placed again
with the others running, and all flows are fitted together. What the pressures cannot place stays the zone's unexplained
excess, with candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import nnls

from models.evidence import Evidence
from models.levels import Levels
from models.localise import Place, locate
from models.rules import Rules
from models.sized import at_size, best_size
from models.watch import Watch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST = 12
_SWEEPS = 2
# the levels' covariance holds the model's own errors: their likelihood needs less tempering than that of changes
TEMPER = 1.0
# gain that a leak needs where its zone surely loses as much, and where nothing says so: half the chi-square
_LEAST_GAIN, _ALONE_GAIN = 5.0, 12.0
_SURE = 1.96
# errors of levels beside what they are taken to be: a model may be better or far worse than most
_FACTORS = np.geomspace(0.25, 25.0, 41)


@dataclass(frozen=True, slots=True)
class Lost:
    """What a zone loses in all, as its nights tell it.

    Attributes
    ----------
    district
        Number.
    flow, deviation
        m3/s.
    """

    district: int
    flow: float
    deviation: float


@dataclass(frozen=True, slots=True)
class OldLeak:
    """A leak that ran through the whole period.

    Attributes
    ----------
    place
        Where it is.
    flow, deviation
        m3/s.
    gain
        Half the likelihood-ratio chi-square against none.
    response
        float64 [n], of the levels.
    belief
        float64 [n_pipes], how far each pipe's gain lay below the best.
    """

    place: Place
    flow: float
    deviation: float
    gain: float
    response: Floats
    belief: Floats


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for old leaks came to.

    Attributes
    ----------
    leaks
        Those that the pressures place.
    rest
        What pressures say of one more.
    """

    leaks: tuple[OldLeak, ...]
    rest: Evidence | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Levels and zones' losses as one linear model of leaks, whitened by what else may explain them.

    Attributes
    ----------
    data
        float64 [n + n_lost].
    sized
        float64 [1 + n_sizes, n_pipes, n + n_lost].
    noise
        float64 [n + n_lost, n + n_lost], covariance of errors, but for a factor that the data tell.
    believed
        float64 [n + n_lost, n + n_lost], covariance of what else may be: resistances, shares, offsets, spread losses.
    """

    data: Floats
    sized: Floats
    noise: Floats
    believed: Floats

    def among(self, known: Sequence[Floats], free: float) -> Floats:
        """What else may be, and known leaks of any flow, float64 [n + n_lost, n + n_lost].

        Parameters
        ----------
        known
            Responses of the known ones.
        free
            Standard deviation of their flows, m3/s.
        """
        believed = self.believed
        for response in known:
            believed = believed + free**2 * np.outer(response, response)
        return believed

    def factor(self, believed: Floats) -> float:
        """Factor on the errors under which the data are likeliest."""
        lower = np.linalg.cholesky(self.noise)
        half = np.linalg.solve(lower, believed)
        size, axes = np.linalg.eigh(np.linalg.solve(lower, half.T))
        seen = (axes.T @ np.linalg.solve(lower, self.data)) ** 2
        variance = _FACTORS[:, None] + np.maximum(size, 0.0)
        loss = np.log(variance).sum(axis=1) + (seen / variance).sum(axis=1)
        return float(_FACTORS[np.argmin(loss)])


def pose(watch: Watch, levels: Levels, lost: Sequence[Lost]) -> Problem:
    """Put what zones lose beside the levels, and losses spread along the pipes among what is not known."""
    pipes = watch.pipes
    share = np.array([[watch.share(int(link), zone.district) for zone in lost] for link in pipes])
    share = share.reshape(len(pipes), len(lost))
    length = np.maximum(watch.topology.length[pipes], 0.0)
    n = len(levels.data)
    noise, believed = np.zeros((2, n + len(lost), n + len(lost)))
    noise[:n, :n], believed[:n, :n] = levels.noise, levels.learnt
    last = np.arange(n, n + len(lost))
    # what zones lose is known as well as it is, whatever the pressures' errors turn out to be
    believed[last, last] = [max(z.deviation, 1e-9) ** 2 for z in lost]
    noise[last, last] = 1e-6 * believed[last, last]
    small = np.hstack([levels.small, share])
    for column, zone in enumerate(lost):
        weight = length * share[:, column]
        if weight.sum() > 0.0:
            spread = (weight / weight.sum()) @ small
            # what is lost may all be spread: that is the first thing to believe
            believed += (0.5 * max(zone.flow, 0.0) + zone.deviation) ** 2 * np.outer(spread, spread)
    sized = np.concatenate([levels.sized, np.broadcast_to(share, (len(levels.sized), *share.shape))], axis=2)
    return Problem(np.concatenate([levels.data, [z.flow for z in lost]]), sized, noise, believed)


def search(
    watch: Watch, problem: Problem, lost: Sequence[Lost], rules: Rules, believed: Floats | None = None
) -> Search:
    """Find leaks one by one, place each again with the others running, and keep those whose place is told.

    Parameters
    ----------
    believed
        float64 [n_pipes], logarithm of what is known of each pipe beside its length.
    """
    finder = _Finder(watch, problem, lost, rules, believed)
    leaks: list[OldLeak] = []
    while len(leaks) < _MOST:
        one = finder.best(leaks)
        if one is None or any(leak.place.link == one.place.link for leak in leaks):
            break
        leaks = finder.together([*leaks, one])
        if not any(leak.place.link == one.place.link for leak in leaks):
            break
    for _ in range(_SWEEPS if len(leaks) > 1 else 0):
        for k in range(len(leaks)):
            again = finder.best([leak for j, leak in enumerate(leaks) if j != k], leaks[k])
            if again is not None and not any(
                leak.place.link == again.place.link for j, leak in enumerate(leaks) if j != k
            ):
                leaks[k] = again
        leaks = finder.together(leaks)
    told = [leak for leak in leaks if leak.place.probability >= rules.sure_mass]
    evidence, _ = _scan(watch, problem, [leak.response for leak in told], rules)
    return Search(tuple(told), evidence)


class _Finder:
    """Seeks one leak at a time."""

    def __init__(
        self, watch: Watch, problem: Problem, lost: Sequence[Lost], rules: Rules, believed: Floats | None
    ) -> None:
        self.watch, self.problem, self.lost, self.rules, self.believed = watch, problem, lost, rules, believed
        self.districts = districts_of(watch)

    def best(self, known: Sequence[OldLeak], instead_of: OldLeak | None = None) -> OldLeak | None:
        """The leak that explains most beside the known ones; in place of another one in its district."""
        evidence, used = _scan(self.watch, self.problem, [leak.response for leak in known], self.rules)
        gain = evidence.gain * (evidence.now <= self.rules.most_share * self.watch.largest_take)
        if instead_of is not None:
            gain = gain * (self.districts == self.districts[self.position(instead_of)])
        district = int(self.districts[int(np.argmax(gain))])
        best = float(gain.max())
        if best < (_LEAST_GAIN if self._is_lost(district, known) else _ALONE_GAIN):
            return None
        place = place_in(self.watch, replace(evidence, gain=gain), district, self.rules, self.believed)
        at = int(np.searchsorted(self.watch.pipes, place.link))
        flow, deviation = float(evidence.flow[at]), float(evidence.deviation[at])
        return OldLeak(place, flow, deviation, best, used[at], gain - best)

    def together(self, leaks: list[OldLeak]) -> list[OldLeak]:
        """All flows fitted together; leaks that lose nothing then are left out."""
        flows, deviations = _together(self.problem, [leak.response for leak in leaks], self.rules, self.watch)
        return [
            replace(leak, flow=float(q), deviation=float(d))
            for leak, q, d in zip(leaks, flows, deviations, strict=True)
            if q >= max(self.rules.least_flow, self.rules.least_share * self.watch.inflow_of_pipes[self.position(leak)])
        ]

    def position(self, leak: OldLeak) -> int:
        return int(np.searchsorted(self.watch.pipes, leak.place.link))

    def _is_lost(self, district: int, known: Sequence[OldLeak]) -> bool:
        """Whether a district surely loses more than the known leaks."""
        zone = next((z for z in self.lost if z.district == district), None)
        placed = sum(leak.flow for leak in known if self.districts[self.position(leak)] == district)
        return zone is not None and zone.flow - placed > _SURE * zone.deviation


def districts_of(watch: Watch) -> Ints:
    """District of each pipe, int64 [n_pipes]; -1 where it has none."""
    found = [watch.district_of(int(k)) for k in watch.pipes]
    return np.array([-1 if d is None else d for d in found], dtype=np.int64)


def place_in(watch: Watch, evidence: Evidence, district: int, rules: Rules, believed: Floats | None = None) -> Place:
    """The place in one district that levels speak for."""
    inside = districts_of(watch) == district
    log = np.where(inside, 0.0, -np.inf)
    one = replace(evidence, gain=np.where(inside, evidence.gain, 0.0))
    whole = log if believed is None else log + believed
    return replace(locate(one, watch.topology, watch.pipes, TEMPER, rules.temper_growth, whole), best=-1)


def _scan(watch: Watch, problem: Problem, known: list[Floats], rules: Rules) -> tuple[Evidence, Floats]:
    """Evidence for one more leak, the known ones free, and the response of each pipe that suits its flow."""
    believed = problem.among(known, watch.largest_take)
    factor = cho_factor(problem.factor(believed) * problem.noise + believed)
    data = cho_solve(factor, problem.data)
    cost = 1.0 / (rules.usual_share * watch.largest_take)
    tried = np.stack([_flows(each, factor, data, cost)[0] for each in problem.sized])
    now = tried[best_size(tried, watch.sizes), np.arange(tried.shape[1])]
    used = at_size(problem.sized, now, watch.sizes)
    flow, energy = _flows(used, factor, data, cost)
    gain = np.where(flow > 0.0, 0.5 * flow**2 * energy, 0.0)
    nothing = np.zeros(len(flow))
    none = nothing.astype(np.int64)
    return Evidence(gain, flow, 1.0 / np.sqrt(energy), nothing, none, flow, none), used


def _flows(responses: Floats, factor: tuple[Floats, bool], data: Floats, cost: float) -> tuple[Floats, Floats]:
    weighted = cho_solve(factor, responses.T)
    energy = np.maximum(np.einsum("ij,ji->i", responses, weighted), 1e-30)
    return np.maximum((responses @ data - cost) / energy, 0.0), energy


def _together(problem: Problem, responses: list[Floats], rules: Rules, watch: Watch) -> tuple[Floats, Floats]:
    """All flows fitted together, at least 0 and with their prior, and their standard deviations."""
    g = np.stack(responses)
    scale = problem.factor(problem.among(responses, watch.largest_take))
    factor = cho_factor(scale * problem.noise + problem.believed)
    weighted = cho_solve(factor, g.T)
    normal = g @ weighted + 1e-12 * np.eye(len(g))
    wanted = weighted.T @ problem.data - 1.0 / (rules.usual_share * watch.largest_take)
    lower = np.linalg.cholesky(normal)
    flows, _ = nnls(lower.T, np.linalg.solve(lower, wanted))
    return flows, np.sqrt(np.linalg.inv(normal).diagonal())
