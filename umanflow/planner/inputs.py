"""What a plan is computed from: a TOML that a person can edit and run again.

Every value has a default, so that a plan needs an INP alone; what the file does not state is an assumption and is said
to be one wherever the plan is shown.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from umanflow.errors import ConfigError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProgrammeSection(_Section):
    """When and for how much.

    Attributes
    ----------
    start_year, years
        Of the programme.
    budget
        UAH a year.
    discount
        Share a year.
    target
        Revenue-water ratio that is to be reached.
    draws, seed
        Of the uncertainty.
    """

    start_year: int = Field(default=2027, ge=1900, le=2200)
    years: int = Field(default=10, ge=1, le=50)
    budget: float = Field(default=60_000_000.0, gt=0)
    discount: float = Field(default=0.08, ge=0, lt=1)
    target: float = Field(default=0.85, gt=0, lt=1)
    draws: int = Field(default=400, ge=20, le=100_000)
    seed: int = 1


class WaterSection(_Section):
    """Water, money and energy.

    Attributes
    ----------
    billed_share
        Of what customers take, the share that is billed.
    variable_cost, tariff
        UAH/m3: what a m3 that leaks costs, and what one that is sold brings.
    energy_price
        UAH/kWh.
    pump_efficiency
        Of pump and motor together.
    co2
        kg/kWh.
    supply_energy
        kWh/m3 spent before the model's sources: wells, treatment, the way of bought water.
    """

    billed_share: float = Field(default=0.95, gt=0, le=1)
    variable_cost: float = Field(default=12.0, ge=0)
    tariff: float = Field(default=34.16, ge=0)
    energy_price: float = Field(default=9.5, ge=0)
    pump_efficiency: float = Field(default=0.7, gt=0, le=1)
    co2: float = Field(default=0.35, ge=0)
    supply_energy: float = Field(default=0.6, ge=0)


class LeakageSection(_Section):
    """How leakage grows, and what crews find.

    Attributes
    ----------
    rise
        Growth of leak areas a year where nobody looks, share.
    findable
        Share of present leakage that is single leaks which crews can find.
    found_by_survey
        Share of the findable in a district that a survey of it finds, and that is repaired then.
    found_without
        Share of the findable that is found in a year in which nobody surveys.
    repair
        UAH for repairing one m3/d of leakage.
    survey_km
        UAH for a survey of one km of pipe (listening, step test, correlator).
    spread
        Relative standard deviation of what is found, of the rise, and of what renewal and pressure save.
    """

    rise: float = Field(default=0.03, ge=0, le=0.5)
    findable: float = Field(default=0.45, ge=0, le=1)
    found_by_survey: float = Field(default=0.7, ge=0, le=1)
    found_without: float = Field(default=0.05, ge=0, le=1)
    repair: float = Field(default=2_500.0, ge=0)
    survey_km: float = Field(default=6_000.0, ge=0)
    spread: float = Field(default=0.25, ge=0, le=1)


class NormSection(_Section):
    """Free head by storeys, m (`umanflow.planner.pressure.Norm`)."""

    first: float = Field(default=10.0, ge=0)
    further: float = Field(default=4.0, ge=0)
    most: float = Field(default=60.0, gt=0)
    margin: float = Field(default=1.0, ge=0)


class BlocksSection(_Section):
    """Blocks (`umanflow.planner.blocks.BlockRules`); costs first + second x diameter in m, UAH."""

    least: float = Field(default=500.0, gt=0)
    most: float = Field(default=1500.0, gt=0)
    inlets: int = Field(default=2, ge=1, le=5)
    fire_flow: float = Field(default=0.010, ge=0)
    fire_head: float = 10.0
    meter_cost: tuple[float, float] = (120_000.0, 900_000.0)
    valve_cost: tuple[float, float] = (15_000.0, 180_000.0)
    reopen: bool = False


class PressureSection(_Section):
    """Pressure control: UAH for a new valve with its chamber, and for a controller with set-points by the hour.

    `places` is how many places inside blocks are simulated (0: inlets alone).
    """

    valve_cost: float = Field(default=450_000.0, ge=0)
    controller_cost: float = Field(default=120_000.0, ge=0)
    places: int = Field(default=20, ge=0, le=50)


class AgeSection(_Section):
    """Water age: days that are followed at most (0: none), and hours above which water counts as old."""

    days: int = Field(default=10, ge=0, le=60)
    most: float = Field(default=72.0, gt=0)


class TariffSection(_Section):
    """Price of electricity by hour of the clock, UAH/kWh, from midnight: 24 of them, or none for the model's own."""

    prices: tuple[float, ...] = ()

    @field_validator("prices")
    @classmethod
    def _whole_day(cls, prices: tuple[float, ...]) -> tuple[float, ...]:
        if len(prices) not in (0, 24) or any(not price >= 0.0 for price in prices):
            raise ValueError("write 24 prices, one for each hour of the clock, none below zero; or leave it out")
        return prices


class PumpsSection(_Section):
    """Pump schedules.

    Attributes
    ----------
    plan
        Whether they are planned.
    outage
        Hours of a power cut that tanks are to bridge at any time.
    start_cost
        UAH for each start of a pump.
    variable
        Pumps of variable speed beside those that the model's controls set: name, lowest and highest relative speed.
    station_cost
        UAH for a station's controller with a timetable.
    spread
        Relative standard deviation of what schedules save.
    """

    plan: bool = True
    outage: float = Field(default=2.0, ge=0, le=24)
    start_cost: float = Field(default=20.0, ge=0)
    variable: tuple[tuple[str, float, float], ...] = ()
    station_cost: float = Field(default=150_000.0, ge=0)
    spread: float = Field(default=0.25, ge=0, le=1)


class SensorsSection(_Section):
    """Loggers: how many, UAH each, and the leak that they are placed for, m3/h."""

    count: int = Field(default=30, ge=0)
    cost: float = Field(default=28_000.0, ge=0)
    leak: float = Field(default=3.0, gt=0)


class RenewalSection(_Section):
    """Renewal (`umanflow.planner.renewal.RenewalCosts`), and the share of the yearly budget that is kept for it."""

    share_of_budget: float = Field(default=0.7, ge=0, le=1)
    horizon: int = Field(default=20, ge=1, le=100)
    pipe_first: float = Field(default=2_500.0, ge=0)
    pipe_by_diameter: float = Field(default=22_000.0, ge=0)
    repair: float = Field(default=35_000.0, ge=0)
    break_m3: float = Field(default=864.0, ge=0)
    outage_hours: float = Field(default=8.0, ge=0)
    outage_value: float = Field(default=25.0, ge=0)
    new_breaks: float = Field(default=0.03, ge=0)
    new_leakage: float = Field(default=0.1, ge=0, le=1)


class PlanInput(_Section):
    """The whole file."""

    programme: ProgrammeSection = ProgrammeSection()
    water: WaterSection = WaterSection()
    leakage: LeakageSection = LeakageSection()
    norm: NormSection = NormSection()
    blocks: BlocksSection = BlocksSection()
    pressure: PressureSection = PressureSection()
    age: AgeSection = AgeSection()
    tariff: TariffSection = TariffSection()
    pumps: PumpsSection = PumpsSection()
    sensors: SensorsSection = SensorsSection()
    renewal: RenewalSection = RenewalSection()

    @property
    def assumed(self) -> tuple[str, ...]:
        """What the file did not state, as `section.key`."""
        names = []
        for section in type(self).model_fields:
            values = getattr(self, section)
            stated = values.model_fields_set if section in self.model_fields_set else set()
            names += [f"{section}.{key}" for key in type(values).model_fields if key not in stated]
        return tuple(names)


def read_input(path: Path | None) -> PlanInput:
    """Read a plan's TOML; without one everything is assumed.

    Raises
    ------
    ConfigError
        With everything that is wrong, a line each.
    """
    if path is None:
        return PlanInput()
    try:
        with path.open("rb") as file:
            return PlanInput.model_validate(tomllib.load(file))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from error
    except ValidationError as error:
        lines = [f"{path}: {_where(e['loc'])}: {e['msg']}" for e in error.errors()]
        raise ConfigError("\n".join(lines)) from error


def _where(location: tuple[int | str, ...]) -> str:
    section, *keys = (str(part) for part in location)
    return f"[{section}] {'.'.join(keys)}" if keys else f"[{section}]"


def input_text(given: PlanInput) -> str:
    """The whole input as a TOML that gives the same plan again; what was assumed is marked."""
    assumed, lines = set(given.assumed), ["# change what you know better, and run umanflow plan again"]
    for section in type(given).model_fields:
        lines.append(f"\n[{section}]")
        values = getattr(given, section)
        for key in type(values).model_fields:
            mark = "  # assumed" if f"{section}.{key}" in assumed else ""
            lines.append(f"{key} = {_toml(getattr(values, key))}{mark}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(v) for v in value)}]"
    return repr(value)
