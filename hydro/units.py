"""What EPANET's numbers mean in SI, by the flow and pressure units of the open file."""

from __future__ import annotations

from hydro.project import Project
from networks.inp.facts import FEET_OF_PRESSURE

# m3/s per flow unit, in EPANET's order: CFS GPM MGD IMGD AFD LPS LPM MLD CMH CMD CMS
_FLOW = (
    0.0283168466, 0.0000630901964, 0.0438126364, 0.0526168042, 0.0142764102,
    0.001, 1.0 / 60000.0, 1.0 / 86.4, 1.0 / 3600.0, 1.0 / 86400.0, 1.0,
)  # fmt: skip
_FIRST_METRIC = 5
_FOOT = 0.3048
_HORSEPOWER = 745.7  # W; EPANET answers in horsepower whatever the units of the file


def is_metric(project: Project) -> bool:
    """Whether the file's flow unit makes EPANET count in metres."""
    return project.flow_units() >= _FIRST_METRIC


def emitter_factor(project: Project, exponent: float) -> float:
    """m3/s per m^exponent in the file's unit of an emitter's coefficient: pressure counts in m or psi there."""
    unit = 1.0 if is_metric(project) else FEET_OF_PRESSURE["PSI"] * _FOOT
    return float(_FLOW[project.flow_units()] / unit**exponent)


def si_factors(project: Project, pressure: float) -> dict[str, float]:
    """Factor from EPANET's unit to SI for each property that needs one.

    Parameters
    ----------
    project
        An open project.
    pressure
        Metres of water in the file's unit of pressure.
    """
    metric = is_metric(project)
    flow, length = _FLOW[project.flow_units()], 1.0 if metric else _FOOT
    return {
        "elevation": length, "head": length, "pressure": pressure,
        "tank_level": length, "tank_diameter": length, "min_level": length, "max_level": length,
        "min_volume": length**3, "power": _HORSEPOWER,
        "base_demand": flow, "demand": flow, "flow": flow, "velocity": length, "length": length, "headloss": length,
        "diameter": 0.001 if metric else 0.0254,
        "emitter": emitter_factor(project, project.option("emitter_exponent")),
        # mm2 per 100 m of pipe, and per metre of head: EPANET 2.3.5 takes the metre in US units too
        "leakage": flow, "leak_area": 1.0 / length, "leak_expansion": 1.0 / length,
    }  # fmt: skip
