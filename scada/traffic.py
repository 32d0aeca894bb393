"""What a plan asks of the wire, before anything is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from scada.endpoint import Endpoint
from scada.plan import BIT_TABLES, Request

__all__ = ["Traffic", "reply_bytes", "request_bytes", "traffic_of"]

_REQUEST = 5  # function, start, count (Modbus application protocol 1.1b3, 6.1 to 6.4)
_REPLY = 2  # function, count of bytes
_MBAP, _SERIAL = 7, 3  # around them: header with unit; unit and checksum
_RECORD = 22  # a TLS 1.3 record around a frame: header 5, kind 1, tag 16 (RFC 8446, 5.2)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What goes over the wire each second while everything answers.

    Attributes
    ----------
    requests : float
    registers : float
        Registers and bits asked for, those between tags included.
    bytes_out, bytes_in : float
        Of Modbus frames to and from the device, with their TLS records; headers of TCP and IP come on top.
    line_share : float
        Part of the time for which a serial line is taken, the silence around frames included; 0 elsewhere.
    """

    requests: float = 0.0
    registers: float = 0.0
    bytes_out: float = 0.0
    bytes_in: float = 0.0
    line_share: float = 0.0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))


def request_bytes(endpoint: Endpoint) -> int:
    """Return how long a read request is on its way to `endpoint`, bytes."""
    return _REQUEST + _around(endpoint)


def reply_bytes(request: Request, endpoint: Endpoint) -> int:
    """Return how long the answer to a request is, bytes."""
    data = (request.count + 7) // 8 if request.table in BIT_TABLES else 2 * request.count
    return _REPLY + data + _around(endpoint)


def traffic_of(requests: Iterable[Request], endpoint: Endpoint) -> Traffic:
    """Return what requests to one endpoint ask of the wire at their tags' intervals."""
    total = Traffic()
    for request in requests:
        rate = 1000.0 / request.tags[0].interval_ms
        out, back = request_bytes(endpoint), reply_bytes(request, endpoint)
        line = endpoint.line
        taken_s = 0.0 if line is None else (out + back) * line.character_s + 2 * line.silence_s
        total += Traffic(rate, rate * request.count, rate * out, rate * back, rate * taken_s)
    return total


def _around(endpoint: Endpoint) -> int:
    if endpoint.framing == "rtu":
        return _SERIAL
    return _MBAP + (_RECORD if endpoint.scheme == "tls" else 0)
