"""The file as a text: encoding, sections, rows that EPANET cannot take apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from networks.check.finding import Hit, counted, printable
from networks.check.limits import Limits
from networks.check.model import LINK_SECTIONS, NODE_SECTIONS, Model
from networks.check.registry import check
from networks.inp_text import LONGEST_LINE, MOST_BYTES, MOST_ROWS

_LONGEST_ID = 31
_MOST_WORDS = 40
_FREE_TEXT = ("TITLE", "LABELS", "BACKDROP", "TAGS")
_REPEATED = (*_FREE_TEXT, "REACTIONS")  # EPANET's own export writes [REACTIONS] twice


@check("not-an-inp", "error", "binary or empty files", "give the text file that EPANET's Export > Network writes")
def not_an_inp(model: Model, limits: Limits) -> Iterator[Hit]:
    """Files that hold no network at all."""
    text = model.text
    if text.size == 0:
        yield Hit("", "the file is empty")
    elif not text.is_text:
        yield Hit("", "the file is no text: an archive, a picture or a project (.net) file?")
    elif not text.headings:
        yield Hit("", "no line begins with [: the file has no sections")
    elif not model.nodes and not model.links:
        yield Hit("", "no section holds a node or a link")


@check("encoding", "error", "bytes that EPANET cannot read as text", "save the file as UTF-8 without byte-order mark")
def encoding(model: Model, limits: Limits) -> Iterator[Hit]:
    """Wide characters, byte-order marks, zero bytes, old code pages."""
    text = model.text
    if not text.is_text:
        return
    if text.encoding.startswith(("utf-16", "utf-32")):
        yield Hit("", f"the file is {text.encoding.upper()}: EPANET sees zero bytes between the letters")
    elif text.has_bom:
        first = text.headings[0].section if text.headings and text.headings[0].line == 1 else ""
        lost = f": EPANET does not see the heading [{first}] and skips the rows under it" if first else ""
        harmless = first in ("", "TITLE")
        yield Hit("", f"the file begins with a byte-order mark{lost}", line=1, severity="note" if harmless else "error")
    elif text.has_nul:
        line = next((k for k, line in enumerate(text.lines, 1) if "\0" in line), 0)
        yield Hit("", "the file has zero bytes, at which EPANET ends a line: it is damaged", line=line)
    elif text.encoding != "utf-8":
        line = next((k for k, line in enumerate(text.lines, 1) if not line.isascii()), 0)
        reason = f"the file is not UTF-8 (taken for {text.encoding}): other programs show its letters wrongly"
        yield Hit("", reason, line=line, severity="note")


@check("line-ends", "error", "line ends of old Macintosh files", "save the file with line feeds (LF or CR LF)")
def line_ends(model: Model, limits: Limits) -> Iterator[Hit]:
    """Carriage returns alone: EPANET takes the whole file for one line."""
    if model.text.line_end == "cr":
        yield Hit("", "lines end with a carriage return alone: EPANET takes the file for one line")
        return
    joined = [k for k, line in enumerate(model.text.lines, 1) if "\r" in line.rstrip("\r")]
    if joined:
        reason = f"{counted(len(joined), 'line')} with a carriage return inside: EPANET reads both halves as one row"
        yield Hit("", reason, line=joined[0])


@check("line-length", "error", "lines longer than EPANET reads", "break the line; move the comment to its own line")
def line_length(model: Model, limits: Limits) -> Iterator[Hit]:
    """Longer lines are cut in two, and the second half is read as a row of its own."""
    for number, line in enumerate(model.text.lines, 1):
        if len(line) > LONGEST_LINE and len(line.encode("utf-8", "replace").rstrip(b"\r")) > LONGEST_LINE:
            reason = (
                f"the line has {len(line)} characters; EPANET reads {LONGEST_LINE} and takes the rest for a new line"
            )
            yield Hit("", reason, f"{len(line)} characters", line=number)


@check("cut-short", "warning", "files larger than the check reads", "check the parts of the model one at a time")
def cut_short(model: Model, limits: Limits) -> Iterator[Hit]:
    """Files beyond what is read."""
    if model.text.is_cut:
        yield Hit("", f"only the first {MOST_BYTES // 2**20} MB or {MOST_ROWS} rows were checked")


@check("section", "error", "headings that EPANET does not know", "write one of EPANET's section names in full")
def section(model: Model, limits: Limits) -> Iterator[Hit]:
    """Unknown, shortened and repeated headings, and rows under none."""
    text = model.text
    seen: Counter[str] = Counter()
    for heading in text.headings:
        written = printable(heading.written, 40)
        if not heading.section:
            yield Hit(written, "is no section of EPANET: the rows under it are skipped", line=heading.line)
        elif not heading.written.upper().startswith(f"[{heading.section}]"):
            reason = f"EPANET 2.3 wants [{heading.section}] in full and skips the rows under this heading"
            yield Hit(written, reason, line=heading.line)
        seen[heading.section] += 1
        if heading.section and seen[heading.section] == 2 and heading.section not in _REPEATED:
            yield Hit(
                written,
                "the section stands twice: the rows are joined",
                line=heading.line,
                severity="note",
                mend="fine if meant",
            )
    if text.before and text.headings:
        reason = f"{counted(len(text.before), 'row')} above the first section: EPANET skips them"
        yield Hit("", reason, line=text.before[0].line, severity="warning")


@check("end", "note", "a file that stops without [END]", "compare the last lines with the original; add [END]")
def end(model: Model, limits: Limits) -> Iterator[Hit]:
    """A missing end hints at a file that was cut; rows after it are lost."""
    text = model.text
    if not text.is_text or not text.headings:
        return
    if text.end is None:
        yield Hit("", "the file has no [END]: it may have been cut", line=len(text.lines), severity="warning")
    elif text.after_end:
        yield Hit(
            "",
            f"{counted(text.after_end, 'row')} after [END]: EPANET skips them",
            line=text.end,
            mend="move [END] down",
        )


@check(
    "id", "error", "names that EPANET refuses", "shorten the name to 31 bytes, without blanks, quotes and semicolons"
)
def names(model: Model, limits: Limits) -> Iterator[Hit]:
    """Names of nodes, links, patterns and curves that are too long."""
    rows = [(e.section, e.label, e.name, e.row.line) for e in (*model.nodes, *model.links)]
    rows += [("PATTERNS", f"pattern {name}", name, row.line) for name, (row, _) in model.patterns.items()]
    rows += [("CURVES", f"curve {name}", name, row.line) for name, (row, _) in model.curves.items()]
    narrow = model.text.encoding in ("cp1251", "latin-1")
    for where, label, name, line in rows:
        if (
            len(name) * 4 > _LONGEST_ID
            and (len(name) if narrow else len(name.encode("utf-8", "replace"))) > _LONGEST_ID
        ):
            yield Hit(label, f"the name has more than {_LONGEST_ID} bytes", f"{len(name)} characters", where, line)
        elif not name.isprintable():
            yield Hit(label, "the name has control characters", "", where, line, severity="warning")
        elif not name:
            yield Hit(label, "the name is empty", "", where, line)


@check("duplicate-id", "error", "two nodes, or two links, of one name", "rename one of them, or delete the double row")
def duplicate_id(model: Model, limits: Limits) -> Iterator[Hit]:
    """Names must be unique among nodes and among links."""
    yield from _troubles(model, "duplicate-id")


@check("fields", "error", "rows with too few or too many fields", "complete the row as EPANET's manual shows")
def fields(model: Model, limits: Limits) -> Iterator[Hit]:
    """Rows that EPANET refuses, or drops without a word."""
    yield from _troubles(model, "fields")
    for name, rows in model.text.sections.items():
        if name in _FREE_TEXT:
            continue
        for row in rows:
            if len(row.words) > _MOST_WORDS:
                reason = f"the row has {len(row.words)} fields; EPANET reads {_MOST_WORDS}"
                yield Hit(row.words[0], reason, section=name, line=row.line)


@check("missing-section", "error", "models without nodes or without links", "add the section")
def missing_section(model: Model, limits: Limits) -> Iterator[Hit]:
    """Nodes without links, links without nodes, sources without junctions."""
    if not model.nodes and not model.links:
        return
    if not any(model.text.rows(name) for name in LINK_SECTIONS):
        yield Hit("[PIPES]", "the model has no link")
    if not any(model.text.rows(name) for name in NODE_SECTIONS):
        yield Hit("[JUNCTIONS]", "the model has no node")
    elif not model.text.rows("JUNCTIONS"):
        yield Hit("[JUNCTIONS]", "the model has no junction")


def _troubles(model: Model, name: str) -> Iterator[Hit]:
    for trouble in model.troubles:
        if trouble.check == name:
            yield Hit(trouble.element, trouble.reason, trouble.value, trouble.section, trouble.line)
