"""How water moves: in-process EPANET, runs with leaks, sensitivity, screening, the model driven by measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydro.screening import screen
    from hydro.sensitivities import sensitivity
    from hydro.simulator import Simulator

__all__ = ["Simulator", "screen", "sensitivity"]

_HOMES = {"Simulator": "hydro.simulator", "screen": "hydro.screening", "sensitivity": "hydro.sensitivities"}


def __getattr__(name: str) -> Any:
    """Import what the package offers when it is first asked for: EPANET alone need not wait for WNTR or Numba."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
