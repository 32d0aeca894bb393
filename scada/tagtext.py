"""The text of a table that some program or other has saved."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from scada.errors import TagError

__all__ = ["TableText", "read_text"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class TableText:
    """A file's text.

    Attributes
    ----------
    text : str
        All of it.
    """

    text: str

    @property
    def _separator(self) -> str:
        """What a first line ``sep=;``, as spreadsheets write it, names; else empty."""
        first = self.text.partition("\n")[0].strip().strip('"')
        return first[4:5] or "\t" if first[:4].lower() == "sep=" else ""

    @property
    def first_line(self) -> int:
        """Line of the header in the file."""
        return 2 if self._separator else 1

    @property
    def body(self) -> str:
        """The table: header and rows."""
        return self.text.partition("\n")[2] if self._separator else self.text

    @property
    def delimiter(self) -> str:
        """What stands between cells: the separator named, or the commonest of three in the header."""
        header = self.body.partition("\n")[0]
        return self._separator or max(",;\t", key=header.count)

    @property
    def has_comma(self) -> bool:
        """Whether numbers have a decimal comma: spreadsheets of most of Europe write ``;`` between cells for it."""
        return self.delimiter != ","


def read_text(path: Path) -> tuple[TableText | None, list[TagError]]:
    """Read a table's text.

    Returns
    -------
    text : TableText or None
        None when it cannot be read.
    errors : list of TagError
        Why not; or a warning that the encoding had to be taken as Windows-1251.
    """
    file = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        return None, [TagError(file, 0, f"cannot be read: {error.strerror}", "check the path")]
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8" or b"\0" in data:
            return None, [TagError(file, 0, "is no text", "save it as CSV UTF-8")]
        try:
            text = data.decode("cp1251")
        except UnicodeDecodeError:
            return None, [TagError(file, 0, "is neither UTF-8 nor Windows-1251 text", "save it as CSV UTF-8")]
        what, mend = "is not UTF-8 and is taken as Windows-1251", "look at its texts, or save it as CSV UTF-8"
        return TableText(_unix(text)), [TagError(file, 0, what, mend, "warning")]
    if "\0" in text:
        return None, [TagError(file, text.count("\n", 0, text.index("\0")) + 1, "is no text", "save it as CSV UTF-8")]
    return TableText(_unix(text)), []


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
