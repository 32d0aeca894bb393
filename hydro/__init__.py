"""How water moves: in-process EPANET, scenarios, sensitivity, screening, calibration, state estimation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydro.batch import run_batch
    from hydro.calibrated import calibrate
    from hydro.engine import Engine
    from hydro.estimation import estimate
    from hydro.record import Record
    from hydro.scenario import Scenario
    from hydro.scenariofile import read_scenarios, write_scenarios
    from hydro.screening import screen
    from hydro.sensitivities import sensitivity
    from hydro.simulator import Simulator
    from hydro.snapshot import Snapshot

__all__ = [
    "Engine", "Record", "Scenario", "Simulator", "Snapshot", "calibrate", "estimate", "read_scenarios", "run_batch",
    "screen", "sensitivity", "write_scenarios",
]  # fmt: skip

# what the package offers, and the module it lives in
_HOMES = {
    "Engine": "engine",
    "Record": "record",
    "Scenario": "scenario",
    "Simulator": "simulator",
    "Snapshot": "snapshot",
    "calibrate": "calibrated",
    "estimate": "estimation",
    "read_scenarios": "scenariofile",
    "run_batch": "batch",
    "screen": "screening",
    "sensitivity": "sensitivities",
    "write_scenarios": "scenariofile",
}


def __getattr__(name: str) -> Any:
    """Import what the package offers when it is first asked for: EPANET alone need not wait for WNTR or Numba."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"hydro.{_HOMES[name]}"), name)
