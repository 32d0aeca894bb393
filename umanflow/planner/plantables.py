"""Every table of a plan: its header and rows, as they stand in CSV files and in reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

from umanflow.planner.blocks import Design
from umanflow.planner.programme import Year
from umanflow.planner.pumping import PumpPlan
from umanflow.planner.study import Plan
from umanflow.planner.verification import Check

Row = Sequence[object]
Table = tuple[tuple[str, ...], Iterable[Row]]


def tables(plan: Plan) -> dict[str, Table]:
    """Every table of a plan by name: header and rows."""
    found: dict[str, Table] = {
        "trajectory": _of(Year, plan.programme.years),
        "measures": (
            ("year", "kind", "what", "cost_uah", "verify"),
            [(m.year, m.kind, m.what, m.cost, m.verify) for m in plan.programme.measures],
        ),
        "verification": _of(Check, plan.programme.checks),
        "surveys": (
            ("district", "length_m", "connections", "leakage_m3d", "unavoidable_m3d", "rise_m3d_a_year", "cost_uah",
             "interval_months", "surveys_a_year", "budget_uah_a_year", "economic_m3d", "first_year"),
            [tuple(asdict(survey).values()) for survey in plan.programme.surveys],
        ),
        "state": (
            ("block", "connections", "length_m", "demand_m3d", "leakage_m3d", "leakage_l_per_connection_d",
             "pressure_m", "breaks_per_km_year", "age_h", "age_highest_h"),
            [tuple(asdict(b).values()) for b in plan.diagnosis.blocks],
        ),
    }  # fmt: skip
    if plan.diagnosis.nodes_age:
        found["age"] = (
            ("node", "block", "mean_h", "highest_h", "settled"),
            [(n.node, n.block, n.mean, n.highest, n.is_settled) for n in plan.diagnosis.nodes_age],
        )
    if plan.designs:
        found |= _blocks(plan.designs[0])
    found |= _pressure(plan)
    if plan.pumping is not None:
        found |= _pumps(plan.pumping)
    found |= _loggers(plan)
    found |= _renewal(plan)
    return found


def _of(kind: type[Any], rows: Iterable[Any]) -> Table:
    return tuple(f.name for f in fields(kind)), [tuple(asdict(row).values()) for row in rows]


def _blocks(design: Design) -> dict[str, Table]:
    return {
        "blocks": (
            ("block", "connections", "length_m", "inlets", "closed", "new_valves", "isolated", "fire_left_m",
             "fire_before_m"),
            [
                (b.name, b.connections, b.length, " ".join(b.inlets), " ".join(b.closed), " ".join(b.new_valves),
                 b.is_isolated, b.fire_left, b.fire_before)
                for b in design.blocks
            ],
        ),
        "block_nodes": (("node", "block"), [(n, b.name) for b in design.blocks for n in b.nodes]),
        "short": (
            ("node", "block", "due_m", "before_m", "after_m", "why"),
            [(s.node, s.block, s.due, s.before, s.after, s.why) for s in design.short],
        ),
    }  # fmt: skip


def _pressure(plan: Plan) -> dict[str, Table]:
    pressure = plan.pressure
    if pressure is None:
        return {}
    zones = pressure.zones
    return {
        "setpoints": (
            ("valve", "block", "new", "hour", "before_m", "after_m"),
            [
                (v.valve, v.zone, v.is_new, hour, v.before[hour], v.after[hour])
                for v in pressure.valves
                for hour in range(24)
            ],
        ),
        "pressure": _of(type(zones[0]), zones) if zones else (("zone",), []),
        "places": (
            ("zone", "block", "pipe", "closes", "customers", "leakage_m3d", "estimate_m3d", "saved_m3d",
             "fewer_breaks_a_year", "cost_uah", "worth_uah", "short", "short_m", "chosen", "why"),
            [
                (p.zone, p.block, p.pipe, " ".join(p.closes), p.n_customers, p.leakage, p.estimate, p.saved,
                 p.fewer_breaks, p.cost, p.worth, p.n_short, p.short_m, p.is_chosen, p.why)
                for p in pressure.places
            ],
        ),
    }  # fmt: skip


def _pumps(plan: PumpPlan) -> dict[str, Table]:
    runs = (("present", plan.before), ("schedule", plan.after))
    tests = (("present", plan.cuts_before), ("schedule", plan.cuts_after))
    return {
        "pump_hours": (
            ("station", "pump", "hour", "speed", "price"),
            [(h.station, h.pump, h.hour, h.speed, h.price) for h in plan.hours],
        ),
        "pumps": (
            ("controls", "cost_uah_d", "even_cost_uah_d", "energy_kwh_d", "peak_kw", "starts_a_day", "short_nodes",
             "short_m", "warnings"),
            [(name, r.cost, r.even_cost, r.energy, r.peak, r.starts, r.n_short, r.short_m, r.warnings)
             for name, r in runs],
        ),
        "pump_energy": (
            ("hour", "price", "present_kwh", "schedule_kwh"),
            [(hour, plan.price[hour], plan.before.energy_by_hour[hour], plan.after.energy_by_hour[hour])
             for hour in range(24)],
        ),
        "pump_volumes": (
            ("station", "present_m3d", "schedule_m3d"),
            [(name, volume, plan.after.volume[name]) for name, volume in plan.before.volume.items()],
        ),
        "tanks": (
            ("controls", "tank", "first_m", "last_m", "least_m", "highest_m", "low_m", "high_m"),
            [(name, t.tank, t.first, t.last, t.least, t.highest, t.low, t.high) for name, r in runs for t in r.tanks],
        ),
        "reserves": (
            ("zone", "usable_m3", "needed_m3", "enough", "least_present_m3", "least_schedule_m3"),
            [(r.zone, r.usable, r.needed, r.is_enough, r.least_before, r.least_after) for r in plan.reserves],
        ),
        "power_cuts": (
            ("controls", "hour", "outage_h", "connections", "dry", "short", "lasts_h"),
            [(name, c.hour, test.outage, test.connections, c.dry, c.short, c.lasts)
             for name, test in tests for c in test.cuts],
        ),
    }  # fmt: skip


def _loggers(plan: Plan) -> dict[str, Table]:
    if plan.loggers is None:
        return {}
    placement = plan.loggers.placement
    return {
        "loggers": (
            ("rank", "node", "confused_m"),
            [(k + 1, name, placement.confused[k + 1]) for k, name in enumerate(placement.sensors)],
        ),
        "logger_promises": (
            ("loggers", "leaks_seen", "median_distance_m", "within_300_m"),
            [(count, p.detected, p.distance, p.within) for count, p in plan.loggers.promises.items()],
        ),
    }


def _renewal(plan: Plan) -> dict[str, Table]:
    r = plan.renewal
    if r is None:
        return {}
    return {
        "renewal": (
            ("rank", "pipe", "length_m", "cost_uah", "avoided_uah", "breaks_per_km_year", "low", "high",
             "connections_out"),
            [
                (k + 1, name, r.length[k], r.cost[k], r.avoided[k], r.rate[k], r.low[k], r.high[k], r.customers[k])
                for k, name in enumerate(r.pipes)
            ],
        ),
        "renewal_sensitivity": (("assumption", "first_fifth_kept"), list(r.steady.items())),
    }  # fmt: skip
