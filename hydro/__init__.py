"""How water moves: in-process EPANET, runs with leaks, sensitivity, the model driven by measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydro.simulator import Simulator

__all__ = ["Simulator"]


def __getattr__(name: str) -> Any:
    """Import the simulator when it is asked for: WNTR takes a second."""
    if name == "Simulator":
        from hydro.simulator import Simulator

        return Simulator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
