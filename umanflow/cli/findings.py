"""Findings for a person, as a table that says of each check the worst few, or as JSON with all of them."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from networks.check import Finding
    from umanflow.checking import CheckReport

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_PIPED_WIDTH = 180


def show_findings(report: CheckReport, rows: int, as_json: bool) -> None:
    """Print the report of a model check."""
    if as_json:
        answer = {
            "network": report.name,
            "file": str(report.path),
            "nodes": report.nodes,
            "links": report.links,
            **{f"{severity}s": count for severity, count in report.counts.items()},
            "findings": [f.as_dict() for f in report.findings],
        }
        # names of a hostile file may not be text at all; ASCII reaches every program
        print(json.dumps(answer, indent=1))
        return
    _print_table(report, rows)


def _print_table(report: CheckReport, rows: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=_PIPED_WIDTH)
    if report.findings:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for head in ("severity", "check", "element", "value", "what is wrong, and how to mend it", "where"):
            table.add_column(head, no_wrap=head in ("severity", "check"), overflow="fold")
        for (severity, _), group in groupby(report.findings, key=lambda f: (f.severity, f.check)):
            found = list(group)
            for finding in found[:rows]:
                table.add_row(
                    *(Text(cell, _COLOURS[severity] if k == 0 else "") for k, cell in enumerate(_cells(finding)))
                )
            if len(found) > rows:
                more = f"and {len(found) - rows} more"
                table.add_row(Text(severity, _COLOURS[severity]), Text(found[0].check), Text(more, "dim"), "", "", "")
        console.print(table)
    counts = ", ".join(f"{n} {severity}{'' if n == 1 else 's'}" for severity, n in report.counts.items())
    console.print(f"{report.name}: {report.nodes} nodes, {report.links} links; {counts}")


def _cells(finding: Finding) -> tuple[str, ...]:
    where = f"{finding.section} line {finding.line}" if finding.line else finding.section
    text = f"{finding.reason}; {finding.mend}"
    return finding.severity, finding.check, finding.element or "-", finding.value or "-", text, where.strip() or "-"
