"""Where real losses come from, and how often it pays to look for leaks.

Component analysis (BABE, bursts and background estimates): Lambert 1994; Lambert et al. 1999. Background leakage that
nobody can avoid: Lambert 2009, "Ten years experience in using the UARL formula". Economic intervention: Lambert and
Lalonde, Leakage 2005; Lambert and Fantozzi 2005. SI: m, m3, s.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.balance_indicators import DAY_S, Part, System, exact_of
from models.uncertain import Lack, Result, Uncertain, add, divide, exact, lacking, multiply, subtract

HOUR_S = 3_600.0
YEAR_S = 365.0 * DAY_S
REFERENCE_PRESSURE_M = 50.0
BACKGROUND = Part(20.0, 1.25, 33.0)
"""Unavoidable background leakage at 50 m, L/h: by km of mains, connection, km of private pipe."""
BACKGROUND_N1 = 1.5
_L, _KM = 1e-3, 1e3


@dataclass(frozen=True, slots=True)
class Breaks:
    """Breaks of one kind in the period.

    Attributes
    ----------
    name
        As the user calls them.
    is_reported
        Whether somebody called; else a survey found them.
    number
        How many were repaired in the period.
    flow
        Of one at 50 m, m3/s.
    n1
        Exponent of pressure.
    awareness, location, repair
        How long one runs until it is known, found and closed, s.
    """

    name: str
    is_reported: bool
    number: Uncertain
    flow: Uncertain
    n1: Uncertain
    awareness: Uncertain
    location: Uncertain
    repair: Uncertain

    def volume(self, pressure: Uncertain) -> Uncertain:
        """What they lost, m3: number x flow at the pressure (m) x time from break to repair."""
        running = self.awareness + self.location + self.repair
        return self.number * self.flow * (pressure / REFERENCE_PRESSURE_M) ** self.n1 * running


DEFAULT_BREAKS_PER_YEAR = {
    "mains, reported": (13.0 * 0.95 / 100.0, 12.0, 3.0),
    "mains, unreported": (13.0 * 0.05 / 100.0, 6.0, 50.0),
    "services, reported": (3.0 * 0.75 / 1000.0, 1.6, 8.0),
    "services, unreported": (3.0 * 0.25 / 1000.0, 1.6, 100.0),
}
"""What UARL rests on: breaks a year by km of mains or by connection, m3/h at 50 m, days (Lambert et al. 1999)."""


def unavoidable_background(system: System) -> Result:
    """Unavoidable background leakage, m3/s: (20 Lm + 1.25 Nc + 33 Lp) (P/50)^1.5 L/h, for the time under pressure."""
    lack = lacking(system.mains, system.connections, system.private, system.pressure, system.pressurised)
    if lack is not None:
        return lack
    c = BACKGROUND
    each = c.mains / _KM * exact_of(system.mains) + c.connection * exact_of(system.connections)
    each = each + c.private / _KM * exact_of(system.private)
    power = (exact_of(system.pressure) / REFERENCE_PRESSURE_M) ** BACKGROUND_N1
    return each * power * exact_of(system.pressurised) * (_L / HOUR_S)


@dataclass(frozen=True, slots=True)
class Components:
    """Real losses by kind, m3 in the period.

    Attributes
    ----------
    unavoidable
        Background leakage that a system in good order has.
    background
        What this one has: unavoidable x infrastructure condition factor.
    reported, unreported
        Breaks that were repaired.
    hidden
        What is left of the balance's real losses: leaks that run and that nobody knows.
    factor
        Infrastructure condition factor, actual over unavoidable background.
    factor_most
        The most it can be: all that breaks do not explain is background.
    """

    unavoidable: Result
    background: Result
    reported: Result
    unreported: Result
    hidden: Result
    factor: Result
    factor_most: Result


def components_of(
    real_losses: Result, duration: float, system: System, breaks: tuple[Breaks, ...] | None, factor: Result
) -> Components:
    """Split real losses.

    Parameters
    ----------
    real_losses
        Of the balance, m3 in the period.
    duration
        Of the period, s.
    breaks
        Repaired in the period; None where nobody counted them.
    factor
        Infrastructure condition factor (ICF).
    """
    unavoidable = multiply(unavoidable_background(system), duration)
    background = multiply(unavoidable, factor)
    reported, unreported = (_volume_of(breaks, system.pressure, kind) for kind in (True, False))
    return Components(
        unavoidable=unavoidable,
        background=background,
        reported=reported,
        unreported=unreported,
        hidden=subtract(real_losses, background, reported, unreported),
        factor=factor,
        factor_most=divide(subtract(real_losses, reported, unreported), unavoidable),
    )


def _volume_of(breaks: tuple[Breaks, ...] | None, pressure: Result, is_reported: bool) -> Result:
    if breaks is None:
        return Lack(("breaks",))
    if isinstance(pressure, Lack):
        return pressure
    return add(exact(0.0), *(b.volume(pressure) for b in breaks if b.is_reported == is_reported))


def condition_factor(background: Result, system: System) -> Result:
    """Infrastructure condition factor: background leakage that was measured (m3/s) over the unavoidable."""
    return divide(background, unavoidable_background(system))


@dataclass(frozen=True, slots=True)
class Intervention:
    """Active leakage control at the least cost of surveys and lost water together.

    Attributes
    ----------
    interval
        Between two surveys of the whole system, s.
    share_a_year
        Of the system to be surveyed in a year.
    budget_a_year
        For surveys, without repairs.
    unreported_a_year
        Economic unreported real losses, m3/s: where the water lost is worth what the surveys cost.
    """

    interval: Result
    share_a_year: Result
    budget_a_year: Result
    unreported_a_year: Result


def intervention(survey_cost: Result, variable_cost: Result, rate_of_rise: Result) -> Intervention:
    """Economic intervention.

    With a survey of the whole system every T years, unreported leakage rises from nothing to R T and the yearly cost is
    C_I / T + C_V R T / 2; it is least at T = sqrt(2 C_I / (C_V R)), which is sqrt(0.789 C_I / (C_V R)) months with R in
    m3/d a year.

    Parameters
    ----------
    survey_cost
        C_I, of a survey of the whole system.
    variable_cost
        C_V, of a m3.
    rate_of_rise
        R, by which unreported leakage rises: m3/s per s.
    """
    lack = lacking(survey_cost, variable_cost, rate_of_rise)
    if lack is not None:
        return Intervention(lack, lack, lack, lack)
    cost, price, rise = exact_of(survey_cost), exact_of(variable_cost), exact_of(rate_of_rise)
    interval = (2.0 * cost / (price * rise)) ** 0.5
    share = YEAR_S / interval
    budget = cost * share
    return Intervention(interval, share, budget, budget / price / YEAR_S)
