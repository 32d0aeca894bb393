"""What a water balance is worth knowing for: indicators of losses, and what they may be compared with.

UARL and ILI: Lambert, Brown, Takizawa and Weimer, "A review of performance indicators for real losses from water
supply systems", J. Water SRT - Aqua 48(6), 1999; in US units AWWA M36. Bands: World Bank Institute (Liemberger and
McKenzie 2005); EU reference document "Good practices on leakage management", 2015, which splits each in two; AWWA
M36, target ranges. SI: m, m3, s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.uncertain import Lack, Result, Uncertain, divide, lacking, multiply

DAY_S = 86_400.0
_L = 1e-3
_KM = 1e3

Income = Literal["low-middle", "high"]

LEAST_CONNECTIONS = 3_000.0
LEAST_PRESSURE_M = 25.0
RURAL_PER_KM = 20.0  # fewer connections per km: losses per km of mains instead of per connection (IWA)


@dataclass(frozen=True, slots=True)
class Part:
    """Coefficients of UARL, L a day and m of pressure: by km of mains, connection, and km of private pipe."""

    mains: float
    connection: float
    private: float


UARL = Part(18.0, 0.8, 25.0)
UARL_US = Part(5.41, 0.15, 7.5)
"""The same in US gal a day and psi, by mile, connection and mile (AWWA M36)."""
UARL_PARTS = {
    "background": Part(9.6, 0.603, 16.0),
    "reported": Part(5.85, 0.038, 1.91),
    "unreported": Part(2.58, 0.162, 7.09),
}
"""Where UARL comes from; the sum is 18.03, 0.803 and 25.0 (Lambert et al. 1999, converted from US units)."""
UARL_PARTS_US = {
    "background": Part(2.87, 0.112, 4.78),
    "reported": Part(1.75, 0.007, 0.57),
    "unreported": Part(0.77, 0.030, 2.12),
}


@dataclass(frozen=True, slots=True)
class System:
    """What leaks.

    Attributes
    ----------
    mains
        Length of mains, m.
    connections
        Number of service connections, from main to property line.
    private
        Length of pipe from property lines to meters, m, all together.
    pressure
        Mean pressure at the average zone point while the system is under pressure, m.
    pressurised
        Share of the time in which it is, 0 to 1.
    """

    mains: Result
    connections: Result
    private: Result
    pressure: Result
    pressurised: Result


def uarl(system: System, coefficients: Part = UARL) -> Result:
    """Unavoidable annual real losses, m3/s: (18 Lm + 0.8 Nc + 25 Lp) P L/d, for the time under pressure."""
    lack = lacking(system.mains, system.connections, system.private, system.pressure, system.pressurised)
    if lack is not None:
        return lack
    mains, connections, private = exact_of(system.mains), exact_of(system.connections), exact_of(system.private)
    each = coefficients.mains / _KM * mains + coefficients.connection * connections
    each = each + coefficients.private / _KM * private
    return each * exact_of(system.pressure) * exact_of(system.pressurised) * (_L / DAY_S)


def uarl_us(mains_miles: float, connections: float, private_miles: float, pressure_psi: float) -> float:
    """UARL in US gal a day: (5.41 Lm + 0.15 Nc + 7.5 Lp) P with miles and psi (AWWA M36)."""
    c = UARL_US
    return (c.mains * mains_miles + c.connection * connections + c.private * private_miles) * pressure_psi


def exact_of(result: Result) -> Uncertain:
    """A result that is known to be a number."""
    if isinstance(result, Lack):
        raise ValueError(f"lacks {', '.join(result.names)}")
    return result


@dataclass(frozen=True, slots=True)
class Indicators:
    """Real losses as rates and ratios; each may be a `Lack`.

    Attributes
    ----------
    carl, uarl
        Current and unavoidable annual real losses as a rate, m3/s.
    ili
        Infrastructure leakage index, CARL / UARL.
    per_connection
        Real losses per connection while under pressure, m3/s.
    per_connection_metre
        The same per metre of pressure, m3/s per m.
    per_length
        Real losses per metre of mains, m3/s per m.
    density
        Connections per metre of mains.
    misleading
        Why UARL and ILI are not to be relied on here: keys "few_connections", "low_pressure"; and "unknown" where a
        lack leaves it open.
    """

    carl: Result
    uarl: Result
    ili: Result
    per_connection: Result
    per_connection_metre: Result
    per_length: Result
    density: Result
    misleading: tuple[str, ...]

    @property
    def is_rural(self) -> bool:
        """Whether losses per length of mains say more than those per connection (IWA: under 20 connections a km)."""
        return isinstance(self.density, Uncertain) and self.density.value * _KM < RURAL_PER_KM


def indicators_of(real_losses: Result, duration: float, system: System) -> Indicators:
    """Compute indicators of real losses.

    Parameters
    ----------
    real_losses
        m3 in the period.
    duration
        Of the period, s.
    """
    carl = divide(real_losses, duration)
    unavoidable = uarl(system)
    under_pressure = divide(carl, system.pressurised)
    per_connection = divide(under_pressure, system.connections)
    return Indicators(
        carl=carl,
        uarl=unavoidable,
        ili=divide(carl, unavoidable),
        per_connection=per_connection,
        per_connection_metre=divide(per_connection, system.pressure),
        per_length=divide(under_pressure, system.mains),
        density=divide(system.connections, system.mains),
        misleading=misleading(system),
    )


def misleading(system: System) -> tuple[str, ...]:
    """Why ILI misleads: fewer than 3,000 connections or less than 25 m of pressure (Lambert 2009)."""
    found = []
    for key, result, least in (
        ("few_connections", system.connections, LEAST_CONNECTIONS),
        ("low_pressure", system.pressure, LEAST_PRESSURE_M),
    ):
        if isinstance(result, Lack):
            found.append("unknown")
        elif result.value < least:
            found.append(key)
    return tuple(dict.fromkeys(found))


# bands ------------------------------------------------------------------------------------------------------------

_WORLD_BANK = (("A", 2.0), ("B", 4.0), ("C", 8.0))
_EU = (("A1", 1.5), ("A2", 2.0), ("B1", 3.0), ("B2", 4.0), ("C1", 6.0), ("C2", 8.0), ("D1", 12.0))
_AWWA = (("below_1", 1.0), ("1_to_3", 3.0), ("3_to_5", 5.0), ("5_to_8", 8.0))
# L a connection, day and m of pressure: the World Bank Institute's matrix is proportional to pressure
_MATRIX = (("A", 2.5), ("B", 5.0), ("C", 10.0))


def band_world_bank(ili: float, income: Income) -> str:
    """Band A to D of the World Bank Institute; limits are twice as wide in low- and middle-income countries."""
    return _band(ili / _width(income), _WORLD_BANK, "D")


def band_eu(ili: float, income: Income) -> str:
    """Leakage performance category A1 to D2 of the EU reference document of 2015."""
    return _band(ili / _width(income), _EU, "D2")


def band_awwa(ili: float) -> str:
    """Target range of AWWA M36: below_1 (check the data), 1_to_3, 3_to_5, 5_to_8, above_8."""
    return _band(ili, _AWWA, "above_8")


def band_per_connection(per_connection: float, pressure: float, income: Income) -> str:
    """Band A to D by losses per connection (m3/s) at a pressure (m): the matrix that stands beside the ILI's bands."""
    return _band(per_connection / _L * DAY_S / pressure / _width(income), _MATRIX, "D")


def _width(income: Income) -> float:
    return 2.0 if income == "low-middle" else 1.0


def _band(value: float, limits: tuple[tuple[str, float], ...], last: str) -> str:
    return next((name for name, limit in limits if value < limit), last)


# value ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prices:
    """What water is worth, per m3, and what the utility spends in the period.

    Attributes
    ----------
    tariff
        What a customer pays: the value of apparent losses.
    variable_cost
        What another m3 costs to make or buy: the value of real losses and of unbilled authorised consumption.
    running_cost
        Of the system in the period.
    """

    tariff: Result
    variable_cost: Result
    running_cost: Result


@dataclass(frozen=True, slots=True)
class Values:
    """Non-revenue water by value, in the prices' currency; `ratio` is its share of the running cost (IWA Fi37)."""

    real_losses: Result
    apparent_losses: Result
    unbilled: Result
    non_revenue: Result
    ratio: Result


def values_of(real: Result, apparent: Result, unbilled: Result, prices: Prices) -> Values:
    """Value losses (m3 in the period): apparent ones at the tariff, the others at the variable cost (AWWA M36)."""
    parts = (
        multiply(real, prices.variable_cost),
        multiply(apparent, prices.tariff),
        multiply(unbilled, prices.variable_cost),
    )
    lack = lacking(*parts)
    whole: Result = lack or exact_of(parts[0]) + exact_of(parts[1]) + exact_of(parts[2])
    return Values(*parts, whole, divide(whole, prices.running_cost))
