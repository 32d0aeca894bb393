"""Bytes of an INP to text: whatever an editor, a GIS or EPANET's own window has written."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_SAMPLE = 4096


def decode(data: bytes) -> tuple[str, str]:
    """Text of an INP and the encoding that it is in.

    A byte-order mark decides; without one UTF-16 is known by its zeros, UTF-8 by its strictness, and of the 8-bit
    encodings cp1251 by letters that stand together where Western text has single accents.

    Returns
    -------
    tuple of str and str
        The text with line feeds at the line ends and without a mark, and the name of a Python codec.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data.decode(encoding, "replace").lstrip("\ufeff")
            return _LINE_ENDS.sub("\n", text), encoding
    encoding = _without_mark(data)
    return _LINE_ENDS.sub("\n", data.decode(encoding, "replace")), encoding


def _without_mark(data: bytes) -> str:
    head = data[:_SAMPLE]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    for zeros, others, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros > len(head) // 4 and others == 0:
            return encoding
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    # a word of three letters above 0xC0 is Cyrillic; accented Western letters stand alone or in pairs
    if len(re.findall(rb"[\xa8\xaa\xaf\xb2-\xb4\xb8\xba\xbf\xc0-\xff]{3,}", data)) > 0:
        return "cp1251"
    try:
        data.decode("cp1252")
        return "cp1252"
    except UnicodeDecodeError:
        return "latin-1"
