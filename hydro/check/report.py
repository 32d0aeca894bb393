"""What EPANET wrote into its report: errors with section and line, warnings with element and time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hydro.codes import ERRORS, WARNINGS
from networks.check import Finding
from networks.check.finding import Severity, printable
from networks.inp_text import LONGEST_LINE, InpText, section_of

_MOST_BYTES = 4 * 2**20
_KEY = 100  # characters by which a row is known again: EPANET shortens the rows that it echoes
_ERROR = re.compile(r"^\s*(?:Input )?Error (\d+):\s*(.*?)\s*$")
_SECTION = re.compile(r"\[([A-Za-z]+)\]? section:?$")
_UNBALANCED = re.compile(r"WARNING: System unbalanced at (\S+) hrs")
_UNSTABLE = re.compile(r"WARNING: Maximum trials exceeded at (\S+) hrs")
_NODE = re.compile(r"WARNING: Node (.+) disconnected at (\S+) hrs")
_PUMP = re.compile(
    r"WARNING: Pump (.+?) (closed because cannot deliver head|open but exceeds maximum flow) at (\S+) hrs"
)
_VALVE = re.compile(r"WARNING: (PRV|PSV|FCV|PBV|TCV|GPV|PCV) (\S+) (.+) at (\S+) hrs")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error of EPANET: code, its words, the section and the line it echoes ("" where it names none)."""

    code: int
    words: str
    section: str
    echo: str


def read_report(path: Path, encoding: str) -> list[str]:
    """Lines of EPANET's report, as many as a person could ever read."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES)
    except OSError:
        return []
    return raw.decode(encoding, "replace").splitlines()


def complaints(lines: list[str]) -> list[Complaint]:
    """Errors that EPANET wrote, without those that only sum up others."""
    found: list[Complaint] = []
    for k, line in enumerate(lines):
        match = _ERROR.match(line)
        if match is None:
            continue
        code, words = int(match[1]), match[2]
        echoes = words.endswith(":") or code == 299
        echo = lines[k + 1].strip() if echoes and k + 1 < len(lines) else ""
        section = _SECTION.search(words)
        name = section_of("[" + section[1]) if section else "RULES" if "Rule" in words else ""
        found.append(Complaint(code, words, name, echo))
    codes = {c.code for c in found}
    # 200 and 110 sum up the errors before them, 233 those of single nodes
    sums = {200, 110} | ({233} if 234 in codes else set())
    return [c for c in found if c.code not in sums] or found[:1]


def error_findings(found: list[Complaint], text: InpText) -> Iterator[Finding]:
    """EPANET's errors in words, with the lines of the original file."""
    wanted = {c.echo[:_KEY] for c in found if c.echo}
    places: defaultdict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(text.lines, 1):
        for piece in (line,) if len(line) <= LONGEST_LINE else _pieces(line):
            stripped = piece.strip()[:_KEY]
            if stripped in wanted:
                places[stripped].append(number)
    used: defaultdict[str, int] = defaultdict(int)
    for complaint in found:
        key = complaint.echo[:_KEY]
        numbers = places.get(key, [])
        # the same row may be refused twice, and EPANET complains in the order of the file
        # the first of two equal rows is no duplicate
        turn = used[key] + (complaint.code == 215)
        place = numbers[min(turn, len(numbers) - 1)] if numbers else 0
        used[key] += 1
        yield error_finding(complaint.code, complaint.words, complaint.section, place, complaint.echo)


def _pieces(line: str) -> Iterator[str]:
    """A long line as EPANET reads it, each piece a row of its own."""
    raw = line.encode("utf-8", "replace")
    for begin in range(0, len(raw), LONGEST_LINE + 1):
        yield raw[begin : begin + LONGEST_LINE + 1].decode("utf-8", "replace")


def error_finding(code: int, words: str = "", section: str = "", line: int = 0, echo: str = "") -> Finding:
    """One error of EPANET in words."""
    reason, mend = ERRORS.get(code, (f"EPANET says: {words}" if words else "EPANET fails", "see EPANET's manual"))
    about = echo.split()[0] if echo.split() else ""
    if not about and words and section == "":
        about = words.split()[-1] if code in (219, 220, 225, 226, 227, 230, 231, 232, 234) else ""
    said = f" (EPANET: {words.rstrip(': ')})" if words and code in ERRORS else ""
    return Finding(
        check="epanet-error",
        severity="error",
        element=printable(about),
        value=f"Error {code}",
        reason=printable(reason + said, 300),
        mend=mend,
        section=f"[{section}]" if section else "",
        line=line,
    )


def warnings_of(lines: list[str]) -> Iterator[tuple[str, str, str, str, Severity]]:
    """Check, kind, element, reason and severity of each run-time warning; one per element, with its times."""
    times: defaultdict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for line in lines:
        text = line.strip()
        if not text.startswith("WARNING:"):
            continue
        if match := _UNBALANCED.match(text):
            times["not-balanced", "", "", ""].append(match[1])
        elif match := _UNSTABLE.match(text):
            times["unstable", "", "", ""].append(match[1])
        elif match := _NODE.match(text):
            times["cut-off", "node", match[1], ""].append(match[2])
        elif match := _PUMP.match(text):
            times["pump-range", "link", match[1], match[2]].append(match[3])
        elif match := _VALVE.match(text):
            times["valve-range", "link", match[2], f"{match[1]} {match[3]}"].append(match[4])
    for (check, kind, element, detail), when in times.items():
        reason = WARNINGS[check][0] + (f": {detail}" if detail else "")
        often = f", and {len(when) - 1} times more" if len(when) > 1 else ""
        severity: Severity = "error" if check == "not-balanced" else "warning"
        yield check, kind, element, f"{reason}, at {when[0]}{often}", severity
