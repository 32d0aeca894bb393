"""What a check says."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
RANK: dict[str, int] = {"error": 0, "warning": 1, "note": 2}
_LONGEST = 80


def printable(text: str, longest: int = _LONGEST) -> str:
    """A word of a hostile file as it may stand in a terminal: no control characters, not too long."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: longest + 1])
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes
    ----------
    check
        Name of the check ("zero-length").
    severity
        "error": EPANET refuses the file or its results mean nothing; "warning": probably a mistake;
        "note": worth a look.
    element
        What it is about ("pipe P12"), empty for the whole file.
    value
        The value that was found, with its unit, as text; empty where there is none.
    reason, mend
        What is wrong, and what to do.
    section, line
        Where it stands in the file; line 0 where no line can be named.
    """

    check: str
    severity: Severity
    element: str
    value: str
    reason: str
    mend: str
    section: str = ""
    line: int = 0

    def as_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Hit:
    """What a check function yields: a finding whose name, usual severity and usual mend the check knows."""

    element: str
    reason: str
    value: str = ""
    section: str = ""
    line: int = 0
    severity: Severity | None = None
    mend: str = ""


def shown(value: float, unit: str = "") -> str:
    """A number as a person reads it."""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.4g}"
    return f"{text} {unit}" if unit else text


def counted(n: int, noun: str) -> str:
    """A number of things: "1 node", "2 nodes"."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def order(findings: list[Finding]) -> list[Finding]:
    """Sort by severity, then check, keeping the order in which a check found them."""
    return sorted(findings, key=lambda f: (RANK[f.severity], f.check))
