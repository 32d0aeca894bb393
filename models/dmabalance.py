"""The balance of one district from two sides: what flows in less what is drawn, and what flows in at night."""

from __future__ import annotations

from dataclasses import dataclass

from models.balance import Source
from models.balance_indicators import Indicators, System, indicators_of
from models.nightflow import daily_loss
from models.uncertain import Result, Uncertain, add, divide, lacking, multiply, subtract


@dataclass(frozen=True, slots=True)
class Night:
    """What a district's nights tell.

    Attributes
    ----------
    flow
        Minimum night flow, m3/s.
    use
        Legitimate night use, m3/s.
    factor
        Night-day factor, h/d.
    n1
        Exponent of pressure.
    use_source, factor_source, n1_source
        Where they come from.
    nights
        How many count.
    """

    flow: Result
    use: Result
    factor: Result
    n1: Result
    use_source: Source = Source.NONE
    factor_source: Source = Source.NONE
    n1_source: Source = Source.NONE
    nights: int | None = None

    @property
    def leakage(self) -> Result:
        """Net night flow, m3/s."""
        return subtract(self.flow, self.use)

    @property
    def loss(self) -> Result:
        """Mean real losses of a day, m3/s."""
        lack = lacking(self.flow, self.use, self.factor)
        if lack is not None:
            return lack
        assert isinstance(self.flow, Uncertain)
        assert isinstance(self.use, Uncertain)
        assert isinstance(self.factor, Uncertain)
        return daily_loss(self.flow, self.use, self.factor)


@dataclass(frozen=True, slots=True)
class DmaInput:
    """What is known of a district in a period.

    Attributes
    ----------
    inflow
        Net inflow, m3.
    billed
        Billed consumption, m3.
    unbilled_share
        What is drawn though not billed, authorised or not, and what meters miss: share of what is billed.
    inflow_source, billed_source
        Where they come from.
    coverage
        Share of the period in which the inflow was seen, 0 to 1; None where somebody stated it.
    system
        Mains, connections and pressure.
    night
        Its nights.
    notes
        What is to be known of the numbers: keys and their values.
    """

    name: str
    inflow: Result
    billed: Result
    unbilled_share: Result
    system: System
    night: Night
    inflow_source: Source = Source.MEASURED
    billed_source: Source = Source.MEASURED
    coverage: float | None = None
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DmaBalance:
    """A district's balance.

    Attributes
    ----------
    of
        What it was computed from.
    non_revenue, real_losses
        m3 in the period; real losses are what remains of the inflow.
    revenue_ratio
        Billed over inflow.
    indicators
        Of the real losses that remain.
    night_losses
        Real losses by the night flow, m3 in the period.
    gap
        Real losses by the balance less those by the night flow, m3.
    """

    of: DmaInput
    non_revenue: Result
    revenue_ratio: Result
    real_losses: Result
    indicators: Indicators
    night_losses: Result
    gap: Result

    @property
    def findings(self) -> tuple[str, ...]:
        """Keys of what contradicts itself."""
        found = []
        if isinstance(self.real_losses, Uncertain) and self.real_losses.value < 0.0:
            found.append("negative_real_losses" if self.real_losses.high < 0.0 else "maybe_negative_real_losses")
        if isinstance(self.gap, Uncertain) and not self.gap.covers(0.0):
            found.append("night_disagrees")
        leakage = self.of.night.leakage
        if isinstance(leakage, Uncertain) and leakage.value < 0.0:
            found.append("negative_night_leakage")
        return tuple(found)


def dma_balance(of: DmaInput, duration: float) -> DmaBalance:
    """Compute the balance of a district over a period of `duration`, s."""
    non_revenue = subtract(of.inflow, of.billed)
    drawn = add(of.billed, multiply(of.billed, of.unbilled_share))
    real = subtract(of.inflow, drawn)
    by_night = multiply(of.night.loss, duration)
    return DmaBalance(
        of=of,
        non_revenue=non_revenue,
        revenue_ratio=divide(of.billed, of.inflow),
        real_losses=real,
        indicators=indicators_of(real, duration, of.system),
        night_losses=by_night,
        gap=subtract(real, by_night),
    )
