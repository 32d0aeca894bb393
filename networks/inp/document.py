"""The lines of an INP as EPANET cuts them: sections, words, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from networks.inp.decode import decode

SECTIONS = (
    "TITLE", "JUNCTIONS", "RESERVOIRS", "TANKS", "PIPES", "PUMPS", "VALVES", "CONTROLS", "RULES", "DEMANDS",
    "SOURCES", "EMITTERS", "PATTERNS", "CURVES", "QUALITY", "STATUS", "ROUGHNESS", "ENERGY", "REACTIONS", "MIXING",
    "REPORT", "TIMES", "OPTIONS", "COORDINATES", "VERTICES", "LABELS", "BACKDROP", "TAGS", "LEAKAGE", "END",
)  # fmt: skip
# EPANET looks at the first four letters of a heading alone ("[JUNC", "[Junction]", "[JUNCTIONS and more]")
_HEADINGS = {name[:4]: name for name in SECTIONS}
_WORDS = re.compile(r'"[^"]*"?|[^\s"]+')


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an INP.

    Attributes
    ----------
    number
        From 1, as an editor counts.
    section
        Full name of the section, upper case; empty before the first one.
    words
        What EPANET takes as words, without quotation marks; nothing of a comment.
    text
        The line as it stands.
    """

    number: int
    section: str
    words: tuple[str, ...]
    text: str

    @property
    def comment(self) -> str:
        """What follows the semicolon, or an empty text."""
        return self.text.partition(";")[2].strip()


def is_word(text: str, keyword: str) -> bool:
    """Whether a word of the file stands for a keyword: EPANET compares as many letters as the keyword has."""
    return text[: len(keyword)].upper() == keyword


@dataclass(frozen=True)
class Document:
    """An INP cut into lines, without any meaning yet.

    Attributes
    ----------
    text
        The whole file, line feeds at the line ends.
    encoding
        Python's name of the encoding that the file was in.
    """

    text: str
    encoding: str

    @classmethod
    def of(cls, data: bytes) -> Document:
        """Decode the bytes of a file."""
        return cls(*decode(data))

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Every line up to `[END]`, headings included."""
        return tuple(self._cut())

    def _cut(self) -> Iterator[Line]:
        section = ""
        for number, text in enumerate(self.text.split("\n"), start=1):
            content = text.partition(";")[0]
            if '"' in content:
                words = tuple(word.strip('"') for word in _WORDS.findall(content))
            else:
                words = tuple(content.split())
            if words and words[0][:1] == "[":
                section = heading(words[0])
            yield Line(number, section, words, text)
            if section == "END":
                return

    @cached_property
    def _sections(self) -> dict[str, list[Line]]:
        parts: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.words and line.words[0][:1] != "[":
                parts.setdefault(line.section, []).append(line)
        return parts

    def section(self, name: str) -> Iterator[Line]:
        """Lines of a section that hold words, without its headings."""
        return iter(self._sections.get(name, ()))

    def option(self, keyword: str) -> tuple[str, ...]:
        """Words after the last option of that name, or none."""
        found: tuple[str, ...] = ()
        for line in self.section("OPTIONS"):
            if is_word(line.words[0], keyword):
                found = line.words[1:]
        return found


def heading(word: str) -> str:
    """Full name of a section by its heading; the heading itself, upper case, where EPANET knows none such."""
    name = word.strip("[]").upper()
    return _HEADINGS.get(word[1:5].upper().rstrip("]"), "END" if word.upper().startswith("[END") else name)
