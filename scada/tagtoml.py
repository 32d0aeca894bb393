"""The TOML form of a tag table.

::

    addressing = "modicon"      # wire by default
    [defaults]                  # optional: what tags have in common
    device = "ps-1"
    [[tags]]
    name = "ps-1.flow"
    table = "input"
    address = 30005
    type = "float32"
    bad_values = ["0x7FC00000"]
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from scada.address import ADDRESSINGS
from scada.errors import TagError
from scada.tablerows import header_lines, toml_document
from scada.tag import Tag
from scada.tagcells import COLUMNS, REQUIRED, cell_text
from scada.tagfile import ParsedTags

__all__ = ["as_text", "format_toml", "parse_toml", "quoted"]

_TEXTS = {"name", "device", "table", "type", "order", "unit", "element", "quantity", "text_uk", "text_en"}


def parse_toml(path: Path, text: str, addressing: str) -> ParsedTags:
    """Read the tags of a TOML text; parameters as for :func:`scada.tagfile.parse_tags`."""
    file, parsed = str(path), ParsedTags()
    document, parsed.errors = toml_document(file, text)
    if parsed.errors:
        return parsed
    for key in sorted(document.keys() - {"addressing", "defaults", "tags"}):
        parsed.errors.append(TagError(file, 0, f"'{key}' is unknown", "use addressing, defaults and [[tags]]"))
    addressing = document.get("addressing", addressing)
    defaults, rows = document.get("defaults", {}), document.get("tags", [])
    if addressing not in ADDRESSINGS:
        mend = f"use one of {', '.join(ADDRESSINGS)}"
        parsed.errors.append(TagError(file, 0, f"addressing '{addressing}' is unknown", mend))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not isinstance(defaults, dict):
        parsed.errors.append(TagError(file, 0, "tags are no tables", "write [[tags]] before each, and one [defaults]"))
    if parsed.errors:
        return parsed
    if not rows:
        parsed.errors.append(TagError(file, 0, "has no tags", "write [[tags]] before each"))
    for row, line in zip(rows, header_lines(text, "tags", len(rows)), strict=True):
        _take(parsed, file, line, {**defaults, **row}, addressing)
    return parsed


def _take(parsed: ParsedTags, file: str, line: int, row: Mapping[str, object], addressing: str) -> None:
    mistakes: list[tuple[str, str]] = []
    cells: dict[str, str] = dict.fromkeys(REQUIRED, "")
    for key, value in row.items():
        if key not in COLUMNS:
            mistakes.append((f"key '{key}' is unknown", f"use {', '.join(COLUMNS)}"))
            continue
        text = as_text(value)
        if text is None or (key in _TEXTS and not isinstance(value, (str, int))):
            mistakes.append((f"{key} is a {type(value).__name__}", "write a string or a number"))
        else:
            cells[key] = text.strip()
    missing = [key for key in REQUIRED if key not in row]
    mistakes += [(f"key '{key}' is missing", "add it") for key in missing]
    parsed.errors.extend(TagError(file, line, what, mend) for what, mend in mistakes)
    if not mistakes:
        parsed.take(file, line, cells, addressing, False)


def as_text(value: object) -> str | None:
    """Return a TOML value as the cell of a table would be written; None where no cell could hold it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, list):
        parts = [as_text(part) for part in value]
        return None if None in parts else "|".join(str(part) for part in parts)
    return str(value) if isinstance(value, (str, int, float)) else None


def format_toml(tags: Iterable[Tag]) -> str:
    """Return the TOML text of `tags`; what holds the default is left out, addresses are the wire's."""
    parts = ['addressing = "wire"\n']
    for tag in tags:
        lines = ["[[tags]]"]
        for name in COLUMNS:
            text = cell_text(tag, name)
            if not text and name not in REQUIRED:
                continue
            value = getattr(tag, name)
            if isinstance(value, tuple):
                text = f"[{', '.join(text.split('|'))}]"
            elif isinstance(value, str):
                text = quoted(text)
            lines.append(f"{name} = {text}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def quoted(text: str) -> str:
    """Return a text as a TOML string."""
    # a JSON string is a TOML basic string, but for DEL, which TOML wants escaped
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
