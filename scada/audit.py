"""The record of writes: lines that are only ever added, each sealed with the hash of the one before it.

Every line is JSON with ``n``, ``time``, ``event``, ``previous`` (the seal of the line before) and ``seal`` (SHA-256 of
the line without it). A line that was changed, taken out or put in breaks the chain at that place. Lines cut off at the
end leave the chain whole; whoever must rule that out keeps the last seal elsewhere.

A write makes two lines, ``intent`` before anything is sent and ``result`` after. An intent without a result is a write
during which the program ended. A line that a crash left unfinished stays as it is, and the next one says so.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from scada.errors import AuditError

try:
    import fcntl
except ImportError:  # not on Windows; there two programs must not write to one file
    fcntl = None  # type: ignore[assignment]

__all__ = ["Audit", "Record"]

Record = dict[str, object]
_FIRST = "0" * 64


class Audit:
    """An append-only file of records.

    Parameters
    ----------
    path : Path
        Made when the first record comes; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Mapping[str, object]) -> Record:
        """Add a record and return it as it was written; it is on the disk when this returns.

        Raises
        ------
        AuditError
            The file cannot be written, or its last line was changed.
        """
        try:
            with self._locked() as descriptor:
                number, seal, torn = self._end()
                text = ""
                if torn:
                    number, seal, line = _sealed({"event": "torn", "torn": _hash(torn)}, number, seal)
                    text = "\n" + line
                _, _, line = _sealed(record, number, seal)
                _write_all(descriptor, (text + line).encode("utf-8"))
                os.fsync(descriptor)
        except OSError as error:
            raise AuditError(
                str(self.path), 0, f"cannot be written: {error.strerror}; nothing is written without it"
            ) from error
        return dict(json.loads(line))

    @contextmanager
    def _locked(self) -> Iterator[int]:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _end(self) -> tuple[int, str, bytes]:
        """Return the last whole record's number and seal, and the bytes of a line that was not finished."""
        data = self.path.read_bytes()
        whole, _, torn = data.rpartition(b"\n")
        lines = [line for line in whole.split(b"\n") if line]
        while lines:
            line = lines.pop()
            found = _read(line)
            if found is None:  # an earlier unfinished line
                continue
            if not _is_sealed(found):
                raise AuditError(str(self.path), len(lines) + 1, "was changed; look into it before anything is written")
            number = found["n"]
            return number if isinstance(number, int) else 0, str(found["seal"]), torn
        return 0, _FIRST, torn

    def records(self) -> list[Record]:
        """Return every record, after checking the chain.

        Raises
        ------
        AuditError
            With the first line that was changed, or is missing before it; or the file cannot be read.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise AuditError(str(self.path), 0, f"cannot be read: {error.strerror}") from error
        records: list[Record] = []
        seal, torn = _FIRST, b""
        lines = data.split(b"\n")
        for number, line in enumerate(lines, start=1):
            if not line:
                continue
            found = _read(line)
            if found is None:
                torn = line
                continue
            if not _is_sealed(found) or found["previous"] != seal or found["n"] != len(records) + 1:
                raise AuditError(str(self.path), number, "does not follow from the line before: the record was changed")
            if (torn or found["event"] == "torn") and found.get("torn") != _hash(torn):
                raise AuditError(str(self.path), number - 1, "is no record: the file was changed")
            seal, torn = str(found["seal"]), b""
            records.append(found)
        if torn and lines[-1] == b"":
            raise AuditError(str(self.path), len(lines) - 1, "is no record: the file was changed")
        return records

    def unfinished(self) -> list[Record]:
        """Return the intents that no result followed: it is not known whether they were written."""
        open_intents: dict[object, Record] = {}
        for record in self.records():
            if record["event"] == "intent":
                open_intents[record["id"]] = record
            elif record["event"] == "result":
                open_intents.pop(record.get("id"), None)
        return list(open_intents.values())


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _text(record: Mapping[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sealed(record: Mapping[str, object], number: int, previous: str) -> tuple[int, str, str]:
    """Return number, seal and line of the record that comes next."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    full: Record = {**record, "n": number + 1, "time": time, "previous": previous}
    seal = _hash(_text(full).encode("utf-8"))
    return number + 1, seal, _text({**full, "seal": seal}) + "\n"


def _read(line: bytes) -> Record | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and {"n", "event", "previous", "seal"} <= found.keys() else None


def _is_sealed(record: Record) -> bool:
    rest = {key: value for key, value in record.items() if key != "seal"}
    return _hash(_text(rest).encode("utf-8")) == record["seal"]


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
