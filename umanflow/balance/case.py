"""Everything a balance is computed from, in SI: what the input file says, joined with what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.balance import INPUTS, Entry, Source, Volumes
from models.balance_components import Breaks
from models.balance_indicators import Prices, System
from models.dmabalance import DmaInput
from models.uncertain import Lack, Result, Uncertain, exact, stated
from umanflow.balance.schema import BreaksSection, InputFile, Number

KM, HOUR_S, DAY_S = 1e3, 3_600.0, 86_400.0
YEAR_S = 365.0 * DAY_S


@dataclass(frozen=True, slots=True)
class Given:
    """An input beside the volumes, as it was stated: key, in the key's unit, and its source."""

    key: str
    value: float
    half: float
    source: Source


@dataclass(frozen=True, slots=True)
class Period:
    """Begin and end in the clock named, and how long that is, s."""

    start: datetime
    end: datetime
    duration: float
    clock: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What a balance is computed from.

    Attributes
    ----------
    name, note, is_synthetic
        Heading, remark, and whether the numbers are of a made-up city.
    period
        What it is about.
    volumes, system, prices
        See `models`.
    currency
        Of the prices.
    income
        For the bands of ILI; None where nobody said it.
    breaks
        Repaired breaks, or None.
    factor, background
        Infrastructure condition factor, or measured background leakage, m3/s.
    survey_cost, rate_of_rise
        For economic intervention; m3/s per s.
    dmas
        Districts.
    given
        Every input beside the volumes.
    versions
        What it was computed with and from.
    """

    name: str
    note: str
    is_synthetic: bool
    period: Period
    volumes: Volumes
    system: System
    prices: Prices
    currency: str
    income: Literal["low-middle", "high"] | None
    breaks: tuple[Breaks, ...] | None
    factor: Result
    background: Result
    survey_cost: Result
    rate_of_rise: Result
    dmas: tuple[DmaInput, ...] = ()
    given: tuple[Given, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def entries(self) -> tuple[tuple[str, Entry], ...]:
        """Every volume that was given, with its line."""
        lines = {name: getattr(self.volumes, name) for name in INPUTS}
        return tuple((name, entry) for name, found in lines.items() if isinstance(found, tuple) for entry in found)


class Inputs:
    """Turns numbers of the file into numbers with limits, and keeps a list of them."""

    def __init__(self) -> None:
        self.given: list[Given] = []
        self._keys: set[str] = set()

    def number(self, key: str, number: Number | None, factor: float = 1.0) -> Result:
        """A number in SI, or the lack of it."""
        if number is None:
            return Lack((key,))
        return self.known(key, number, factor)

    def known(self, key: str, number: Number, factor: float = 1.0) -> Uncertain:
        """A number in SI."""
        if key not in self._keys:  # what is said for all districts is asked for by each
            self._keys.add(key)
            self.given.append(Given(key, number.value, number.half, Source(number.source)))
        return stated(key, factor * number.value, factor * number.half)

    def none(self, key: str) -> Uncertain:
        """Nothing, as somebody stated."""
        self.given.append(Given(key, 0.0, 0.0, Source.STATED))
        return exact(0.0)


def system_of(content: InputFile, inputs: Inputs) -> System:
    """What leaks, from the section [network]."""
    n = content.network
    has_private = "private_km" not in content.none
    return System(
        mains=inputs.number("network.mains_km", n.mains_km, KM),
        connections=inputs.number("network.connections", n.connections),
        private=inputs.number("network.private_km", n.private_km, KM)
        if has_private
        else inputs.none("network.private_km"),
        pressure=inputs.number("network.pressure_m", n.pressure_m),
        pressurised=inputs.number("network.hours_a_day", n.hours_a_day, 1.0 / 24.0),
    )


def prices_of(content: InputFile, inputs: Inputs) -> Prices:
    """What water is worth, from the section [prices]."""
    p = content.prices
    return Prices(
        tariff=inputs.number("prices.tariff_per_m3", p.tariff_per_m3),
        variable_cost=inputs.number("prices.variable_cost_per_m3", p.variable_cost_per_m3),
        running_cost=inputs.number("prices.running_cost", p.running_cost),
    )


def breaks_of(content: InputFile, inputs: Inputs) -> tuple[Breaks, ...] | None:
    """Breaks, from the sections [[breaks]]; none at all where the file says so."""
    if "breaks" in content.none:
        return ()
    if content.breaks is None:
        return None
    return tuple(_breaks(section, inputs) for section in content.breaks)


def _breaks(section: BreaksSection, inputs: Inputs) -> Breaks:
    key = f"breaks.{section.name}"
    return Breaks(
        name=section.name,
        is_reported=section.reported,
        number=inputs.known(f"{key}.number", section.number),
        flow=inputs.known(f"{key}.flow_m3h", section.flow_m3h, 1.0 / HOUR_S),
        n1=inputs.known(f"{key}.n1", section.n1),
        awareness=inputs.known(f"{key}.awareness_days", section.awareness_days, DAY_S),
        location=inputs.known(f"{key}.location_days", section.location_days, DAY_S),
        repair=inputs.known(f"{key}.repair_days", section.repair_days, DAY_S),
    )
