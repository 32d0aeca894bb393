"""The tables a file holds: as it is, packed, or a workbook."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from scada.errors import DropError

__all__ = ["ENDINGS", "contents", "decode"]

ENDINGS = (".csv", ".txt", ".tsv", ".dat", ".asc", ".xlsx", ".csv.gz", ".txt.gz", ".tsv.gz", ".zip")
_LARGEST = 1 << 30  # what is unpacked: a packed file may hold any amount
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def contents(path: Path, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and bytes of each table in a file: itself, or the members of an archive.

    Raises
    ------
    DropError
        It is damaged or cut off, encrypted, or larger than a gigabyte.
    """
    name = path.name
    lower = name.lower()
    try:
        if lower.endswith(".gz") or data[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(data)) as stream:
                yield name[:-3] if lower.endswith(".gz") else name, _bounded(path, stream.read(_LARGEST + 1))
        elif lower.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for member in archive.infolist():
                    if not member.is_dir() and not Path(member.filename).name.startswith((".", "__MACOSX")):
                        with archive.open(member) as stream:
                            yield f"{name}/{member.filename}", _bounded(path, stream.read(_LARGEST + 1))
        else:
            yield name, data
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        what = f"is damaged or cut off: {error or 'it ends too early'}"
        raise DropError(str(path), 0, what, "send it again, without a password") from error


def _bounded(path: Path, data: bytes) -> bytes:
    if len(data) > _LARGEST:
        raise DropError(str(path), 0, "unpacks to more than a gigabyte", "split it")
    return data


def decode(file: str, data: bytes, encoding: str = "") -> tuple[str, str]:
    """Return the text of a file, and the encoding it was read with.

    Parameters
    ----------
    file : str
        Named in errors.
    data : bytes
    encoding : str
        As stated. Without: by the mark at the beginning; UTF-16 without a mark, by its zero bytes; UTF-8; or else
        Windows-1251, which `encoding` tells the caller to warn of.

    Raises
    ------
    DropError
        It is no text, or not in the encoding stated.
    """
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    if not marked and not encoding and b"\0" in data[:4096]:
        # digits and delimiters have one zero byte each
        low, high, least = data[1:4096:2].count(0), data[0:4096:2].count(0), min(len(data), 4096) // 10
        marked = "utf-16-le" if low > max(least, 4 * high) else "utf-16-be" if high > max(least, 4 * low) else ""
    used = marked or encoding or "utf-8"
    try:
        text = data.decode(used)
    except LookupError as error:
        raise DropError(file, 0, f"encoding '{used}' is unknown", "write utf-8, utf-16 or windows-1251") from error
    except UnicodeDecodeError as error:
        if used != "utf-8" or encoding:
            line = data.count(b"\n", 0, error.start) + 1
            raise DropError(file, line, f"is no {used} text", "state its encoding") from error
        used = "windows-1251"
        try:
            text = data.decode(used)
        except UnicodeDecodeError as again:
            raise DropError(file, 0, "is neither UTF-8 nor Windows-1251 text", "state its encoding") from again
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DropError(file, line, "is no text: it has zero bytes", "send it again, or state its encoding")
    return text, used
