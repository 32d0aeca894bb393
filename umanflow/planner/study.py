"""The whole plan: diagnosis, blocks, pressure, loggers, renewal, and the programme that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from models.breaks import fit_breaks
from models.prospect import Prospect, expect
from models.sensing import Assumptions, Placement, Zone, place_sensors, zones_of
from networks import Network
from umanflow.planner.blocks import BlockRules, Design, design_blocks
from umanflow.planner.condition import Condition, condition_of
from umanflow.planner.diagnosis import Diagnosis, diagnose
from umanflow.planner.inputs import PlanInput
from umanflow.planner.leaking import Leaking
from umanflow.planner.modelcheck import Checked, check_model
from umanflow.planner.pressure import Norm, PressurePlan, equipped_network, plan_pressure
from umanflow.planner.programme import Measure, Programme, Year, findable, limits, saved_money, spread_of_ratio
from umanflow.planner.renewal import Renewal, RenewalCosts, history_of, rank_pipes
from umanflow.planner.sentence import Sentence
from umanflow.planner.simulation import Day, run_day
from umanflow.report.site import site_of
from umanflow.report.wording import mark

Floats = NDArray[np.float64]

_COUNTS = (5, 10, 20, 40, 80)


@dataclass(frozen=True, slots=True)
class Loggers:
    """Where loggers go, and what so many of them promise.

    Attributes
    ----------
    placement
        In the order in which they help.
    promises
        By number of loggers: share of leaks seen, median distance, share placed within 300 m.
    """

    placement: Placement
    promises: dict[int, Prospect]


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
        diagnosis = diagnose(network, engine, day, norm, topology.length)
        leakage = Leaking.of(engine).by_pipe(day.leakage_m3d)
        condition = condition_of(network, topology, day, leakage, norm)
        diameter = engine.read("link", "diameter")
    tell(0.1)
    rules = BlockRules(**given.blocks.model_dump(exclude={"reopen"}))
    designs = tuple(design_blocks(network, rules, norm, given.blocks.reopen))
    tell(0.35)
    pressure = None
    if network.dmas is not None and network.nodes is not None:
        pressure = plan_pressure(network, norm)
    else:
        notes.append(mark("pressure: set-points are planned once blocks are built and listed in dmas.csv"))
    tell(0.55)
    loggers = _loggers(network, designs[0], given)
    tell(0.7)
    renewal = None
    if network.pipes is not None and network.breaks is not None and len(network.breaks):
        names, history = history_of(network, topology, diameter)
        at = [topology.link(name) for name in names]
        costs = RenewalCosts(
            **given.renewal.model_dump(exclude={"share_of_budget"}), discount=given.programme.discount,
            water=given.water.variable_cost,
        )  # fmt: skip
        customers = _customers_out(network, at)
        if np.isnan(customers).any():
            notes.append(mark("renewal: no valves.csv, so customers out of water do not count in the ranking"))
        renewal = rank_pipes(names, history, leakage[at], np.nan_to_num(customers), costs)
    else:
        notes.append(mark("renewal: needs pipes.csv (material, year) and breaks.csv"))
    notes.append(mark("pump schedules against tariff and power cuts are not part of this plan yet"))
    programme = _Builder(network, given, designs[0], pressure, renewal, day).build(tell)
    tell(1.0)
    return Plan(
        network.name, network.sha256, network.is_synthetic, given, diagnosis, designs, pressure, loggers, renewal,
        programme, tuple(notes), condition, check_model(network),
    )  # fmt: skip


def _loggers(network: Network, design: Design, given: PlanInput) -> Loggers | None:
    """Place loggers in the blocks that there are, or else in those of the design."""
    if not given.sensors.count:
        return None
    if network.nodes is not None and (network.nodes["dma"] != "").any():
        rows = network.nodes[network.nodes["dma"] != ""]
        members: Mapping[str, list[str]] = {str(k): list(v["node"]) for k, v in rows.groupby("dma", sort=False)}
    else:
        members = {block.name: list(block.nodes) for block in design.blocks if block.length > 0.0}
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


def _customers_out(network: Network, links: list[int]) -> Floats:
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


def _parts(lost: Mapping[str, Floats]) -> dict[str, Floats]:
    """What each part takes off the leakage of doing nothing in each year, float64 [n_years], m3/d."""
    return {
        "finding": lost["nothing"] - lost["finding"], "pressure": lost["finding"] - lost["pressure"],
        "renewal": lost["pressure"] - lost["plan"], "growth": lost["nothing"][:1] - lost["nothing"],
    }  # fmt: skip


class _Builder:
    """Spends the budget year by year and simulates each year's state."""

    def __init__(
        self, network: Network, given: PlanInput, design: Design, pressure: PressurePlan | None,
        renewal: Renewal | None, day: Day,
    ) -> None:  # fmt: skip
        self._network, self._given, self._design = network, given, design
        self._pressure, self._renewal, self._day = pressure, renewal, day
        self._measures: list[Measure] = []

    def build(self, tell: Callable[[float], None]) -> Programme:
        """Schedule, simulate, count."""
        given = self._given
        first, count = given.programme.start_year, given.programme.years
        renewed = self._schedule()
        ready = max((m.year for m in self._measures if m.kind in ("blocks", "loggers")), default=first) - first + 1
        held = next((m.year - first + 1 for m in self._measures if m.kind == "pressure"), None)
        looks = {year: year > ready for year in range(1, count + 1)}
        left = {"plan": findable(given, count, looks), "nothing": findable(given, count, {})}
        states: dict[str, list[Day]] = {"plan": [], "nothing": [], "finding": [], "pressure": []}
        with self._engine() as (engine, settings):
            leaking = Leaking.of(engine)
            links, fixed = engine.topology.link_index, 1.0 - given.leakage.findable
            for year in range(1, count + 1):
                for kind, days in states.items():
                    factor = np.full(
                        len(engine.topology.links), fixed + left["nothing" if kind == "nothing" else "plan"][year]
                    )
                    if kind == "plan":
                        factor[[links[name] for name in renewed[year]]] *= given.renewal.new_leakage
                    leaking.scale(factor)
                    has_pressure = kind in ("plan", "pressure") and held is not None and year >= held
                    days.append(run_day(engine, settings if has_pressure else None))
                tell(0.75 + 0.25 * year / count)
        new = {first + k - 1: tuple(renewed[k][len(renewed[k - 1]) :]) for k in range(1, count + 1)}
        parts = _parts({kind: np.array([day.leakage_m3d.sum() for day in days]) for kind, days in states.items()})
        measured = {name: parts[name] for name in ("finding", "pressure", "renewal")}
        return Programme(tuple(self._measures), self._years(states, renewed), new, measured)

    @contextmanager
    def _engine(self) -> Iterator[tuple[Engine, dict[str, Floats]]]:
        """The network with the plan's valves, and their set-points."""
        network, settings = self._network, {}
        if self._pressure is not None:
            network = equipped_network(self._network, self._pressure)
            settings = {valve.valve: valve.after for valve in self._pressure.valves}
        with Engine(network) as engine:
            yield engine, settings

    def _schedule(self) -> dict[int, list[str]]:
        """Fill years with measures; the renewed pipes by year from 1, all years before included."""
        given = self._given
        first, count, budget = given.programme.start_year, given.programme.years, given.programme.budget
        waiting: list[tuple[str, str, float, str]] = []
        new = self._network.dmas is None
        if new and self._design.blocks:
            meters = sum(len(block.inlets) for block in self._design.blocks)
            valves = len({v for block in self._design.blocks for v in block.new_valves})
            what = mark("{n} blocks: {meters} meters, {valves} new valves")
            waiting.append((
                "blocks", Sentence(what, n=len(self._design.blocks), meters=meters, valves=valves), self._design.cost,
                Sentence(mark("shut each block's inlets at night: its flow is zero and its pressure falls")),
            ))  # fmt: skip
        if self._pressure is not None and self._pressure.valves:
            bought = sum(valve.is_new for valve in self._pressure.valves)
            cost = bought * given.pressure.valve_cost + len(self._pressure.valves) * given.pressure.controller_cost
            what = mark("set-points by the hour at {n} valves, {new} new")
            seen = mark("leakage falls by {saved} m³/d; night flows as simulated, within a third")
            waiting.append((
                "pressure", Sentence(what, n=len(self._pressure.valves), new=bought), cost,
                Sentence(seen, saved=round(self._pressure.saved)),
            ))  # fmt: skip
        if given.sensors.count:
            seen = mark("open a hydrant by {leak} m³/h in each block: it is found within the stated metres")
            waiting.append((
                "loggers", Sentence(mark("{n} pressure loggers"), n=given.sensors.count),
                given.sensors.count * given.sensors.cost, Sentence(seen, leak=given.sensors.leak),
            ))  # fmt: skip
        renewed: dict[int, list[str]] = {0: []}
        at = 0
        for year in range(1, count + 1):
            purse = budget
            while waiting and waiting[0][2] <= purse:
                kind, what, cost, verify = waiting.pop(0)
                purse -= cost
                self._measures.append(Measure(first + year - 1, kind, what, cost, verify))
            if waiting and waiting[0][2] > budget and purse == budget:  # larger than a year's money: saved up for
                kind, what, cost, verify = waiting.pop(0)
                self._measures.append(Measure(first + year - 1, kind, what, cost, verify))
                purse = 0.0
            chosen, at, spent = self._renew(at, min(purse, given.renewal.share_of_budget * budget))
            renewed[year] = renewed[year - 1] + chosen
            if chosen:
                metres = sum(self._length(name) for name in chosen)
                what = Sentence(mark("{km} km in {n} pipes"), km=round(metres / 1000.0, 1), n=len(chosen))
                self._measures.append(Measure(
                    first + year - 1, "renewal", what, spent,
                    Sentence(mark("breaks of these pipes in the three years after, beside those expected of them")),
                ))  # fmt: skip
        return renewed

    def _renew(self, at: int, purse: float) -> tuple[list[str], int, float]:
        renewal, chosen, spent = self._renewal, [], 0.0
        if renewal is None:
            return [], at, 0.0
        while at < len(renewal.pipes) and spent + renewal.cost[at] <= purse:
            chosen.append(renewal.pipes[at])
            spent += float(renewal.cost[at])
            at += 1
        return chosen, at, spent

    def _length(self, pipe: str) -> float:
        assert self._renewal is not None
        return float(self._renewal.length[self._renewal.pipes.index(pipe)])

    def _years(self, states: Mapping[str, list[Day]], renewed: Mapping[int, list[str]]) -> tuple[Year, ...]:
        given, count = self._given, self._given.programme.years
        lost = {kind: np.array([day.leakage_m3d.sum() for day in days]) for kind, days in states.items()}
        demand = self._demand()
        billed = given.water.billed_share * demand
        parts = _parts(lost)
        drawn = spread_of_ratio(given, billed, demand, lost["plan"], parts)
        low, high = limits(drawn)
        breaks = self._breaks(renewed)
        spent = [sum(m.cost for m in self._measures if m.year == given.programme.start_year + k) for k in range(count)]
        found, balance = [], 0.0
        for k in range(count):
            less = float(lost["nothing"][k] - lost["plan"][k])
            pumping = states["nothing"][k].pumping - states["plan"][k].pumping
            money, energy, co2 = saved_money(given, less, breaks[1][k] - breaks[0][k], pumping)
            repairs = (
                max(float(parts["finding"][k] - (parts["finding"][k - 1] if k else 0.0)), 0.0) * given.leakage.repair
            )
            cost = spent[k] + repairs
            balance += (money - cost) / (1.0 + given.programme.discount) ** k
            found.append(Year(
                given.programme.start_year + k, float(lost["plan"][k]), float(lost["nothing"][k]), demand,
                float(billed / (demand + lost["plan"][k])), float(low[k]), float(high[k]),
                float(billed / (demand + lost["nothing"][k])), float(billed / (demand + lost["pressure"][k])),
                float((drawn[:, k] >= given.programme.target).mean()),
                breaks[0][k], breaks[1][k], sum(self._length(n) for n in renewed[k + 1]) / 1000.0, cost, money, energy,
                co2, balance,
            ))  # fmt: skip
        return tuple(found)

    def _demand(self) -> float:
        """What the city's customers take, m3/d: a table of nodes leaves out those who are served on the way to it."""
        taken = self._day.demand_m3d
        if self._network.nodes is None:
            return float(taken.sum())
        with Engine(self._network) as engine:
            return float(taken[[engine.topology.node(name) for name in self._network.nodes["node"]]].sum())

    def _breaks(self, renewed: Mapping[int, list[str]]) -> tuple[list[float], list[float]]:
        """Expected breaks of each year with the programme and without; nothing without a record."""
        given, count = self._given, self._given.programme.years
        if self._renewal is None:
            return [0.0] * count, [0.0] * count
        with Engine(self._network) as engine:
            names, history = history_of(self._network, engine.topology, engine.read("link", "diameter"))
        model, row = fit_breaks(history), {name: k for k, name in enumerate(names)}
        fewer = np.zeros(len(names))
        if self._pressure is not None and self._network.pipes is not None:
            by_zone = {zone.zone: zone.fewer_bursts for zone in self._pressure.zones}
            fewer = np.array([by_zone.get(str(dma), 0.0) for dma in self._network.pipes["dma"]])
        held = next((m.year for m in self._measures if m.kind == "pressure"), None)
        plan, nothing = [], []
        for k in range(count):
            year = given.programme.start_year + k
            expected = model.rate(year)[0] * history.length
            nothing.append(float(expected.sum()))
            new = np.zeros(len(names), dtype=bool)
            new[[row[name] for name in renewed[k]]] = True
            kept = np.where(new, given.renewal.new_breaks * history.length, expected)
            plan.append(float((kept * (1.0 - fewer * (held is not None and year > held))).sum()))
        return plan, nothing
