"""Names that point to nothing."""

from __future__ import annotations

from collections.abc import Container, Iterator

from networks.check.finding import Hit, counted
from networks.check.limits import Limits
from networks.check.model import Model
from networks.check.registry import check
from networks.inp_text import Row


@check("undefined-node", "error", "nodes that are named but not defined", "define the node, or mend the name")
def undefined_node(model: Model, limits: Limits) -> Iterator[Hit]:
    """End nodes of links, and rows about nodes."""
    for link, (start, end) in zip(model.links, model.ends.tolist(), strict=True):
        for k, place in ((1, start), (2, end)):
            if place < 0 and link.word(k):
                yield Hit(link.label, "its node does not exist", link.word(k), link.section, link.row.line)
    for section in ("DEMANDS", "EMITTERS", "SOURCES"):
        yield from _unknown(model.text.rows(section), section, 0, model.node_index, "node")
    yield from _unused(model, "COORDINATES", model.node_index, "node")


@check("undefined-link", "error", "links that are named but not defined", "define the link, or mend the name")
def undefined_link(model: Model, limits: Limits) -> Iterator[Hit]:
    """Rows about links that do not exist."""
    single = [row for row in model.text.rows("STATUS") if len(row.words) == 2]
    yield from _unknown(single, "STATUS", 0, model.link_index, "link")
    yield from _unknown(model.text.rows("LEAKAGE"), "LEAKAGE", 0, model.link_index, "link")
    yield from _unused(model, "VERTICES", model.link_index, "link")


@check("undefined-pattern", "error", "patterns that are named but not defined", "add the pattern, or mend the name")
def undefined_pattern(model: Model, limits: Limits) -> Iterator[Hit]:
    """Patterns of demands, reservoirs and pumps."""
    rows = [("JUNCTIONS", row, 3) for row in model.text.rows("JUNCTIONS")]
    rows += [("DEMANDS", row, 2) for row in model.text.rows("DEMANDS")]
    rows += [(n.section, n.row, 2) for n in model.nodes if n.kind == "reservoir"]
    for section, row, k in rows:
        if len(row.words) > k and row.words[k] not in model.patterns:
            yield Hit(row.words[0], "its pattern does not exist", row.words[k], section, row.line)
    for pump in (link for link in model.links if link.kind == "pump"):
        name = keyword(pump.row, "PATTERN")
        if name is not None and name not in model.patterns:
            yield Hit(pump.label, "its pattern does not exist", name, "PUMPS", pump.row.line)
    default = model.options.get("PATTERN")
    if default is not None and default.words[1:2] not in ((), ("1",)) and default.words[1] not in model.patterns:
        reason = "the default pattern does not exist: demands are constant"
        yield Hit("PATTERN", reason, default.words[1], "OPTIONS", default.line, severity="warning")


@check("undefined-curve", "error", "curves that are named but not defined", "add the curve, or mend the name")
def undefined_curve(model: Model, limits: Limits) -> Iterator[Hit]:
    """Curves of pumps, tanks and valves."""
    for link in model.links:
        name: str | None = None
        if link.kind == "pump":
            name = keyword(link.row, "HEAD")
        elif link.kind == "valve" and link.word(4).upper() == "GPV":
            name = link.word(5)
        if name is not None and name not in model.curves:
            yield Hit(link.label, "its curve does not exist", name, link.section, link.row.line)
    for node in model.nodes:
        name = node.word(7)
        if node.kind == "tank" and name and not name.startswith("*") and name not in model.curves:
            yield Hit(node.label, "its volume curve does not exist", name, node.section, node.row.line)


def keyword(row: Row, key: str) -> str | None:
    """The word after a keyword in a pump's row; None without it."""
    for k in range(3, len(row.words) - 1, 2):
        if row.words[k].upper().startswith(key):
            return row.words[k + 1]
    return None


def _unknown(rows: list[Row], section: str, k: int, known: Container[str], kind: str) -> Iterator[Hit]:
    for row in rows:
        if len(row.words) > k and row.words[k] not in known:
            yield Hit(f"{kind} {row.words[k]}", "does not exist", section=section, line=row.line)


def _unused(model: Model, section: str, known: Container[str], kind: str) -> Iterator[Hit]:
    """Rows that EPANET skips in silence: said once."""
    lost = [row for row in model.text.rows(section) if row.words[0] not in known]
    if lost and (model.nodes or model.links):
        reason = f"{counted(len(lost), 'row')} of [{section}] about {kind}s that do not exist"
        yield Hit(f"{kind} {lost[0].words[0]}", reason, section=section, line=lost[0].line, severity="note",
                  mend="delete the rows")  # fmt: skip
