"""A folder into which others put files: which of them are whole, and where they go when they are taken."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scada.drops.opening import ENDINGS
from scada.drops.profile import Profile
from scada.tags import write_whole

__all__ = ["DropFolder", "files_of", "profile_of"]

_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", ".lock", "~")
_OURS = (".rejects.csv", ".reason.txt")
_Seen = tuple[int, int, int]  # size, modification time, number of the file


def profile_of(name: str, profiles: list[Profile]) -> Profile | None:
    """Return the first profile whose pattern a file's name fits; one for all files takes those with known endings."""
    for profile in profiles:
        if profile.fits(name) and (profile.pattern != "*" or name.lower().endswith(ENDINGS)):
            return profile
    return None


def files_of(folder: Path) -> list[Path]:
    """Files of a folder that others put there, in the order they came; those in the making by their names are left out.

    Raises
    ------
    OSError
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            lower = entry.name.lower()
            if entry.name.startswith(".") or lower.endswith((*_UNFINISHED, *_OURS)):
                continue
            try:
                if entry.is_file():
                    found.append((entry.stat().st_mtime_ns, entry.name))
            except FileNotFoundError:  # gone meanwhile
                continue
    return [folder / name for _, name in sorted(found)]


@dataclass(slots=True)
class _Watched:
    """How a file looked, and since when (monotonic s)."""

    seen: _Seen
    since: float


class DropFolder:
    """A folder that is watched.

    Parameters
    ----------
    path : Path
    done, failed : Path or None
        Where files go that were taken and that could not be; None leaves them where they are.
    stable_s : float
        A file is whole when its size and time did not change for so long, and nobody holds a lock on it. 0 where files
        are renamed into place.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        path: Path,
        done: Path | None,
        failed: Path | None,
        stable_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._done, self._failed, self._stable_s, self._clock = done, failed, stable_s, clock
        self._watched: dict[Path, _Watched] = {}
        self._left: dict[Path, _Seen] = {}

    def whole(self) -> list[Path]:
        """Return files that are whole, in the order they came.

        Raises
        ------
        OSError
            The folder cannot be read.
        """
        now = self._clock()
        found, there = [], {}
        for path in files_of(self.path):
            seen = _look(path)
            if seen is None:
                continue
            known = self._watched.get(path)
            if known is None or known.seen != seen:
                known = _Watched(seen, now)
            there[path] = known
            is_left = self._left.get(path) == seen
            if not is_left and now - known.since >= self._stable_s and seen[0] and not _is_locked(path):
                found.append(path)
        self._watched = there
        self._left = {path: seen for path, seen in self._left.items() if path in there}
        return found

    def place(self, path: Path, is_taken: bool) -> Path:
        """Where a file is to go; where it is, if it is to stay."""
        folder = self._done if is_taken else self._failed
        return path if folder is None else _free(folder / path.name)

    def finish(self, path: Path, target: Path, reason: str = "") -> None:
        """Put a file away, or pass it over until it changes; one that was changed meanwhile stays to be taken again.

        Parameters
        ----------
        path, target : Path
            From where, and where to (:meth:`place`).
        reason : str
            Why it was not taken: goes to a text file beside it.

        Raises
        ------
        OSError
        """
        watched = self._watched.get(path)
        seen = _look(path) if watched is None else watched.seen  # before it was read
        if seen is None or _look(path) != seen:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if reason:
            write_whole(target.with_name(f"{target.name}.reason.txt"), reason)
        if target == path:
            self._left[path] = seen
            return
        _move(path, target)
        self._watched.pop(path, None)
        moved = _look(target)
        if moved is not None and moved[:2] != seen[:2]:  # it was replaced in the last moment
            _move(target, _free(path))


def _look(path: Path) -> _Seen | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _is_locked(path: Path) -> bool:
    """Whether somebody else has the file for himself."""
    try:
        with path.open("rb") as stream:
            if sys.platform != "win32":  # there an open file of somebody else cannot be opened
                import fcntl

                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return sys.platform == "win32"  # elsewhere it is one that is not ours to read, and is told
    return False


def _free(path: Path) -> Path:
    """A name that nobody has: a logger may send files of one name for ever."""
    number, target = 1, path
    while target.exists():
        number += 1
        target = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return target


def _move(path: Path, target: Path) -> None:
    try:
        path.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = target.with_name(f".{target.name}.partial")  # another disk
        shutil.copy2(path, partial)
        partial.replace(target)
        path.unlink()
