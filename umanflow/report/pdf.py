"""A report on paper: A4 through Typst, with its fonts inside and nothing fetched."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from umanflow.report.blocks import Document, Figure, Group, Legend, Pair
from umanflow.report.drawing import as_file
from umanflow.report.errors import ReportError

_WORDS = re.compile("([ \u00a0\u202f]+)")
_BREAKS = "-_./+:@"
_NARROW = "\u200b"  # a place where a long name may be broken


@cache
def _fonts() -> Path:
    """Folder of the fonts: DejaVu has every letter of both languages, and matplotlib brings it."""
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def render_pdf(document: Document, date: datetime) -> bytes:
    """Set a report on A4; the same document gives the same bytes.

    Parameters
    ----------
    date
        That the file says it is of: the end of the period, not the moment of making.

    Raises
    ------
    ReportError
        If Typst refuses the document.
    """
    import typst

    content = asdict(document)
    pictures: dict[str, str] = {}
    content["blocks"] = [_plain(block, pictures) for block in document.blocks]
    stamp = date.replace(tzinfo=UTC)
    content["date"] = [stamp.year, stamp.month, stamp.day]
    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        root = Path(folder)
        for name, svg in pictures.items():
            (root / name).write_text(svg, encoding="utf-8")
        (root / "report.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        template = files("umanflow.report") / "templates" / "report.typ"
        (root / "report.typ").write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
        try:
            made = typst.compile(
                root / "report.typ",
                root=root,
                font_paths=[_fonts()],
                ignore_system_fonts=True,
                pdf_standards="1.7",
                timestamp=int(stamp.timestamp()),
            )
        except typst.TypstError as error:
            mend = "please report this with the detection folder"
            raise ReportError(f"Typst cannot set it: {error}", "report.pdf", mend) from error
    if not isinstance(made, bytes):
        raise ReportError("Typst made no single file", "report.pdf", "please report this with the detection folder")
    return made


def _plain(value: Any, pictures: dict[str, str]) -> Any:
    """Turn blocks into what JSON holds; pictures become files, long names may break."""
    if isinstance(value, Figure):
        return {
            "kind": "figure",
            "file": _file(value.svg, pictures),
            "caption": value.caption,
            "legend": [{"file": _file(item.icon, pictures), "text": item.text} for item in value.legend],
        }
    if isinstance(value, Pair | Group) or is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name), pictures) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(part, pictures) for part in value]
    if isinstance(value, dict):
        return {key: _plain(part, pictures) for key, part in value.items()}
    return breakable(value) if isinstance(value, str) else value


def breakable(text: str) -> str:
    """Let long words be broken after their signs, so that no name leaves its column."""
    return "".join("".join(_marked(word)) if len(word) > 12 else word for word in _WORDS.split(text))


def _marked(word: str) -> Iterator[str]:
    for k, letter in enumerate(word):
        yield letter
        if (letter in _BREAKS and 0 < k < len(word) - 1 and not word[k + 1].isdigit()) or (
            k % 12 == 11 and not word.isalpha()
        ):
            yield _NARROW


def _file(svg: str, pictures: dict[str, str]) -> str:
    text = as_file(svg)
    known = {content: name for name, content in pictures.items()} if len(pictures) < 40 else {}
    name = known.get(text, f"picture-{len(pictures) + 1}.svg")
    pictures[name] = text
    return name


__all__ = ["Legend", "breakable", "render_pdf"]
