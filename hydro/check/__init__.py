"""The checks that need a simulation: EPANET opens the file and runs its first day, in a process that may die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from hydro.check.child import DAY, REPORT
from hydro.check.day import clock
from hydro.check.report import complaints, error_finding, error_findings, read_report, warnings_of
from hydro.codes import WARNINGS
from networks.check import Finding, Model
from networks.check.finding import printable
from networks.check.registry import MOST_HITS

PROCESS_S = 40.0
RUN_S = 15.0

# what each check looks for and what usually mends it; their severities depend on what is found
CHECKS: dict[str, tuple[str, str]] = {
    "epanet-error": ("errors with which EPANET refuses the file", "what the finding says"),
    "epanet-dies": ("files on which EPANET crashes or never ends", "mend the other errors; look for a damaged file"),
    "not-balanced": ("moments that EPANET cannot balance", WARNINGS["not-balanced"][1]),
    "unstable": ("moments balanced only with frozen statuses", WARNINGS["unstable"][1]),
    "cut-off": ("nodes that no source reaches at some time of the day", WARNINGS["cut-off"][1]),
    "pump-range": ("pumps beyond their curve", WARNINGS["pump-range"][1]),
    "valve-range": ("valves that cannot hold their setting", WARNINGS["valve-range"][1]),
    "negative-pressure": ("negative pressures", "check elevations, demands, closed links and pump curves"),
    "high-pressure": ("pressures above what pipes bear", "check elevations and settings of pumps and valves"),
    "velocity": ("velocities that wear pipes", "check the diameter, and what else should carry the flow"),
    "gradient": ("steep head losses", "check diameter, roughness and closed links nearby"),
    "hunting": ("links that switch without rest", "separate the conditions of its controls and rules"),
    "tank-drains": ("tanks that run dry within a day", "check demand, pumps, controls and the tank's size"),
    "tank-full": ("tanks that run full within a day", "fine with a float valve; else check controls and size"),
    "prv-idle": ("PRVs that never act in the day", "check the setting, its unit and the valve's direction"),
    "day-cut": ("days that were not run to their end", "check the time steps; run it by `umanflow simulate`"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the process ended: exit code (None: stopped by the clock), answer, EPANET's report, last words."""

    code: int | None
    answer: dict[str, Any]
    report: list[str]
    last_words: str = ""


def check_hydraulics(
    model: Model, earlier: list[Finding] | None = None, process_s: float = PROCESS_S, run_s: float = RUN_S
) -> list[Finding]:
    """Let EPANET open and run a model in a process of its own, and say in words what came of it.

    Parameters
    ----------
    model
        The model as `networks.check.read_model` gives it.
    earlier
        Findings of the checks that read the model: what they have said of a line or element is not said again.
    process_s, run_s
        Wall time, s, after which the process is stopped, and after which the run is cut short.
    """
    text = model.text
    if not text.is_text or not text.headings:
        return []
    with tempfile.TemporaryDirectory(prefix="umanflow-check-") as folder:
        outcome = _run_child(_readable(model, Path(folder)), Path(folder), text.encoding, process_s, run_s)
    findings = list(_findings(model, outcome))
    said = _Said(earlier or [])
    return [f for f in findings if f.check != "epanet-error" or not said.covers(f)]


def _readable(model: Model, folder: Path) -> Path:
    """The file itself, or a copy with the same lines where EPANET could not read its bytes."""
    text = model.text
    wide = text.encoding.startswith("utf-") and text.encoding != "utf-8"
    if not (wide or text.has_bom or text.has_nul or text.line_end == "cr"):
        return text.path.resolve()
    copy = folder / "model.inp"
    copy.write_text("\n".join(text.lines).replace("\0", "") + "\n", "utf-8", errors="replace")
    return copy


def _run_child(inp: Path, folder: Path, encoding: str, process_s: float, run_s: float) -> Outcome:
    # -P and an explicit path: a file of the working directory must never be taken for one of our modules
    command = [sys.executable, "-P", "-m", "hydro.check.child", str(inp), str(folder), str(run_s)]
    path = os.pathsep.join(str(Path(p or ".").resolve()) for p in sys.path)
    environment = os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    code: int | None = None
    errors = folder / "stderr.txt"
    try:
        with errors.open("wb") as stderr:
            # the working directory is the scratch folder: an INP can ask EPANET to write files beside it
            code = subprocess.run(
                command, cwd=folder, env=environment, timeout=process_s,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, check=False,
            ).returncode  # fmt: skip
    except subprocess.TimeoutExpired:
        pass
    answer: dict[str, Any] = {}
    if code == 0:
        answer = json.loads((folder / DAY).read_text("utf-8"))
    said = errors.read_text("utf-8", "replace").strip().splitlines()
    single_byte = encoding if encoding in ("cp1251", "latin-1") else "utf-8"
    return Outcome(code, answer, read_report(folder / REPORT, single_byte), said[-1] if said else "")


def _findings(model: Model, outcome: Outcome) -> Iterator[Finding]:
    if outcome.code != 0:
        yield _death(outcome)
    if "code" in outcome.answer or outcome.code != 0:
        found = complaints(outcome.report)
        yield from islice(error_findings(found, model.text), MOST_HITS)
        if not found and "code" in outcome.answer:
            yield error_finding(int(outcome.answer["code"]))
    places = _Places(model, outcome.answer.get("day", {}))
    for check, kind, element, reason, severity in warnings_of(outcome.report):
        yield places.finding(check, severity, kind, element, "", reason)
    day = outcome.answer.get("day")
    if day is not None:
        named = {m[2] for m in warnings_of(outcome.report) if m[0] == "cut-off"}
        for seen in day["seen"]:
            name = places.name(seen["kind"], seen["index"])
            if not (seen["check"] == "cut-off" and name in named):
                yield places.finding(seen["check"], seen["severity"], seen["kind"], name, seen["value"], seen["reason"])
        if day["until_s"] < day["asked_s"]:
            halted = any(warning[0] == "not-balanced" for warning in warnings_of(outcome.report))
            why = "EPANET stopped, unbalanced," if halted else "the run was stopped"
            reason = f"{why} after {day['steps']} steps at {clock(day['until_s'])}"
            yield Finding("day-cut", "note", "", str(day["steps"]), reason, CHECKS["day-cut"][1])


def _death(outcome: Outcome) -> Finding:
    about, mend = "", CHECKS["epanet-dies"][1]
    if outcome.code is None:
        about = "EPANET does not come to an end with this file"
    elif outcome.code < 0:
        name = signal.Signals(-outcome.code).name if -outcome.code in set(signal.Signals) else str(outcome.code)
        about = f"EPANET itself dies on this file ({name})"
    else:
        about = f"EPANET could not be run on this file: {outcome.last_words or outcome.code}"
    return Finding("epanet-dies", "error", "", "", printable(about, 300), mend)


class _Places:
    """Where EPANET's elements stand in the file: it numbers them in the file's order, junctions first."""

    def __init__(self, model: Model, day: dict[str, Any]) -> None:
        nodes = sorted(model.nodes, key=lambda e: (e.kind != "junction", e.row.line))
        links = sorted(model.links, key=lambda e: e.row.line)
        self._lists = {"node": nodes, "link": links}
        self._fits = {"node": day.get("n_nodes") == len(nodes), "link": day.get("n_links") == len(links)}
        self._model = model

    def name(self, kind: str, index: int) -> str:
        """Name of EPANET's element of that number."""
        elements = self._lists[kind]
        return elements[index].name if self._fits[kind] else f"number {index + 1}"

    def finding(self, check: str, severity: Any, kind: str, name: str, value: str, reason: str) -> Finding:
        """A finding about an element, with its place in the file."""
        index = self._model.node_index if kind == "node" else self._model.link_index
        elements = self._model.nodes if kind == "node" else self._model.links
        element = elements[index[name]] if kind and name in index else None
        label = element.label if element is not None else f"{kind} {name}".strip()
        section, line = (f"[{element.section}]", element.row.line) if element is not None else ("", 0)
        return Finding(
            check, severity, printable(label), value, printable(reason, 300), CHECKS[check][1], section, line
        )


class _Said:
    """What the checks that read the model have said: EPANET's error about the same line or element says no more."""

    _SAME: ClassVar[dict[str, tuple[str, ...]]] = {
        "Error 223": ("missing-section", "not-an-inp"),
        "Error 224": ("no-source", "not-an-inp"),
        "Error 233": ("unconnected", "missing-section"),
        "Error 234": ("unconnected", "missing-section"),
    }

    def __init__(self, earlier: list[Finding]) -> None:
        errors = [f for f in earlier if f.severity == "error"]
        self._lines = {f.line for f in errors if f.line}
        self._elements = {f.element.split(" ", 1)[-1] for f in errors}
        self._checks = {f.check for f in errors}

    def covers(self, finding: Finding) -> bool:
        """Whether EPANET's error needs no words of its own."""
        if finding.line:
            return finding.line in self._lines
        if finding.element and finding.element in self._elements:
            return True
        return any(check in self._checks for check in self._SAME.get(finding.value, ()))
