"""What counts as out of range: every threshold of the model check in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds, SI; where no source is named they are assumed from practice.

    Attributes
    ----------
    hazen_williams, darcy_weisbach_mm, chezy_manning
        Plausible roughness by head-loss law. New pipes have C 110-150, 0.0015-3 mm or n 0.011-0.017 (after table 3.2
        of the EPANET 2 manual, from memory); old iron is worse, and a model may be optimistic.
    diameter_m
        Plausible inner diameter of a pipe.
    length_m
        A pipe shorter than the first is drawn by accident, one longer than the second has wrong units.
    elevation_m
        Lowest and highest plausible ground, m above sea level (assumed: the Dead Sea, the highest towns).
    elevation_jump_m, slope
        A junction that differs from all its neighbours by more than both (metres, and metres per metre of pipe).
    enormous
        A number above this has lost its decimal point, whatever it stands for.
    pattern_factor
        Multipliers above this are values, not factors.
    minor_loss
        Sum of local loss coefficients above this is a valve in disguise.
    prv_setting_m
        Settings of pressure valves above this have wrong units.
    demand_share
        Share of the whole demand above which one junction is worth a look.
    accuracy
        Convergence criterion: coarser than the second is not solved (EPANET's default 0.001).
    velocity_m_s
        Practice is 0.7-1.5 m/s; above 3 m/s pipes suffer from surge and erosion.
    gradient_m_km, gradient_small_m_km, small_m
        Head-loss gradient of mains (10 m/km is a usual design limit) and of pipes thinner than `small_m`.
    gradient_loss_m
        Short pipes: a steep gradient counts only where it costs this much head.
    high_pressure_m
        Pipes are mostly PN 10 to PN 16; 60 m is the Ukrainian limit of free head (DBN V.2.5-74), twice that is a model
        error.
    hunting_changes
        Changes of a link's status in a day that no real pump or valve makes.
    tank_share
        A tank is drained or full within this share of its range.
    crossing_share, crossing_count
        More crossings than this many, and than this share of the pipes, mean a schematic drawing: said once.
    """

    hazen_williams: tuple[float, float] = (20.0, 160.0)
    darcy_weisbach_mm: tuple[float, float] = (1e-4, 10.0)
    chezy_manning: tuple[float, float] = (0.008, 0.03)
    diameter_m: tuple[float, float] = (0.010, 4.0)
    length_m: tuple[float, float] = (0.01, 200_000.0)
    elevation_m: tuple[float, float] = (-450.0, 6000.0)
    elevation_jump_m: float = 30.0
    slope: float = 0.5
    enormous: float = 1e12
    pattern_factor: float = 20.0
    minor_loss: float = 500.0
    prv_setting_m: float = 250.0
    demand_share: float = 0.5
    accuracy: tuple[float, float] = (1e-7, 0.01)
    velocity_m_s: float = 3.0
    gradient_m_km: float = 15.0
    gradient_small_m_km: float = 30.0
    small_m: float = 0.150
    gradient_loss_m: float = 0.5
    high_pressure_m: float = 120.0
    hunting_changes: int = 48
    tank_share: float = 0.01
    crossing_share: float = 0.02
    crossing_count: int = 20
