"""Valves of an event: how its pipe is isolated, and the step test that narrows it down."""

from __future__ import annotations

from hydro.engine import Engine
from hydro.errors import HydraulicError
from hydro.steptest import Closing, expect_steps
from networks.dma import Dma
from networks.isolation import Segments
from networks.stepping import Step, plan_steps
from umanflow.report.case import Closure, PlannedStep, StepPlan
from umanflow.report.row import LeakRow
from umanflow.report.site import Site

WIDE_M = 300.0  # metres of pipe holding 80 % of the probability, from which a step test is worth its night
_HOUR = 3
_M3H = 3600.0


def closure_of(row: LeakRow, site: Site) -> Closure | None:
    """Isolate the best pipe of an event; None where the valves are unknown or the pipe is not in the network."""
    link = site.topology.link_index.get(row.pipe_best)
    if site.segments is None or link is None:
        return None
    isolation = site.segments.isolate(link)
    is_junction = site.topology.is_junction
    return Closure(
        valves=isolation.valves,
        shut=isolation.shut,
        length_m=_length(site, isolation.pipes),
        n_pipes=len(isolation.pipes),
        n_nodes=int(is_junction[isolation.nodes].sum()),
        n_beyond=int(is_junction[isolation.beyond].sum()),
        customers=site.customers(isolation.nodes),
        customers_beyond=site.customers(isolation.beyond),
    )


def _length(site: Site, pipes: tuple[str, ...]) -> float:
    return float(sum(site.topology.length[site.topology.link_index[p]] for p in pipes))


def plan_of(row: LeakRow, site: Site, width_m: float | None, engine: Engine | None) -> StepPlan:
    """Plan a step test for an event whose candidates are wide.

    Parameters
    ----------
    width_m
        Metres of pipe that hold 80 % of the probability; None where all candidates together hold less.
    engine
        Of the network; None for a plan without simulation, which is none.
    """
    if row.status != "open":
        return StepPlan("closed")
    if not (row.candidates_best or row.candidates):
        return StepPlan("no candidates")
    if width_m is not None and width_m < WIDE_M:
        return StepPlan("narrow")
    if site.segments is None:
        return StepPlan("no valves")
    dma = site.district(row.dma, row.pipe_best)
    if dma is None or not dma.inlets or engine is None:
        return StepPlan("no inlet")
    probability = {
        site.topology.link_index[c.pipe]: c.probability
        for c in row.candidates_best or row.candidates
        if c.pipe in site.topology.link_index
    }
    steps = plan_steps(site.segments, probability, _open_segments(site, site.segments, dma))
    if not steps:
        return StepPlan("behind the meter", dma.name, site.signed_inlets(dma))
    try:
        return _simulated(row, site, site.segments, dma, steps, probability, engine)
    except HydraulicError:
        return StepPlan("no solution", dma.name, site.signed_inlets(dma))


def _open_segments(site: Site, segments: Segments, dma: Dma) -> set[int]:
    """Segments that a step test leaves alone: those with inlets, and those that reach out of the district."""
    outside = ~site.inside(dma)
    links = [site.topology.link(name) for name in dma.inlets]
    return {int(s) for s in segments.of_node[outside]} | {int(segments.of_link[k]) for k in links}


def _simulated(
    row: LeakRow,
    site: Site,
    segments: Segments,
    dma: Dma,
    steps: tuple[Step, ...],
    probability: dict[int, float],
    engine: Engine,
) -> StepPlan:
    topology = site.topology
    number = {name: k for k, name in enumerate(segments.valves.names)}
    closings, lengths, customers = [], [], []
    done: frozenset[int] = frozenset()
    for step in steps:
        done |= step.part
        isolation = segments.isolate_segments(done)
        part = segments.isolate_segments(step.part)
        best = max((p, -link) for link, p in probability.items() if int(segments.of_link[link]) in step.part)
        link = -best[1]
        ends = [int(topology.start[link]), int(topology.end[link])]
        own = [n for n in ends if segments.of_node[n] == segments.of_link[link] and topology.is_junction[n]]
        shut = tuple(topology.links[int(segments.valves.link[number[v]])] for v in step.shut)
        dry = tuple(topology.nodes[n] for n in isolation.nodes if topology.is_junction[n])
        closings.append(Closing(shut, dry, topology.nodes[own[0] if own else ends[0]]))
        lengths.append(_length(site, part.pipes))
        customers.append(site.customers(isolation.nodes))
    expected = expect_steps(engine, closings, site.signed_inlets(dma), row.flow_best_m3h / _M3H, _HOUR)
    planned = tuple(
        PlannedStep(
            valves=step.shut,
            length_m=lengths[k],
            customers=customers[k],
            share=step.share,
            inflow_m3h=_M3H * float(expected.without[k + 1]) + row.flow_best_m3h,
            fall_without_m3h=_M3H * float(expected.fall_without[k]),
            fall_with_m3h=_M3H * float(expected.fall_with[k]),
        )
        for k, step in enumerate(steps)
    )
    total = sum(probability.values())
    rest = max(0.0, total - sum(step.share for step in steps))
    before = _M3H * float(expected.without[0]) + row.flow_best_m3h
    return StepPlan("", dma.name, site.signed_inlets(dma), _HOUR, before, planned, rest)
