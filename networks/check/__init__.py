"""The model check, as far as it reads the file: many small named checks; those that need a run are in `hydro.check`."""

from __future__ import annotations

from pathlib import Path

from networks.check import (  # noqa: F401  (each module registers its checks when it is imported)
    connectivity,
    demands,
    geometry,
    numbers,
    operation,
    pipes,
    references,
    settings,
    stations,
    text,
)
from networks.check.finding import Finding, Severity, order
from networks.check.limits import Limits
from networks.check.model import Model, build_model
from networks.check.registry import CHECKS, Check, run_checks
from networks.inp_text import read_inp

__all__ = ["CHECKS", "Check", "Finding", "Limits", "Model", "Severity", "check_model", "order", "read_model"]


def read_model(path: Path) -> Model:
    """Read an INP as forgivingly as can be; only a file that cannot be opened raises (OSError)."""
    return build_model(read_inp(path))


def check_model(model: Model, limits: Limits | None = None) -> list[Finding]:
    """Run every check that reads the model."""
    return run_checks(model, limits or Limits())
