"""What the model check finds in the network that a plan is made of, check by check."""

from __future__ import annotations

from dataclasses import dataclass

from hydro.check import CHECKS as RUNNING
from networks import Network
from networks.check import CHECKS as READING
from umanflow.checking import check_file

_NAMED = 5
ABOUT = {one.name: one.about for one in READING.values()} | {name: about for name, (about, _) in RUNNING.items()}


@dataclass(frozen=True, slots=True)
class Checked:
    """What one check found.

    Attributes
    ----------
    check, severity
        Its name; "error", "warning" or "note".
    what
        What it looks for.
    count
        Findings.
    elements
        The first of them.
    mend
        What to do about the first.
    """

    check: str
    severity: str
    what: str
    count: int
    elements: tuple[str, ...]
    mend: str


def check_model(network: Network) -> tuple[Checked, ...]:
    """Check a network's file; the worst first."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for finding in check_file(str(network.source)).findings:
        found.setdefault((finding.severity, finding.check), []).append((finding.element, finding.mend))
    return tuple(
        Checked(
            name, severity, ABOUT.get(name, name), len(rows),
            tuple(dict.fromkeys(element for element, _ in rows if element))[:_NAMED], rows[0][1],
        )
        for (severity, name), rows in found.items()
    )  # fmt: skip
