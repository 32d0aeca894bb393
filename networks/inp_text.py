"""An INP file as rows of words, read so forgivingly that any bytes give an answer.

EPANET and WNTR stop at what they cannot read; this reader goes on and remembers what it met, because its purpose is to
say what is wrong. Rules of the text are EPANET's (`gettokens` in input2.c): sections begin with `[`, `;` begins a
comment, blanks part the words, a quoted word may hold blanks, a line has at most 1023 characters.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

MOST_BYTES = 256 * 2**20
MOST_ROWS = 3_000_000
LONGEST_LINE = 1022  # EPANET reads a line in pieces of 1023 characters, the end of the line among them

SECTIONS = (
    "TITLE", "JUNCTIONS", "RESERVOIRS", "TANKS", "PIPES", "PUMPS", "VALVES", "CONTROLS", "RULES", "DEMANDS", "SOURCES",
    "EMITTERS", "LEAKAGE", "PATTERNS", "CURVES", "QUALITY", "STATUS", "ROUGHNESS", "ENERGY", "REACTIONS", "MIXING",
    "REPORT", "TIMES", "OPTIONS", "COORDINATES", "VERTICES", "LABELS", "BACKDROP", "TAGS", "END",
)  # fmt: skip
_BY_START = {name[:4]: name for name in SECTIONS}  # EPANET 2.2 and earlier compare four letters
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# what Python takes for a blank and EPANET does not: the no-break space of a spreadsheet above all
_FOREIGN_BLANK = re.compile("[\x0b\x0c\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_WORD = re.compile(r'"([^"]*)"?|([^ \t\r\n]+)')


class Row(NamedTuple):
    """One line of a section: its number in the file, from 1, and its words without the comment."""

    line: int
    words: tuple[str, ...]


class Heading(NamedTuple):
    """A line that begins a section: its number, the section it means ("" for none) and what is written."""

    line: int
    section: str
    written: str


@dataclass
class InpText:
    """What a file says, before anybody asks what it means.

    Attributes
    ----------
    encoding
        What the bytes were taken for; "binary" where they are no text at all.
    has_bom, has_nul, is_cut
        A byte-order mark, zero bytes, and more bytes or rows than are read.
    line_end
        "lf", "crlf" or "cr".
    lines
        The lines as they stand, without their ends.
    sections
        Rows by section, in the file's order; repeated sections are joined.
    before
        Rows above the first heading.
    unknown
        Rows under a heading that means nothing.
    end
        Line of `[END]`, None where it is missing; `after_end` counts the rows below it.
    """

    path: Path
    size: int
    encoding: str = "utf-8"
    has_bom: bool = False
    has_nul: bool = False
    is_cut: bool = False
    line_end: str = "lf"
    lines: list[str] = field(default_factory=list)
    sections: dict[str, list[Row]] = field(default_factory=dict)
    headings: list[Heading] = field(default_factory=list)
    before: list[Row] = field(default_factory=list)
    unknown: int = 0
    end: int | None = None
    after_end: int = 0

    def rows(self, section: str) -> list[Row]:
        """Rows of one section; none where the file lacks it."""
        return self.sections.get(section, [])

    @property
    def is_text(self) -> bool:
        """Whether the bytes are a text at all."""
        return self.encoding != "binary"


def section_of(word: str) -> str:
    """The section that a heading means, "" for none: four letters are enough, as in EPANET 2.2."""
    return _BY_START.get(word[1:5].upper().rstrip("]"), "END" if word[1:4].upper() == "END" else "")


def read_inp(path: Path) -> InpText:
    """Read any file as if it were an INP.

    Raises
    ------
    OSError
        If the file cannot be opened; its content raises nothing.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        raw = file.read(MOST_BYTES)
    found = InpText(path=path, size=size, is_cut=size > len(raw), has_nul=b"\0" in raw)
    text = _decode(raw, found)
    if text is None:
        return found
    if "\n" in text:
        found.line_end = "crlf" if "\r\n" in text else "lf"
        found.lines = text.split("\n")
    else:
        found.line_end = "cr" if "\r" in text else "lf"
        found.lines = text.split("\r")
    if found.lines and not found.lines[-1]:
        found.lines.pop()
    _sort_rows(found, plain=_FOREIGN_BLANK.search(text) is None)
    return found


def _decode(raw: bytes, found: InpText) -> str | None:
    for mark, encoding in _BOMS:
        if raw.startswith(mark):
            found.has_bom, found.encoding = True, encoding.removesuffix("-sig")
            return raw.decode(encoding, "replace").lstrip("\ufeff")
    head = raw[: 2**16]
    if found.has_nul:
        # Latin letters in UTF-16 have a zero in every other byte
        for zeros, encoding in ((head[1::2], "utf-16-le"), (head[::2], "utf-16-be")):
            if len(zeros) > 1 and zeros.count(0) > 0.8 * len(zeros) and head.count(0) < 0.7 * len(head):
                found.encoding = encoding
                return raw.decode(encoding, "replace")
    control = sum(head.count(code) for code in range(32) if code not in (0, 9, 10, 12, 13, 26))
    if control > 0.05 * len(head) or head.count(0) > 0.3 * len(head):
        found.encoding = "binary"
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        # Cyrillic words are runs of bytes above 0xC0, western ones have a single accented letter here and there
        found.encoding = "cp1251" if re.search(rb"[\xc0-\xff]{3}", raw) else "latin-1"
        return raw.decode(found.encoding, "replace")


def _words(line: str, plain: bool) -> tuple[str, ...]:
    if ";" in line:
        line = line[: line.index(";")]
    if plain and '"' not in line:
        return tuple(line.split())
    return tuple(m.group(1) if m.group(2) is None else m.group(2) for m in _WORD.finditer(line))


def _sort_rows(found: InpText, plain: bool) -> None:
    rows = found.before
    counted = 0
    for number, line in enumerate(found.lines, 1):
        words = _words(line, plain)
        if not words:
            continue
        if found.end is not None:
            found.after_end += 1
            continue
        if words[0].startswith("["):
            name = section_of(words[0])
            found.headings.append(Heading(number, name, words[0]))
            if name == "END":
                found.end = number
            rows = found.sections.setdefault(name, []) if name else []
            continue
        if found.headings and not found.headings[-1].section:
            found.unknown += 1
            continue
        rows.append(Row(number, words))
        counted += 1
        if counted >= MOST_ROWS:
            found.is_cut = True
            return
