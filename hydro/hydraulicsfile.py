"""Where EPANET keeps its hydraulics: unless it is told, in a file of its own in the user's working directory."""

from __future__ import annotations

import os
import re
from pathlib import Path

_END = re.compile(rb"(?im)^[ \t]*\[END")
_OWN = re.compile(rb"(?im)^[ \t]*HYDR[A-Z]*[ \t]+(SAVE|USE)\b")


def hydraulics_option(path: Path) -> bytes:
    """Line of `[OPTIONS]` that names the file of hydraulics."""
    return b'HYDRAULICS SAVE "' + os.fsencode(path) + b'"\n'


def insert_option(data: bytes, line: bytes) -> bytes:
    """An INP with one more line of `[OPTIONS]`, before `[END]` where there is one."""
    section = b"\n[OPTIONS]\n" + line + b"\n"
    end = _END.search(data)
    return data + section if end is None else data[: end.start()] + section + data[end.start() :]


def names_hydraulics(data: bytes) -> bool:
    """Whether an INP names a file of hydraulics itself."""
    return _OWN.search(data) is not None
