"""Every error the package raises on purpose.

::

    ScadaError
    +-- CodecError                a value does not fit a register type
    +-- TagError                  one mistake in a table of tags or alarms: file, line, what, mend
    +-- TagErrors                 all mistakes of one table
    +-- PlanError                 a tag cannot be fetched in one request
    +-- WireError                 a request brought no value: url, unit, reason
    |   +-- Timeout               no reply in time
    |   +-- Refused               no connection
    |   |   +-- Untrusted         TLS: certificates or versions do not fit
    |   +-- Disconnected          the connection broke before the reply was whole
    |   +-- GarbledReply          a reply that is not the answer to the request
    |   +-- ModbusExceptionReply  the device refused: code
    +-- WriteRefused              a value is not written: tag, and nothing left this program
    +-- WriteFailed               a value was sent, and is not known to stand in the device: tag, result
    +-- AuditError                the record of writes cannot be kept, or was changed: path, line
    +-- HistorianError            the store failed: path
    |   +-- HistorianAway         it does not answer now; another try may go well
    |   +-- SpoolFull             what waits for it on disk has reached its bound
    +-- DropError                 a file of readings cannot be taken: file, line, what, mend
    +-- QueryError                another system's database gave no readings: source
    +-- PortInUse                 a simulated PLC, or the metrics, cannot be served: host, port

Names follow httpx: the leaf says what happened, not that it is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "AuditError",
    "CodecError",
    "Disconnected",
    "DropError",
    "GarbledReply",
    "HistorianAway",
    "HistorianError",
    "ModbusExceptionReply",
    "PlanError",
    "PortInUse",
    "QueryError",
    "Refused",
    "ScadaError",
    "SpoolFull",
    "TagError",
    "TagErrors",
    "Timeout",
    "Untrusted",
    "WireError",
    "WriteFailed",
    "WriteRefused",
]


class ScadaError(Exception):
    """Root of the tree; its text is one line fit for an operator."""


class CodecError(ScadaError):
    """A value cannot be written as, or read from, registers of the given type."""


class PlanError(ScadaError):
    """A tag is larger than what its device answers in one request."""


@dataclass
class TagError(ScadaError):
    """One mistake in a table of tags or alarms.

    Attributes
    ----------
    file : str
        The table's file, or ``""`` for what is made in code.
    line : int
        Line in the file, the header being line 1; 0 where there is no line.
    what : str
        What is wrong.
    mend : str
        What to write instead.
    severity : {'error', 'warning'}
        A table with an error is not used; a warning is for whoever writes it.
    """

    file: str
    line: int
    what: str
    mend: str
    severity: str = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file else ""
        return f"{where}{self.what}; {self.mend}"


class TagErrors(ScadaError):
    """All mistakes of one table of tags or alarms, so that one run of the editor mends them.

    Attributes
    ----------
    errors : tuple of TagError
    """

    def __init__(self, errors: Sequence[TagError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


class WireError(ScadaError):
    """A request to a device brought no value.

    Attributes
    ----------
    url : str
        Where the request went.
    unit : int
        Modbus unit id asked.
    reason : str
        The word stored with the samples that were lost.
    """

    reason: str = "wire"
    sentence: ClassVar[str] = "request failed"

    def __init__(self, url: str, unit: int, detail: str = "") -> None:
        self.url = url
        self.unit = unit
        super().__init__(f"{url} unit {unit}: {detail or self.sentence}")


class Timeout(WireError):
    """No reply came in time."""

    reason = "timeout"
    sentence = "no reply in time"


class Refused(WireError):
    """No connection could be made."""

    reason = "refused"
    sentence = "no connection"


class Untrusted(Refused):
    """The two sides of a TLS connection do not trust each other, or speak no common version."""

    reason = "tls"
    sentence = "no TLS connection"


class Disconnected(WireError):
    """The connection broke before the reply was whole."""

    reason = "disconnected"
    sentence = "connection lost before the reply"


class GarbledReply(WireError):
    """A reply came that does not answer the request (function code or length)."""

    reason = "garbled"
    sentence = "the reply does not answer the request"


class ModbusExceptionReply(WireError):
    """The device answered with a Modbus exception.

    Attributes
    ----------
    code : int
        Exception code: 1 function, 2 address, 3 value, 4 device failure, 10 and 11 gateway.
    """

    def __init__(self, url: str, unit: int, code: int) -> None:
        self.code = code
        self.reason = "illegal-address" if code == 2 else f"exception-{code}"
        super().__init__(url, unit, f"Modbus exception {code}")


class WriteRefused(ScadaError):
    """A value is not written; nothing was sent.

    Attributes
    ----------
    tag : str
    """

    def __init__(self, tag: str, why: str) -> None:
        self.tag = tag
        super().__init__(f"{tag} is not written: {why}")


class WriteFailed(ScadaError):
    """A value was sent, and it is not known to stand in the device.

    Attributes
    ----------
    tag : str
    result : str
        The word in the audit: refused, mismatch or unconfirmed.
    """

    def __init__(self, tag: str, result: str, detail: str) -> None:
        self.tag = tag
        self.result = result
        super().__init__(f"{tag}: {result}: {detail}")


class AuditError(ScadaError):
    """The record of writes cannot be kept, or was changed by somebody else.

    Attributes
    ----------
    path : str
    line : int
        The first line that is wrong; 0 where it is the file as a whole.
    """

    def __init__(self, path: str, line: int, why: str) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}:{line}: {why}" if line else f"{path}: {why}")


class HistorianError(ScadaError):
    """The store of samples failed; the text names the file or server."""


class HistorianAway(HistorianError):
    """The database does not answer now: stopped, not reachable, or locked by another program."""


class SpoolFull(HistorianError):
    """What waits on disk for the database has reached its bound, and the oldest are to be kept."""


class DropError(ScadaError):
    """A file of readings cannot be taken at all.

    Attributes
    ----------
    file : str
    line : int
        0 where it is the file as a whole.
    what, mend : str
    """

    def __init__(self, file: str, line: int, what: str, mend: str) -> None:
        self.file, self.line, self.what, self.mend = file, line, what, mend
        super().__init__(f"{file}:{line}: {what}; {mend}" if line else f"{file}: {what}; {mend}")


class QueryError(ScadaError):
    """Another system's database gave no readings; the text names the source."""


class PortInUse(ScadaError):
    """A port cannot be listened on because somebody else does.

    Attributes
    ----------
    host : str
    port : int
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        super().__init__(f"port {port} on {host} is in use; stop the other program or choose another port")
