"""Words for the keys of a plan: kinds of measures, severities of findings, and the numbers that it is made from."""

from __future__ import annotations

from umanflow.report.wording import mark

KINDS = {
    "blocks": mark("Blocks"),
    "pressure": mark("Pressure"),
    "pumps": mark("Pumps"),
    "survey": mark("Looking for leaks"),
    "loggers": mark("Loggers"),
    "renewal": mark("Renewal"),
}
PRICES = {
    "study": mark("as stated in plan.toml"),
    "model": mark("as the model has it"),
    "flat": mark("the same at every hour"),
}
SEVERITY = {"error": mark("error"), "warning": mark("warning"), "note": mark("note")}
MATERIALS = {
    name: name
    for name in (
        mark("cast iron"), mark("ductile iron"), mark("steel"), mark("asbestos cement"), mark("concrete"),
    )
}  # fmt: skip
GIVEN = {
    "programme.start_year": mark("First year"),
    "programme.years": mark("Years"),
    "programme.budget": mark("Budget, UAH a year"),
    "programme.discount": mark("Discount rate a year"),
    "programme.target": mark("Target of revenue water"),
    "programme.draws": mark("Draws behind the limits"),
    "programme.seed": mark("Seed of the draws"),
    "water.billed_share": mark("Share of what customers take that is billed"),
    "water.variable_cost": mark("Variable cost of water, UAH/m³"),
    "water.tariff": mark("Tariff, UAH/m³"),
    "water.energy_price": mark("Price of electricity, UAH/kWh"),
    "water.pump_efficiency": mark("Efficiency of pump and motor"),
    "water.co2": mark("CO₂ of electricity, kg/kWh"),
    "water.supply_energy": mark("Energy before the model's sources, kWh/m³"),
    "leakage.rise": mark("Growth of leakage a year where nobody looks"),
    "leakage.findable": mark("Share of leakage that crews can find"),
    "leakage.found_by_survey": mark("Share of it that a survey finds"),
    "leakage.found_without": mark("Share of it found in a year without a survey"),
    "leakage.repair": mark("Repairing, UAH for m³/d"),
    "leakage.survey_km": mark("Survey, UAH/km"),
    "leakage.spread": mark("Relative uncertainty of each effect"),
    "norm.first": mark("Free head for one storey, m"),
    "norm.further": mark("Free head for each further storey, m"),
    "norm.most": mark("Highest pressure allowed, m"),
    "norm.margin": mark("Margin above the norm, m"),
    "blocks.least": mark("Least connections of a block"),
    "blocks.most": mark("Most connections of a block"),
    "blocks.inlets": mark("Most meters of a block"),
    "blocks.fire_flow": mark("Fire flow, m³/s"),
    "blocks.fire_head": mark("Free head that a fire has to leave, m"),
    "blocks.meter_cost": mark("Meter, UAH: first part and part by m of diameter"),
    "blocks.valve_cost": mark("Valve, UAH: first part and part by m of diameter"),
    "blocks.reopen": mark("Forget which links are shut now"),
    "pressure.valve_cost": mark("New pressure valve with its chamber, UAH"),
    "pressure.controller_cost": mark("Controller with set-points by the hour, UAH"),
    "pressure.places": mark("Places of valves inside blocks that are simulated"),
    "age.days": mark("Days over which the water's age is followed"),
    "age.most": mark("Age above which water counts as old, h"),
    "tariff.prices": mark("Prices of electricity by the hour, UAH/kWh; none: the model's"),
    "pumps.plan": mark("Plan pump timetables"),
    "pumps.outage": mark("Power cut that tanks are to bridge, h"),
    "pumps.start_cost": mark("Start of a pump, UAH"),
    "pumps.variable": mark("Further pumps of variable speed"),
    "pumps.station_cost": mark("Station's controller with a timetable, UAH"),
    "pumps.spread": mark("Relative uncertainty of what timetables save"),
    "sensors.count": mark("Number of pressure loggers"),
    "sensors.cost": mark("Logger, UAH"),
    "sensors.leak": mark("Leak that they are placed for, m³/h"),
    "renewal.share_of_budget": mark("Share of the budget kept for renewal"),
    "renewal.horizon": mark("Years over which avoided costs count"),
    "renewal.pipe_first": mark("New pipe, UAH/m: first part"),
    "renewal.pipe_by_diameter": mark("New pipe, UAH/m by m of diameter"),
    "renewal.repair": mark("Repair of a break, UAH"),
    "renewal.break_m3": mark("Water lost by a break, m³"),
    "renewal.outage_hours": mark("Hours without water at a repair"),
    "renewal.outage_value": mark("An hour without water, UAH a connection"),
    "renewal.new_breaks": mark("Breaks of new pipe, a km and year"),
    "renewal.new_leakage": mark("Leakage of new pipe, share of the old"),
}
# what the ranking of pipes is tried with, by the names of its prices
ASSUMPTION_OF = {
    "discount": "programme.discount",
    "water": "water.variable_cost",
    **{name: f"renewal.{name}" for name in (
        "horizon", "pipe_first", "pipe_by_diameter", "repair", "break_m3", "outage_hours", "outage_value",
        "new_breaks", "new_leakage",
    )},
}  # fmt: skip
