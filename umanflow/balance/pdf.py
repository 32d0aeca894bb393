"""A balance on paper, by Typst; with matplotlib's fonts, so that every machine makes the same bytes."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from umanflow.balance.page import Page

_EPOCH = 0


def render_pdf(page: Page) -> bytes:
    """Typeset a page as A4; the same page gives the same bytes."""
    import matplotlib as mpl
    import typst

    compile_all: Any = typst.compile  # its stubs do not know of several sources

    folder = files("umanflow.balance").joinpath("templates")
    sources: dict[str, bytes] = {"main": folder.joinpath("balance.typ").read_bytes()}
    sections = []
    for section in page.sections:
        name = f"{section.key}.svg" if section.figure else ""
        if name:
            sources[name] = section.figure.encode("utf-8")
        table = section.table
        sections.append(
            {
                "title": section.title,
                "intro": section.intro,
                "figure": name,
                "figure_label": section.figure_label,
                "points": section.points,
                "table": None
                if table is None
                else {
                    "heads": table.heads,
                    "numeric": table.numeric,
                    "wide": table.wide,
                    "rows": [
                        {"cells": [cell.text for cell in row.cells], "level": row.level, "total": row.is_total}
                        for row in table.rows
                    ],
                },
            }
        )
    content = {
        "lang": page.lang,
        "title": page.title,
        "subtitle": page.subtitle,
        "banner": page.banner,
        "note": page.note,
        "tiles": [asdict(tile) for tile in page.tiles],
        "sections": sections,
        "footer": page.footer,
    }
    sources["page.json"] = json.dumps(content, ensure_ascii=False).encode("utf-8")
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    document: bytes = compile_all(
        sources, format="pdf", font_paths=[str(fonts)], ignore_system_fonts=True, timestamp=_EPOCH
    )
    return document
