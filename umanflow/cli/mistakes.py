"""The mistakes of a table of tags or alarms, for a person or for a program."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from umanflow.cli.table import show
from umanflow.errors import UserError

if TYPE_CHECKING:
    from scada.errors import TagError

_LONGEST_TABLE = 500  # findings; JSON has all


def show_mistakes(findings: Sequence[TagError], as_json: bool, facts: dict[str, object], summary: str) -> None:
    """Print findings and a summary, or JSON with the facts and all findings."""
    counts = Counter(finding.severity for finding in findings)
    if as_json:
        rows = [
            {"severity": f.severity, "line": f.line or None, "what": f.what, "mend": f.mend, "file": f.file or None}
            for f in findings
        ]
        answer = {**facts, "errors": counts["error"], "warnings": counts["warning"], "findings": rows}
        print(json.dumps(answer, indent=1, ensure_ascii=False))
        return
    if findings:
        show(
            [
                {
                    "line": str(f.line) if f.line else "-",
                    "severity": f.severity,
                    "what is wrong": f.what,
                    "mend": f.mend,
                }
                for f in findings[:_LONGEST_TABLE]
            ],
            False,
        )
    if len(findings) > _LONGEST_TABLE:
        print(f"and {len(findings) - _LONGEST_TABLE} more; --json has all")
    print(f"{summary}; {counted(counts['error'], 'error')}, {counted(counts['warning'], 'warning')}")


def fail_on(wrong: int, text: str) -> None:
    """Exit with 2 and one line on stderr; what is wrong was listed before."""
    if wrong:
        raise UserError(text)


def counted(count: int, word: str) -> str:
    """Return a number with its noun."""
    return f"{count} {word}{'' if count == 1 else 's'}"
