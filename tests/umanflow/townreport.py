"""Reports of the town of `tests.umanflow.town`, and a reader of pages, for the tests of reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

from models.leak import Leak
from networks import load
from tests.umanflow.town import leak, write_folder, write_town
from umanflow.report import Content, Findings, Site, gather, read_leaks, site_of
from umanflow.report.measured import read_days, read_residuals

HOSTILE = "</script><script>alert(1)</script>$x_1$#=1+1&\"'"


def findings_of(folder: Path) -> Findings:
    """What a detection folder holds."""
    health, run = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("health.json", "run.json"))
    return Findings(read_leaks(folder), run, health, read_residuals(folder), read_days(folder))


def made(folder: Path, leaks: Sequence[Leak], cost: float | None = 34.16, **how: bool) -> tuple[Content, Site]:
    """Content of a report of the town."""
    inp = write_town(folder, **how)
    findings = findings_of(write_folder(folder / "found", inp, leaks))
    return gathered(findings, inp, cost, how.get("has_tables", True))


def gathered(findings: Findings, inp: Path, cost: float | None = None, has_tables: bool = True) -> tuple[Content, Site]:
    network = load(inp, findings.run["crs"])
    if has_tables:
        network.folder = inp.parent
    site = site_of(network, ["MAIN"])
    return gather(findings, site, cost), site


LEAKS = (leak(1), leak(2, "H-11", "ended"), leak(3, "H-21", "withdrawn"))


class Page(HTMLParser):
    """What a page loads, which ids it has, which tags it opens, and whether they are closed in order."""

    void = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.refers: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.void:
            self.open.append(tag)
        self._look(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._look(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _look(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href", "srcset", "data", "action"}:
                (self.refers if (value or "").startswith("#") else self.loads).append(value or "")
