"""What was noticed about a file of readings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Finding", "first_of_each"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing noticed.

    Attributes
    ----------
    file : str
    line : int
        Line in the file; the row of a query's answer; 0 where it is the file as a whole.
    what, mend : str
        What is wrong, and what to write instead.
    severity : {'error', 'warning'}
        An error is something that was not taken.
    text : str
        The row as it stands in the file, where a row was not taken.
    """

    file: str
    line: int
    what: str
    mend: str
    severity: str = "error"
    text: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.what}; {self.mend}"


def first_of_each(findings: Iterable[Finding], most: int) -> list[Finding]:
    """Return the first findings, at most so many with the same mend."""
    seen: dict[tuple[str, str], int] = {}
    kept = []
    for finding in findings:
        key = finding.severity, finding.mend
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= most:
            kept.append(finding)
    return kept
