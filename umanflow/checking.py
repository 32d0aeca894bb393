"""The model check as a whole: checks that read the file, then those that run it."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hydro.check import check_hydraulics
from networks import find
from networks.check import Finding, check_model, order, read_model
from umanflow.errors import UserError

# a hostile file is answered within a minute
WHOLE_CHECK_S = 50.0
LEAST_EPANET_S = 10.0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Findings about one file, the worst first.

    Attributes
    ----------
    name, path
        The network's name and file.
    nodes, links
        What was read of it.
    findings
        Sorted by severity, then check.
    """

    name: str
    path: Path
    nodes: int
    links: int
    findings: list[Finding]

    @property
    def counts(self) -> dict[str, int]:
        """Findings by severity."""
        found = Counter(f.severity for f in self.findings)
        return {severity: found[severity] for severity in ("error", "warning", "note")}

    def is_as_bad_as(self, threshold: str) -> bool:
        """Whether a finding reaches "error" or "warning"; nothing reaches "never"."""
        worst = {"error": ("error",), "warning": ("error", "warning")}.get(threshold, ())
        return any(f.severity in worst for f in self.findings)


def check_file(name_or_path: str) -> CheckReport:
    """Check a model by catalogue name or path; whatever the file holds gives findings.

    Raises
    ------
    UserError, UnknownNetwork, OSError
        If there is no such file, or it cannot be opened.
    """
    given = Path(name_or_path)
    if given.is_dir():
        raise UserError(f"{given} is a directory: give the INP file in it")
    if given.exists() and not given.is_file():
        raise UserError(f"{given} is no regular file: save the INP to disk first")
    name, path = find(name_or_path)
    if not os.access(path, os.R_OK):
        raise UserError(f"{path} may not be read: check its permissions")
    begin = time.monotonic()
    model = read_model(path)
    findings = check_model(model)
    left = max(WHOLE_CHECK_S - (time.monotonic() - begin), LEAST_EPANET_S)
    findings += check_hydraulics(model, findings, process_s=left, run_s=left / 3.0)
    return CheckReport(name, path, len(model.nodes), len(model.links), order(findings))
