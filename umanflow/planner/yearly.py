"""The programme's years: measures bought in order under a budget, and every year's state simulated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from models.breaks import fit_breaks
from networks import Network
from umanflow.planner.customers import customers_of
from umanflow.planner.inputs import PlanInput
from umanflow.planner.leaking import Leaking
from umanflow.planner.parts import Parts
from umanflow.planner.pressure import Norm, equipped_network
from umanflow.planner.programme import Measure, Programme, Year, findable, limits, saved_money, spread_of_ratio
from umanflow.planner.renewal import history_of
from umanflow.planner.sentence import Sentence
from umanflow.planner.simulation import Day, run_day
from umanflow.planner.surveys import Survey, links_of, plan_surveys, surveys_in
from umanflow.planner.verification import (
    Check,
    check_blocks,
    check_loggers,
    check_pressure,
    check_pumps,
    check_renewal,
    check_survey,
)
from umanflow.report.wording import mark

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_DAYS = 365.25


def _parts(lost: Mapping[str, Floats]) -> dict[str, Floats]:
    """What each part takes off the leakage of doing nothing in each year, float64 [n_years], m3/d."""
    return {
        "finding": lost["nothing"] - lost["finding"], "pressure": lost["finding"] - lost["pressure"],
        "renewal": lost["pressure"] - lost["plan"], "growth": lost["nothing"][:1] - lost["nothing"],
    }  # fmt: skip


class Builder:
    """Spends the budget year by year and simulates each year's state."""

    def __init__(self, network: Network, given: PlanInput, parts: Parts, day: Day) -> None:
        self._network, self._given, self._parts, self._day = network, given, parts, day
        self._design, self._pressure, self._renewal = parts.design, parts.pressure, parts.renewal
        self._measures: list[Measure] = []
        self._checks: list[Check] = []
        self._renewed_in: dict[int, list[str]] = {}

    def build(self, tell: Callable[[float], None]) -> Programme:
        """Schedule, simulate, count."""
        given = self._given
        first, count = given.programme.start_year, given.programme.years
        with self._engine() as (engine, settings):
            topology = engine.topology
            leaking = Leaking.of(engine)
            districts = self._districts(engine)
            surveys = self._surveys(engine, leaking, districts)
            renewed, ready = self._schedule(surveys)
            held = next((m.year - first + 1 for m in self._measures if m.kind == "pressure"), None)
            left = self._left(surveys, ready)
            states: dict[str, list[Day]] = {"plan": [], "nothing": [], "finding": [], "pressure": []}
            inside = {name: links_of(topology, nodes) for name, nodes in districts.items()}
            fixed = 1.0 - given.leakage.findable
            for year in range(1, count + 1):
                for kind, days in states.items():
                    factor = np.full(len(topology.links), fixed + left[""][year])
                    for name, links in inside.items():
                        factor[links] = fixed + left["" if kind == "nothing" else name][year]
                    if kind == "plan":
                        factor[[topology.link_index[name] for name in renewed[year]]] *= given.renewal.new_leakage
                    leaking.scale(factor)
                    has_pressure = kind in ("plan", "pressure") and held is not None and year >= held
                    days.append(self._day_of(engine, settings if has_pressure else None))
                tell(0.75 + 0.25 * year / count)
        self._check(states["plan"], districts, surveys, ready)
        begun = tuple(replace(s, first_year=self._first_survey(s, ready)) for s in surveys)
        new = {first + k - 1: tuple(renewed[k][len(renewed[k - 1]) :]) for k in range(1, count + 1)}
        parts = _parts({kind: np.array([day.leakage_m3d.sum() for day in days]) for kind, days in states.items()})
        measured = {name: parts[name] for name in ("finding", "pressure", "renewal")}
        return Programme(tuple(self._measures), self._years(states, renewed), new, measured, begun, tuple(self._checks))

    def _day_of(self, engine: Engine, settings: dict[str, Floats] | None) -> Day:
        """A day, with what the new valves' zones need shut while they are set."""
        shut = [name for valve in self._pressure.valves for name in valve.closes] if settings and self._pressure else []
        for name in shut:
            engine.set_status(name, is_open=False)
        day = run_day(engine, settings)
        for name in shut:
            engine.set_status(name, is_open=True)
        return day

    def _districts(self, engine: Engine) -> dict[str, Ints]:
        """Nodes of the blocks that there are, else of the design's, else of the whole network."""
        nodes, index = self._network.nodes, engine.topology.node_index
        members: dict[str, list[str]] = {}
        if nodes is not None and (nodes["dma"] != "").any():
            rows = nodes[nodes["dma"] != ""]
            members = {str(k): [str(n) for n in v["node"]] for k, v in rows.groupby("dma", sort=False)}
        elif self._design is not None:
            members = {block.name: list(block.nodes) for block in self._design.blocks}
        if not members:
            return {"all": engine.junctions}
        self._add_chambers(engine, members)
        return {name: np.array([index[n] for n in names], dtype=np.int64) for name, names in members.items()}

    def _add_chambers(self, engine: Engine, members: dict[str, list[str]]) -> None:
        """A new valve's chamber lies in the district that holds both ends of its pipe: so does the pipe then."""
        topology, home = engine.topology, {node: name for name, nodes in members.items() for node in nodes}
        for valve in self._pressure.valves if self._pressure is not None else ():
            chamber, behind = (topology.nodes[n[topology.link(valve.valve)]] for n in (topology.start, topology.end))
            if not valve.is_new or chamber in home:
                continue
            ends = [topology.nodes[n[topology.link(valve.inlet)]] for n in (topology.start, topology.end)]
            far = ends[0] if ends[1] == chamber else ends[1]
            if home.get(far) is not None and home.get(far) == home.get(behind):
                members[home[far]].append(chamber)

    def _surveys(self, engine: Engine, leaking: Leaking, districts: Mapping[str, Ints]) -> tuple[Survey, ...]:
        day, given = run_day(engine), self._given
        norm = Norm(**given.norm.model_dump())
        customers = customers_of(self._network, engine.topology, day, norm)
        connections = np.zeros(len(engine.topology.nodes))
        connections[customers.at] = customers.connections
        rules = given.leakage.rise, given.leakage.survey_km, given.water.variable_cost
        by_link = leaking.by_pipe(day.leakage_m3d)
        return plan_surveys(
            engine.topology, day, {k: v.tolist() for k, v in districts.items()}, connections, by_link, rules
        )

    def _left(self, surveys: tuple[Survey, ...], ready: int) -> dict[str, Floats]:
        """Findable leakage left by year in each district, and under "" where nobody surveys."""
        count = self._given.programme.years
        left = {"": findable(self._given, count, {})}
        for survey in surveys:
            number = {year: surveys_in(survey, year, ready) for year in range(1, count + 1)}
            left[survey.district] = findable(self._given, count, number)
        return left

    def _first_survey(self, survey: Survey, ready: int) -> int:
        given = self._given.programme
        years = (y for y in range(1, given.years + 1) if surveys_in(survey, y, ready))
        found = next(years, None)
        return 0 if found is None else given.start_year + found - 1

    @contextmanager
    def _engine(self) -> Iterator[tuple[Engine, dict[str, Floats]]]:
        """The network with the plan's valves, and their set-points."""
        network, settings = self._network, {}
        if self._pressure is not None:
            network = equipped_network(self._network, self._pressure)
            settings = {valve.valve: valve.after for valve in self._pressure.valves}
        with Engine(network) as engine:
            yield engine, settings

    def _waiting(self) -> list[tuple[str, str, float, str]]:
        """What is bought before renewal, in order: kind, what, UAH, how to see that it worked."""
        given, waiting = self._given, list[tuple[str, str, float, str]]()
        if self._builds_blocks:
            assert self._design is not None
            meters = sum(len(block.inlets) for block in self._design.blocks)
            valves = len({v for block in self._design.blocks for v in block.new_valves})
            what = mark("{n} blocks: {meters} meters, {valves} new valves")
            waiting.append((
                "blocks", Sentence(what, n=len(self._design.blocks), meters=meters, valves=valves), self._design.cost,
                Sentence(mark("shut each block's inlets at night: its flow is zero and its pressure falls")),
            ))  # fmt: skip
        pressure, pumping = self._parts.pressure, self._parts.pumping
        if pressure is not None and pressure.valves and pressure.saved > 0.0:
            bought = sum(valve.is_new for valve in pressure.valves)
            cost = bought * given.pressure.valve_cost + len(pressure.valves) * given.pressure.controller_cost
            cost += sum(p.cost - given.pressure.valve_cost - given.pressure.controller_cost
                        for p in pressure.places if p.is_chosen)  # fmt: skip
            what = mark("set-points by the hour at {n} valves, {new} new")
            seen = mark("leakage falls by {saved} m³/d; night flows and pressures lie within their limits")
            waiting.append((
                "pressure", Sentence(what, n=len(pressure.valves), new=bought), cost,
                Sentence(seen, saved=round(pressure.saved)),
            ))  # fmt: skip
        if pumping is not None and self._pump_saving > 0.0:
            stations = len({hour.station for hour in pumping.hours})
            what, seen = mark("timetables for {n} pump stations"), mark("electricity costs {saved} UAH/d less")
            waiting.append((
                "pumps", Sentence(what, n=stations), stations * given.pumps.station_cost,
                Sentence(seen, saved=round(pumping.before.even_cost - pumping.after.even_cost)),
            ))  # fmt: skip
        if given.sensors.count and self._parts.loggers is not None:
            seen = mark("open a hydrant by {leak} m³/h in each block: it is found within the stated metres")
            waiting.append((
                "loggers", Sentence(mark("{n} pressure loggers"), n=given.sensors.count),
                given.sensors.count * given.sensors.cost, Sentence(seen, leak=given.sensors.leak),
            ))  # fmt: skip
        return waiting

    @property
    def _builds_blocks(self) -> bool:
        """Whether blocks are to be built: there are none, and the design leaves nobody short."""
        design = self._design
        return self._network.dmas is None and design is not None and bool(design.blocks) and not design.newly_short

    @property
    def _pump_saving(self) -> float:
        """UAH a year that the schedules save; 0 where there is none that can be advised."""
        plan = self._parts.pumping
        if plan is None or not plan.is_kept:
            return 0.0
        return max((plan.before.even_cost - plan.after.even_cost) * _DAYS, 0.0)

    @property
    def _pump_energy(self) -> float:
        """Energy that the schedules save, kWh a year."""
        plan = self._parts.pumping
        return 0.0 if plan is None else (plan.before.energy - plan.after.energy) * _DAYS

    def _schedule(self, surveys: tuple[Survey, ...]) -> tuple[dict[int, list[str]], int]:
        """Fill years with measures.

        Returns
        -------
        dict, int
            Renewed pipes by year from 1, all years before included; and the year from 1 in which blocks and loggers
            are there, so that surveys begin in the next.
        """
        given = self._given
        first, count, budget = given.programme.start_year, given.programme.years, given.programme.budget
        waiting = self._waiting()
        renewed: dict[int, list[str]] = {0: []}
        at, ready = 0, 1
        for year in range(1, count + 1):
            purse = budget
            if not any(kind in ("blocks", "loggers") for kind, *_ in waiting):
                purse -= self._survey(surveys, year, ready)
            while waiting and waiting[0][2] <= purse:
                kind, what, cost, verify = waiting.pop(0)
                purse -= cost
                ready = year if kind in ("blocks", "loggers") else ready
                self._measures.append(Measure(first + year - 1, kind, what, cost, verify))
            if waiting and waiting[0][2] > budget and purse == budget:  # larger than a year's money: saved up for
                kind, what, cost, verify = waiting.pop(0)
                ready = year if kind in ("blocks", "loggers") else ready
                self._measures.append(Measure(first + year - 1, kind, what, cost, verify))
                purse = 0.0
            chosen, at, spent = self._renew(at, min(purse, given.renewal.share_of_budget * budget))
            renewed[year] = renewed[year - 1] + chosen
            if chosen:
                self._renewed_in[first + year - 1] = chosen
                metres = sum(self._length(name) for name in chosen)
                said = Sentence(mark("{km} km in {n} pipes"), km=round(metres / 1000.0, 1), n=len(chosen))
                self._measures.append(Measure(
                    first + year - 1, "renewal", said, spent,
                    Sentence(mark("breaks of these pipes in the three years after, beside those expected of them")),
                ))  # fmt: skip
        if any(kind in ("blocks", "loggers") for kind, *_ in waiting):
            ready = count  # never paid for
        return renewed, ready

    def _survey(self, surveys: tuple[Survey, ...], year: int, ready: int) -> float:
        """Enter a year's surveys; what they cost."""
        due = [(s, surveys_in(s, year, ready)) for s in surveys]
        cost = sum(s.cost * number for s, number in due)
        names = [s.district for s, number in due if number]
        if names:
            what = Sentence(mark("leaks looked for in {places}"), places=", ".join(names))
            seen = mark("night flow of each district falls to the stated one; a step test where it does not")
            year_of = self._given.programme.start_year + year - 1
            self._measures.append(Measure(year_of, "survey", what, cost, Sentence(seen)))
        return cost

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
        pumps = next((m.year for m in self._measures if m.kind == "pumps"), None)
        found, balance = [], 0.0
        for k in range(count):
            less = float(lost["nothing"][k] - lost["plan"][k])
            pumping = states["nothing"][k].pumping - states["plan"][k].pumping
            money, energy, co2 = saved_money(given, less, breaks[1][k] - breaks[0][k], pumping)
            if pumps is not None and given.programme.start_year + k > pumps:
                money += self._pump_saving
                energy += self._pump_energy
                co2 += self._pump_energy * given.water.co2
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

    def _check(self, days: list[Day], districts: Mapping[str, Ints], surveys: tuple[Survey, ...], ready: int) -> None:
        """What to measure after each step, from what was simulated."""
        given, parts, year_of = self._given, self._parts, {m.kind: m.year for m in reversed(self._measures)}
        spread, first = given.leakage.spread, given.programme.start_year
        if self._builds_blocks and self._design is not None:
            with Engine(self._network) as engine:
                index = engine.topology.node_index
            self._checks += check_blocks(self._design, self._day, index, year_of.get("blocks", 0))
        if parts.pressure is not None and parts.pressure.saved > 0.0:
            self._checks += check_pressure(parts.pressure, spread, year_of.get("pressure", 0))
        if parts.pumping is not None and self._pump_saving > 0.0:
            self._checks += check_pumps(parts.pumping, given.pumps.spread, year_of.get("pumps", 0))
        if parts.loggers is not None:
            promise = parts.loggers.promises[given.sensors.count]
            self._checks.append(check_loggers(
                given.sensors.count, given.sensors.leak, promise.distance, promise.within, year_of.get("loggers", 0)
            ))  # fmt: skip
        for year in range(2, given.programme.years + 1):
            due = [s.district for s in surveys if surveys_in(s, year, ready)]
            pair = days[year - 2], days[year - 1]
            self._checks += check_survey(districts, pair, due, spread, first + year - 1)
        for measure in self._measures:
            if measure.kind == "renewal":
                self._checks.append(self._check_of_renewal(measure))
        self._checks.sort(key=lambda check: check.year)

    def _check_of_renewal(self, measure: Measure) -> Check:
        """Breaks a year of the pipes of one year's renewal, before and after."""
        assert self._renewal is not None
        names = self._renewed_in[measure.year]
        at = [self._renewal.pipes.index(name) for name in names]
        km = self._renewal.length[at] / 1000.0
        before = float((self._renewal.rate[at] * km).sum())
        return check_renewal(len(names), before, float(self._given.renewal.new_breaks * km.sum()), measure.year)
