"""A lock file: whoever holds it works in a folder alone; the system lets it go when the process dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["Lock", "take_lock"]


class Lock:
    """A lock that is held."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle

    def release(self, remove: bool = False) -> None:
        """Let it go, with its file if asked."""
        if remove:
            self._path.unlink(missing_ok=True)
        os.close(self._handle)


def take_lock(path: Path) -> Lock | None:
    """Lock a file, made when it does not exist; None where another process (or another owner in ours) holds it.

    Raises
    ------
    OSError
        The file cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(handle)
        # the last holder may have removed the file between our opening and our locking
        if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
            return Lock(path, handle)
    except BlockingIOError:
        pass
    os.close(handle)
    return None


def _lock(handle: int) -> None:
    """Lock an open file or raise BlockingIOError."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
