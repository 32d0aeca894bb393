"""Bytes that EPANET's C code reads, where those of the file are not."""

from __future__ import annotations

from networks.inp.document import Document
from networks.inp.rewrite import repaired

_LONGEST_NAME = 31


def for_epanet(data: bytes, document: Document) -> tuple[bytes | None, str]:
    """Turn a file into one that EPANET reads.

    EPANET takes bytes line by line and hands names back as bytes: 8-bit encodings are left as they are.

    Returns
    -------
    tuple of bytes or None and str
        Other bytes, or None where the file itself will do; and the encoding of the names in it.
    """
    encoding, text = document.encoding, repaired(document)
    wide = encoding.startswith(("utf-16", "utf-32"))
    marked = data.startswith(b"\xef\xbb\xbf")
    lone_returns = b"\r" in data and data.count(b"\r") > data.count(b"\r\n")
    if not (wide or marked or lone_returns or text is not None):
        return None, encoding
    target = _narrow(document) if wide else encoding
    return (text if text is not None else document.text).encode(target), target


def _narrow(document: Document) -> str:
    """UTF-8, unless a name would then be longer than EPANET's 31 bytes."""
    named = ("JUNCTIONS", "RESERVOIRS", "TANKS", "PIPES", "PUMPS", "VALVES", "PATTERNS", "CURVES")
    longest = max(
        (len(line.words[0].encode()) for name in named for line in document.section(name)),
        default=0,
    )
    if longest <= _LONGEST_NAME:
        return "utf-8"
    for encoding in ("cp1251", "cp1252"):
        try:
            document.text.encode(encoding)
        except UnicodeEncodeError:
            continue
        return encoding
    return "utf-8"
