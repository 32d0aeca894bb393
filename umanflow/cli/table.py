"""Tables for a person, or JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def show(rows: Sequence[Mapping[str, object]], as_json: bool) -> None:
    """Print rows as an aligned table, or as JSON."""
    if as_json:
        print(json.dumps(list(rows), indent=1, ensure_ascii=False))
        return
    if not rows:
        print("nothing to show")
        return
    heads = list(rows[0])
    cells = [[_cell(row.get(head)) for head in heads] for row in rows]
    widths = [max(len(head), *(len(line[k]) for line in cells)) for k, head in enumerate(heads)]
    numeric = [all(isinstance(row.get(h), (int, float, type(None))) for row in rows) for h in heads]
    print("  ".join(h.rjust(w) if n else h.ljust(w) for h, w, n in zip(heads, widths, numeric, strict=True)).rstrip())
    for line in cells:
        text = (c.rjust(w) if n else c.ljust(w) for c, w, n in zip(line, widths, numeric, strict=True))
        print("  ".join(text).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
