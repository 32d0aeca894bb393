"""The input file of a water balance, TOML: what it may say. Units are in the keys' names or beside the number."""

from __future__ import annotations

import datetime as dt
import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from umanflow.balance.units import volume_factor

SourceWord = Literal["measured", "stated", "assumed"]
Share = Annotated[float, Field(ge=0.0, le=100.0)]
NoneOf = Literal[
    "billed_metered", "billed_unmetered", "unbilled_metered", "unbilled_unmetered", "unauthorised", "data_handling",
    "breaks", "private_km",
]  # fmt: skip


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Limited(_Section):
    """A number with its 95 % limits, in percent of it or in its own unit, and where it comes from."""

    limits_percent: float | None = Field(default=None, ge=0.0)
    limits: float | None = Field(default=None, ge=0.0)
    source: SourceWord

    @model_validator(mode="after")
    def _has_limits(self) -> Self:
        if (self.limits_percent is None) == (self.limits is None):
            words = "two kinds of limits" if self.limits is not None else "no limits"
            raise ValueError(f"{words}; write limits_percent = 2.0, or limits in the number's unit (95 %)")
        return self

    def half_of(self, value: float) -> float:
        """Half the width of the 95 % limits, in the number's unit."""
        return abs(value) * self.limits_percent / 100.0 if self.limits_percent is not None else self.limits or 0.0


class Number(_Limited):
    """A number that cannot be negative."""

    value: float = Field(ge=0.0)

    @property
    def half(self) -> float:
        """Half the width of its limits, in its unit."""
        return self.half_of(self.value)


class UnderRegistration(_Limited):
    """What meters do not show of what passes, percent; limits in percentage points or percent of it."""

    percent: float = Field(ge=0.0, lt=100.0)


class Amount(_Limited):
    """A volume: stated, or read from the historian, or from the billing table.

    Attributes
    ----------
    volume, unit
        A volume of the period, or a mean flow.
    percent, percent_of
        Instead of these: share of another line.
    billing
        Instead of these: the sum of a category of the billing table; "all" for all.
    under_registration
        Of the meters of this consumption.
    """

    name: str = Field(min_length=1)
    volume: float | None = Field(default=None, ge=0.0)
    unit: str = ""
    percent: float | None = Field(default=None, ge=0.0, le=100.0)
    percent_of: Literal["supplied", "billed_metered", "billed"] | None = None
    billing: str | None = None
    under_registration: UnderRegistration | None = None

    @field_validator("unit")
    @classmethod
    def _known(cls, value: str) -> str:
        if value:
            volume_factor(value, 1.0)
        return value

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        said = [self.volume is not None, self.percent is not None, self.billing is not None, self.measures]
        if sum(said) != 1:
            others = ", element" if isinstance(self, Supply) else ""
            raise ValueError(f"needs exactly one of volume, percent, billing{others}")
        if self.volume is not None and not self.unit:
            raise ValueError('has a volume without a unit; write unit = "m3"')
        if (self.percent is None) != (self.percent_of is None):
            raise ValueError("needs percent and percent_of together")
        return self

    @property
    def measures(self) -> bool:
        """Whether the historian knows it."""
        return False


class Supply(Amount):
    """Water that goes in, out or into store.

    Attributes
    ----------
    kind
        own, bought; exported and stored are taken off.
    element
        Link with a meter, or tank with a level of the historian; limits are the meter's, for a tank of a level in m.
    meter_error_percent
        Known error, positive where the meter shows too much; corrected.
    """

    kind: Literal["own", "bought", "exported", "stored"]
    element: str | None = None
    meter_error_percent: float = Field(default=0.0, gt=-100.0, lt=1000.0)
    volume: float | None = None  # what was stored may be negative

    @model_validator(mode="after")
    def _has_its_sign(self) -> Self:
        if self.element is not None and self.kind == "stored" and self.limits is None:
            raise ValueError("needs limits = 0.02, the level's limits in m, instead of limits_percent")
        if self.volume is not None and self.volume < 0.0 and self.kind != "stored":
            raise ValueError('is negative; only kind = "stored" may be, where reservoirs fell')
        return self

    @property
    def measures(self) -> bool:
        """Whether the historian knows it."""
        return self.element is not None


class Period(_Section):
    """From the begin of one day to the begin of another."""

    start: dt.date = Field(alias="from")
    to: dt.date

    @model_validator(mode="after")
    def _goes_on(self) -> Self:
        if self.to <= self.start:
            raise ValueError("`to` is the day after the last one and has to be later than `from`")
        return self


class _Pipes(_Section):
    """What is divided by, and so is more than nothing."""

    @field_validator("mains_km", "connections", "pressure_m", check_fields=False)
    @classmethod
    def _is_something(cls, value: Number | None) -> Number | None:
        if value is not None and value.value == 0.0:
            raise ValueError("0 cannot be; write more, or leave it out where it is not known")
        return value


class NetworkSection(_Pipes):
    """What leaks: km of mains, connections, private pipe (km, all), pressure at the average zone point (m), hours."""

    mains_km: Number | None = None
    connections: Number | None = None
    private_km: Number | None = None
    pressure_m: Number | None = None
    hours_a_day: Number | None = None
    income: Literal["low-middle", "high"] | None = None

    @field_validator("hours_a_day")
    @classmethod
    def _a_day(cls, value: Number | None) -> Number | None:
        if value is not None and not 0.0 < value.value <= 24.0:
            raise ValueError(f"{value.value} hours a day; write more than 0 and at most 24")
        return value


class PricesSection(_Section):
    """What water is worth per m3, and what the utility spends in the period."""

    currency: str = "UAH"
    tariff_per_m3: Number | None = None
    variable_cost_per_m3: Number | None = None
    running_cost: Number | None = None


class BreaksSection(_Section):
    """Breaks repaired in the period, of one kind; flow of one at 50 m of pressure."""

    name: str = Field(min_length=1)
    reported: bool
    number: Number
    flow_m3h: Number
    n1: Number
    awareness_days: Number
    location_days: Number
    repair_days: Number


class BackgroundSection(_Section):
    """Background leakage: the condition factor, or what was measured after all found leaks were closed."""

    condition_factor: Number | None = None
    measured_m3h: Number | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.condition_factor is not None and self.measured_m3h is not None:
            raise ValueError("give condition_factor or measured_m3h, not both")
        return self


class SurveySection(_Section):
    """Looking for leaks: cost of a survey of the whole system, and m3/d by which unreported leakage rises in a year."""

    cost: Number | None = None
    rate_of_rise_m3d_a_year: Number | None = None


class StepTest(_Limited):
    """A night in which pressure was lowered: that at the average zone point, and flows in; limits are those of N1."""

    pressures_m: Annotated[list[Annotated[float, Field(gt=0.0)]], Field(min_length=2)]
    flows_m3h: Annotated[list[Annotated[float, Field(gt=0.0)]], Field(min_length=2)]

    @model_validator(mode="after")
    def _are_pairs(self) -> Self:
        if len(self.pressures_m) != len(self.flows_m3h):
            raise ValueError("needs as many flows_m3h as pressures_m")
        if len(set(self.pressures_m)) < 2:
            raise ValueError("needs two or more different pressures")
        return self


class NightSection(_Section):
    """Night use by person or by property, exponent, and where pressure comes from; of one district or of all.

    Attributes
    ----------
    flow_m3h
        Minimum night flow; from the historian where there is one.
    people, people_per_connection, active_percent, each_l_h
        By person.
    properties_per_connection, per_property_l_h
        By property; homes.
    others, per_other_l_h
        Other properties.
    large_m3h
        Known large users, or all use where it is known otherwise.
    n1
        Exponent.
    n1_favad_limits
        Instead: take it from the areas of the network's leakage, with these limits.
    n1_test
        Instead: from a night in which pressure was lowered by steps; night use is taken off.
    pressure
        "modelled" or "measured" (loggers in the district), of the historian's period.
    pressures_m, night_pressure_m
        Instead: 24 hourly pressures at the average zone point, and that of the hour of minimum flow.
    """

    flow_m3h: Number | None = None
    people: Number | None = None
    people_per_connection: Number | None = None
    active_percent: Number | None = None
    each_l_h: Number | None = None
    properties_per_connection: Number | None = None
    per_property_l_h: Number | None = None
    others: Number | None = None
    per_other_l_h: Number | None = None
    large_m3h: Number | None = None
    n1: Number | None = None
    n1_favad_limits: float | None = Field(default=None, ge=0.0)
    n1_test: StepTest | None = None
    pressure: Literal["modelled", "measured"] | None = None
    pressures_m: Annotated[list[float], Field(min_length=24, max_length=24)] | None = None
    night_pressure_m: float | None = Field(default=None, gt=0.0)
    pressures_source: SourceWord = "stated"

    @model_validator(mode="after")
    def _is_not_mixed(self) -> Self:
        by_person = {"people", "people_per_connection", "active_percent", "each_l_h"}
        by_property = {"properties_per_connection", "per_property_l_h"}
        said = {name for name in by_person | by_property if getattr(self, name) is not None}
        if said & by_person and said & by_property:
            raise ValueError("night use is given by person and by property; give one of them")
        if sum(way is not None for way in (self.n1, self.n1_favad_limits, self.n1_test)) > 1:
            raise ValueError("give one of n1, n1_favad_limits and n1_test")
        if (self.pressures_m is None) != (self.night_pressure_m is None):
            raise ValueError("give pressures_m and night_pressure_m together")
        if self.pressures_m is not None and not all(math.isfinite(p) and p > 0.0 for p in self.pressures_m):
            raise ValueError("pressures_m holds a pressure that is not above 0 m")
        return self


class DmaSection(_Pipes):
    """One district: what is said here counts before what tables and the historian say.

    Attributes
    ----------
    inflow, billed
        Volumes of the period.
    norm_l_person_d
        Instead of `billed`: what a person draws by the norm, L a day, with people of `night`.
    """

    name: str = Field(min_length=1)
    mains_km: Number | None = None
    connections: Number | None = None
    private_km: Number | None = None
    pressure_m: Number | None = None
    inflow: Amount | None = None
    billed: Amount | None = None
    norm_l_person_d: Number | None = None
    night: NightSection | None = None

    @field_validator("inflow", "billed")
    @classmethod
    def _is_a_volume(cls, value: Amount | None) -> Amount | None:
        if value is not None and value.volume is None:
            raise ValueError("needs a volume; leave it out to take it from the historian or the billing table")
        return value


class BillingSection(_Section):
    """Billing table, CSV month,dma,category,billed_m3 (months as 2025-01); limits of a category's sum in a district."""

    file: str
    limits_percent: float = Field(ge=0.0)
    source: SourceWord


class AmrSection(_Section):
    """Readings of sampled customers, CSV node,date,m3 (of one connection at a node), for districts' consumption."""

    file: str
    meter_limits_percent: float = Field(ge=0.0)


class DistrictsSection(_Section):
    """Districts of the historian.

    Attributes
    ----------
    meter_limits_percent, pressure_limits_m
        95 % limits of inlets' meters, and of the mean pressure that the model or loggers give.
    level_limits_m
        The same of tanks' levels; needed where a district holds a tank.
    consumption
        How it is known: billing, samples of customers and billing of the others, or people by the norm.
    night, norm_l_person_d
        For all of them; a district's own section counts before.
    """

    meter_limits_percent: float = Field(ge=0.0)
    pressure_limits_m: float = Field(ge=0.0)
    level_limits_m: float | None = Field(default=None, ge=0.0)
    consumption: Literal["billing", "amr", "norm"] = "billing"
    night: NightSection = NightSection()
    norm_l_person_d: Number | None = None


class InputFile(_Section):
    """The whole file."""

    name: str = Field(min_length=1)
    note: str = ""
    synthetic: bool = False
    period: Period | None = None
    none: tuple[NoneOf, ...] = ()
    supplied: tuple[Supply, ...] | None = None
    billed_metered: tuple[Amount, ...] | None = None
    billed_unmetered: tuple[Amount, ...] | None = None
    unbilled_metered: tuple[Amount, ...] | None = None
    unbilled_unmetered: tuple[Amount, ...] | None = None
    unauthorised: tuple[Amount, ...] | None = None
    data_handling: tuple[Amount, ...] | None = None
    network: NetworkSection = NetworkSection()
    prices: PricesSection = PricesSection()
    breaks: tuple[BreaksSection, ...] | None = None
    background: BackgroundSection = BackgroundSection()
    survey: SurveySection = SurveySection()
    billing: BillingSection | None = None
    amr: AmrSection | None = None
    districts: DistrictsSection | None = None
    dma: tuple[DmaSection, ...] = ()

    @model_validator(mode="after")
    def _says_nothing_twice(self) -> Self:
        for name in self.none:
            said: Any = self.network.private_km if name == "private_km" else getattr(self, name)
            if said is not None:
                raise ValueError(f"`none` says that there is no {name}, but it is given too; remove one of them")
        return self
