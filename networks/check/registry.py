"""The checks by name: a check is a function of the model that yields what it hits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from networks.check.finding import Finding, Hit, Severity, printable
from networks.check.limits import Limits
from networks.check.model import Model

Checker = Callable[[Model, Limits], Iterator[Hit]]


@dataclass(frozen=True, slots=True)
class Check:
    """One named check.

    Attributes
    ----------
    name, severity
        Its name, and how bad a hit usually is.
    about, mend
        What it looks for and what usually mends it.
    run
        The function; None for checks that are made elsewhere (those of `hydro`).
    """

    name: str
    severity: Severity
    about: str
    mend: str
    run: Checker | None = None

    def finding(self, hit: Hit) -> Finding:
        """A hit with what the check knows."""
        return Finding(
            check=self.name,
            severity=hit.severity or self.severity,
            element=printable(hit.element),
            value=printable(hit.value),
            reason=printable(hit.reason, 400),
            mend=hit.mend or self.mend,
            section=f"[{hit.section}]" if hit.section else "",
            line=hit.line,
        )


CHECKS: dict[str, Check] = {}
MOST_HITS = 10_000  # of one check: a file that is wrong in every line is understood before
_FAILED = Check("check-failed", "warning", "a check that broke on this file", "send the file to the makers of umanflow")


def check(name: str, severity: Severity, about: str, mend: str) -> Callable[[Checker], Checker]:
    """Register a function as the check of that name."""

    def register(function: Checker) -> Checker:
        CHECKS[name] = Check(name, severity, about, mend, function)
        return function

    return register


def run_checks(model: Model, limits: Limits) -> list[Finding]:
    """Run every registered check; one that breaks says so and stops no other."""
    findings: list[Finding] = []
    with np.errstate(all="ignore"):  # enormous numbers overflow, which is what the checks are about
        for one in CHECKS.values():
            if one.run is None:
                continue
            try:
                hits = one.run(model, limits)
                findings.extend(one.finding(hit) for hit in islice(hits, MOST_HITS))
                if next(hits, None) is not None:
                    findings.append(one.finding(Hit("", f"more than {MOST_HITS} findings: the others are left out")))
            except (ArithmeticError, LookupError, ValueError, MemoryError) as error:
                hit = Hit("", f"the check '{one.name}' broke: {type(error).__name__} {error}")
                findings.append(_FAILED.finding(hit))
    return findings
