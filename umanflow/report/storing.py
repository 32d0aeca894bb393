"""Files appear whole or not at all."""

from __future__ import annotations

import uuid
from pathlib import Path

from umanflow.report.errors import ReportError


def replace_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name beside its place, then put it there.

    Raises
    ------
    ReportError
        If the folder cannot be written; nothing of the new file is left, and an old one stays as it was.
    """
    replace_bytes(path, text.encode("utf-8"))


def replace_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside its place, then put it there.

    Raises
    ------
    ReportError
        If the folder cannot be written; nothing of the new file is left, and an old one stays as it was.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        mend = "choose a folder that can be written, with room on its disk"
        raise ReportError(f"cannot be written: {error.strerror or error}", str(path), mend) from error
