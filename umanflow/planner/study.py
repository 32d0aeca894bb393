"""The whole plan: diagnosis, blocks, pressure, loggers, renewal, and the programme that they make."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from models.prospect import expect
from models.sensing import Assumptions, Placement, Zone, place_sensors, zones_of
from networks import Network, load
from umanflow.errors import UserError
from umanflow.planner.age import WaterAge, water_age
from umanflow.planner.blocks import BlockRules, Design, design_blocks
from umanflow.planner.condition import Condition, condition_of
from umanflow.planner.customers import customers_of
from umanflow.planner.diagnosis import Diagnosis, diagnose
from umanflow.planner.inputs import PlanInput
from umanflow.planner.leaking import Leaking
from umanflow.planner.modelcheck import Checked, check_model
from umanflow.planner.parts import Loggers, Parts
from umanflow.planner.places import Prices
from umanflow.planner.pressure import Norm, NothingToSet, PressurePlan, plan_pressure
from umanflow.planner.programme import Programme
from umanflow.planner.pumping import PumpPlan, PumpRules, plan_pumps
from umanflow.planner.renewal import Renewal, RenewalCosts, history_of, rank_pipes
from umanflow.planner.sentence import Sentence, reason_of
from umanflow.planner.simulation import Day, run_day
from umanflow.planner.yearly import Builder
from umanflow.report.site import site_of
from umanflow.report.wording import mark

__all__ = ["Loggers", "Plan", "make_plan"]

Floats = NDArray[np.float64]

_COUNTS = (5, 10, 20, 40, 80)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything; what could not be done is None and `notes` says why."""

    network: str
    sha256: str
    is_synthetic: bool
    given: PlanInput
    diagnosis: Diagnosis
    designs: tuple[Design, ...]
    pressure: PressurePlan | None
    pumping: PumpPlan | None
    loggers: Loggers | None
    renewal: Renewal | None
    programme: Programme
    notes: tuple[str, ...]
    condition: Condition
    check: tuple[Checked, ...]


def make_plan(network: Network, given: PlanInput, progress: Callable[[float], None] | None = None) -> Plan:
    """Compute a plan.

    Parameters
    ----------
    network
        A city.
    given
        Prices, norms and rules.
    progress
        Called with the share that is done.

    Raises
    ------
    HydraulicError, UserError
        If EPANET cannot run the network, or there is nothing to plan.
    """
    tell = progress or (lambda _: None)
    norm = Norm(**given.norm.model_dump())
    notes: list[str] = []
    with Engine(network) as engine:
        day = run_day(engine)
        topology = engine.topology
        diagnosis = diagnose(network, engine, day, norm, topology.length, _age(network, given), given.age.most)
        leakage = Leaking.of(engine).by_pipe(day.leakage_m3d)
        condition = condition_of(network, topology, day, leakage, norm)
        diameter = engine.read("link", "diameter")
    tell(0.1)
    rules = BlockRules(**given.blocks.model_dump(exclude={"reopen"}))
    designs = _designs(network, rules, norm, given, notes)
    tell(0.2)
    pressure = _pressure(network, norm, given, notes)
    tell(0.4)
    pumping = _pumping(network, given, norm, day, pressure, notes)
    tell(0.55)
    loggers = _loggers(network, designs[0] if designs else None, given)
    if loggers is None and given.sensors.count:
        notes.append(mark("loggers: there is no block to place them in"))
    tell(0.7)
    renewal = None
    if network.pipes is not None and network.breaks is not None and len(network.breaks):
        names, history = history_of(network, topology, diameter)
        at = [topology.link(name) for name in names]
        costs = RenewalCosts(
            **given.renewal.model_dump(exclude={"share_of_budget"}), discount=given.programme.discount,
            water=given.water.variable_cost,
        )  # fmt: skip
        customers = customers_out(network, at)
        if np.isnan(customers).any():
            notes.append(mark("renewal: no valves.csv, so customers out of water do not count in the ranking"))
        renewal = rank_pipes(names, history, leakage[at], np.nan_to_num(customers), costs)
    else:
        notes.append(mark("renewal: needs pipes.csv (material, year) and breaks.csv"))
    parts = Parts(designs[0] if designs else None, pressure, pumping, loggers, renewal)
    programme = Builder(network, given, parts, day).build(tell)
    tell(1.0)
    return Plan(
        network.name, network.sha256, network.is_synthetic, given, diagnosis, designs, pressure, pumping, loggers,
        renewal, programme, tuple(notes), condition, check_model(network),
    )  # fmt: skip


def _age(network: Network, given: PlanInput) -> WaterAge | None:
    """Age of the water, in an engine of its own: quality stays asked for in it."""
    if not given.age.days:
        return None
    with Engine(network) as engine:
        return water_age(engine, given.age.days)


def _designs(network: Network, rules: BlockRules, norm: Norm, given: PlanInput, notes: list[str]) -> tuple[Design, ...]:
    """Designs of blocks, the best first; none where every customer is on a trunk."""
    try:
        designs = tuple(design_blocks(network, rules, norm, given.blocks.reopen))
    except UserError as error:
        notes.append(Sentence(mark("blocks: {why}"), why=reason_of(error)))
        return ()
    if designs[0].newly_short:
        told = mark(
            "blocks: the best design leaves {n} nodes newly short ({names} …; short.csv says where and why); it is no "
            "advice until they are mended"
        )
        notes.append(Sentence(told, n=len(designs[0].short), names=", ".join(designs[0].newly_short[:5])))
    elif given.blocks.reopen and not designs[0].is_reopened:
        least = min(len(design.short) for design in designs if design.is_reopened)
        told = mark(
            "blocks: every design that opens what is shut now leaves customers newly short (at least {n} nodes); the "
            "one shown leaves it shut"
        )
        notes.append(Sentence(told, n=least))
    if designs[0].raised:
        heads = ", ".join(f"{name}: {head:.1f}" for name, head in designs[0].raised.items())
        notes.append(Sentence(mark("blocks: the design needs set-points of valves raised, m: {heads}"), heads=heads))
    return designs


def _pressure(network: Network, norm: Norm, given: PlanInput, notes: list[str]) -> PressurePlan | None:
    rules, blocks = given.pressure, given.blocks
    prices = Prices(
        rules.valve_cost, rules.controller_cost, blocks.valve_cost, given.water.variable_cost, given.renewal.repair,
        given.renewal.horizon, given.programme.discount,
    )  # fmt: skip
    try:
        return plan_pressure(network, norm, prices, rules.places)
    except NothingToSet as error:
        notes.append(Sentence(mark("pressure: {why}"), why=reason_of(error)))
        return None


def _pumping(
    network: Network, given: PlanInput, norm: Norm, day: Day, pressure: PressurePlan | None, notes: list[str]
) -> PumpPlan | None:
    """Schedules on the network as it is once pressure is controlled; free heads are those kept before any of it."""
    if not given.pumps.plan:
        notes.append(mark("pumps: not asked for ([pumps] plan)"))
        return None
    rules = PumpRules(
        given.pumps.outage, given.pumps.start_cost, given.tariff.prices, given.water.energy_price,
        given.pumps.variable,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        planned = network
        if pressure is not None:
            path = Path(folder) / "planned.inp"
            path.write_bytes(pressure.inp)
            planned = load(path)
        with Engine(network) as engine:
            lowest = dict(zip(engine.topology.nodes, day.pressure.min(axis=0).tolist(), strict=True))
        with Engine(planned) as engine:
            customers = customers_of(network, engine.topology, run_day(engine), norm)
            names = [engine.topology.nodes[k] for k in customers.at.tolist()]
        kept = np.minimum(customers.due, [lowest.get(name, -np.inf) for name in names])
        plan = plan_pumps(planned, customers, kept, rules)
    if plan is None:
        notes.append(mark("pumps: the network has none"))
    elif not plan.is_kept:
        told = mark("pumps: no schedule was found that keeps everything ({why}); it is no advice")
        notes.append(Sentence(told, why=plan.why))
    elif plan.after.even_cost >= plan.before.even_cost:
        notes.append(mark("pumps: the present controls cost no more than the schedule that was found; leave them"))
    elif plan.price_source == "flat":
        notes.append(
            mark("pumps: neither [tariff] nor the model has prices by the hour, so nothing is gained by the hour")
        )
    return plan


def _loggers(network: Network, design: Design | None, given: PlanInput) -> Loggers | None:
    """Place loggers in the blocks that there are, or else in those of the design."""
    if not given.sensors.count:
        return None
    if network.nodes is not None and (network.nodes["dma"] != "").any():
        rows = network.nodes[network.nodes["dma"] != ""]
        members: Mapping[str, list[str]] = {str(k): list(v["node"]) for k, v in rows.groupby("dma", sort=False)}
    else:
        blocks = design.blocks if design is not None else ()
        members = {block.name: list(block.nodes) for block in blocks if block.length > 0.0}
    if not members:
        return None
    assumed = Assumptions(leak=given.sensors.leak / 3600.0)
    with Engine(network) as engine:
        zones = zones_of(engine, members)
        placement = place_sensors(engine, zones, given.sensors.count, assumed)
        promises = {
            count: expect(engine, zones, _first(engine, zones, placement, count, assumed), assumed)
            for count in sorted({c for c in _COUNTS if c < given.sensors.count} | {given.sensors.count})
        }
    return Loggers(placement, promises)


def _first(engine: Engine, zones: list[Zone], placed: Placement, count: int, assumed: Assumptions) -> tuple[str, ...]:
    return placed.sensors if count == len(placed.sensors) else place_sensors(engine, zones, count, assumed).sensors


def customers_out(network: Network, links: list[int]) -> Floats:
    """Connections without water while each pipe is repaired; NaN where no valves or no connections are known."""
    site = site_of(network, ())
    segments, out = site.segments, {}
    if segments is None or site.connections is None:
        return np.full(len(links), np.nan)
    for link in links:
        segment = int(segments.of_link[link])
        if segment not in out:
            out[segment] = site.customers(segments.isolate(link).nodes) or 0
    return np.array([out[int(segments.of_link[link])] for link in links], dtype=np.float64)
