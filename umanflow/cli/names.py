"""Names of elements on the command line: a list, or a file of them."""

from __future__ import annotations

import re
from pathlib import Path

from umanflow.errors import UserError

_BETWEEN = re.compile(r"[\s,;]+")


def read_names(text: str, option: str) -> list[str]:
    """Names in a file, or in the text itself: EPANET's names hold neither blanks nor commas.

    Raises
    ------
    UserError
        If the file cannot be read, or there is no name.
    """
    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:  # a list longer than a path may be
        is_file = False
    if is_file:
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read as text: {error}; write one name a line") from error
        text = "\n".join(line.split("#")[0] for line in text.splitlines())
    elif path.suffix in (".txt", ".csv"):
        raise UserError(f"{path}: no such file; give a file with one name a line, or names with commas between")
    names = [name for name in _BETWEEN.split(text) if name]
    if not names:
        raise UserError(f"{option} {path}: no names in it; write one a line, or commas between them")
    return names
