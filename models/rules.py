"""When an alarm is raised; what a crew has told is `hydro.repair`'s."""

from __future__ import annotations

from dataclasses import dataclass

from hydro.repair import Repair

__all__ = ["Repair", "Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """When an alarm is raised and how sure the detector may be.

    Attributes
    ----------
    window
        Blocks that are looked back.
    rises
        Blocks that a growing leak may take to its peak.
    gain
        Half the likelihood-ratio chi-square that an alarm needs.
    sure_gain, sure_mass
        An alarm also needs this probability within 300 m, or this gain.
    least_share, least_flow
        Smallest leak that is reported: share of the district's mean inflow, and m3/s.
    tell_share
        Smallest leak that is told, share of the district's mean inflow; smaller ones are simulated, but not told.
    burst_share
        Smallest burst that hours tell, share of the district's mean inflow, unless it is plain.
    most_share
        Largest leak that is believed, share of the largest district's mean inflow.
    usual_share
        Mean of the exponential prior of a leak's peak flow, share of the largest district's mean inflow.
    withdrawn_share
        An entry whose flow falls below this share of its first estimate was none.
    end_gain
        Gain in log likelihood that the end of a known leak needs.
    keep_gain
        Gain in log likelihood, the others fitted anew, below which a known leak is withdrawn.
    echo_blocks, echo_gain
        For so long an alarm that was withdrawn is not raised again unless its gain is so many times the first.
    size_doubt
        Share by which the effect of a known leak may be misjudged.
    pattern_doubt
        Share of a known leak's flow that may seem to leak elsewhere.
    probation, unrest
        An entry that began within `unrest` blocks of the end of a larger leak is told after `probation` blocks, and so
        is one that should have been found more than `unrest` blocks before it was.
    echo_share
        One that looks like a leak that has ended is told if it is this share of it at least.
    rest
        Blocks for which a leak must have stayed at a new place before it is told again.
    refit_ages
        Blocks after an alarm at which its place is sought anew.
    temper, temper_growth
        See `models.localise.locate`.
    """

    window: int = 60
    rises: tuple[int, ...] = (5, 7, 10, 14, 20, 28, 40, 56, 80, 112, 160)
    gain: float = 20.0
    sure_gain: float = 60.0
    sure_mass: float = 0.65
    least_share: float = 0.004
    least_flow: float = 0.2 / 3600.0
    tell_share: float = 0.014
    burst_share: float = 0.04
    most_share: float = 0.6
    usual_share: float = 0.05
    withdrawn_share: float = 0.4
    end_gain: float = 20.0
    keep_gain: float = 12.0
    echo_blocks: int = 20
    echo_gain: float = 2.0
    size_doubt: float = 0.15
    pattern_doubt: float = 0.03
    rest: int = 3
    probation: int = 3
    unrest: int = 8
    echo_share: float = 0.2
    refit_ages: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 25, 30, 36, 43, 50, 58)
    temper: float = 2.5
    temper_growth: float = 0.02
