"""How water moves: in-process EPANET, runs with leaks, sensitivity, calibration, state estimation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydro.calibrated import calibrate
    from hydro.estimation import estimate

__all__ = ["calibrate", "estimate"]

_HOMES = {"calibrate": "hydro.calibrated", "estimate": "hydro.estimation"}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `import hydro` stays light."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hydro' has no attribute '{name}'")
