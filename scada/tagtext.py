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
    body : str
        The table: header and rows, without a first line ``sep=;`` as spreadsheets write it.
    first_line : int
        Line of the header in the file.
    delimiter : str
        What stands between cells: the separator named, or the commonest of three in the header.
    has_comma : bool
        Whether numbers have a decimal comma: spreadsheets of most of Europe write ``;`` between cells for it.
    """

    text: str
    body: str
    first_line: int
    delimiter: str
    has_comma: bool

    @classmethod
    def of(cls, text: str) -> TableText:
        """Look at the first lines of a text."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        first, _, rest = text.partition("\n")
        is_named = first.strip().strip('"')[:4].lower() == "sep="
        body = rest if is_named else text
        header = body.partition("\n")[0]
        delimiter = (first.strip().strip('"')[4:5] or "\t") if is_named else max(",;\t", key=header.count)
        return cls(text, body, 2 if is_named else 1, delimiter, delimiter != ",")


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
        return TableText.of(text), [TagError(file, 0, what, mend, "warning")]
    if "\0" in text:
        return None, [TagError(file, text.count("\n", 0, text.index("\0")) + 1, "is no text", "save it as CSV UTF-8")]
    return TableText.of(text), []
