"""How water moves: in-process EPANET, runs with leaks, sensitivity, screening, the model driven by measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydro.screening import screen
    from hydro.sensitivities import sensitivity

__all__ = ["screen", "sensitivity"]

_HOMES = {"screen": "hydro.screening", "sensitivity": "hydro.sensitivities"}


def __getattr__(name: str) -> Any:
    """Import what the package offers when it is first asked for: EPANET alone must not wait for SciPy and Numba."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hydro' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
