"""Where a device is reached."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from scada.errors import ScadaError

__all__ = ["Endpoint", "SerialLine", "parse_url"]

_DEFAULT_PORTS = {"tcp": 502, "rtu+tcp": 502, "tls": 802}
_PARITIES = ("N", "E", "O")
_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 115200, 230400, 460800, 921600)
_FORMS = "tcp://host:port, tls://host:port, rtu+tcp://host:port or rtu:///dev/ttyUSB0?baud=9600&parity=E&stopbits=1"
_SHORTEST_SILENCE_S = 0.00175  # above 19200 baud the standard fixes it (Modbus over serial line 1.02, 2.5.1.1)


@dataclass(frozen=True, slots=True)
class SerialLine:
    """How characters travel on a serial line; 19200 baud and 8E1 are the defaults of Modbus over serial line 1.02.

    Attributes
    ----------
    baud : int
        Bits a second.
    parity : str
        N, E or O.
    stopbits : int
        1 or 2.
    """

    baud: int = 19200
    parity: str = "E"
    stopbits: int = 1

    @property
    def character_s(self) -> float:
        """Time of one character with its start, parity and stop bits, s."""
        return (9 + (self.parity != "N") + self.stopbits) / self.baud

    @property
    def silence_s(self) -> float:
        """Time that parts two frames, 3.5 characters, s."""
        return 3.5 * self.character_s if self.baud <= 19200 else _SHORTEST_SILENCE_S

    def __str__(self) -> str:
        return f"{self.baud} baud 8{self.parity}{self.stopbits}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The far end of one connection.

    Attributes
    ----------
    scheme : str
        ``tcp`` (Modbus TCP), ``tls`` (the same inside TLS), ``rtu+tcp`` (serial frames over TCP) or ``rtu`` (serial).
    host : str
        Host, or the serial port's path.
    port : int
        0 for a serial port.
    line : SerialLine or None
        Of a serial port.
    """

    scheme: str
    host: str
    port: int = 0
    line: SerialLine | None = None

    @property
    def framing(self) -> str:
        """``socket`` (frames carry a number) or ``rtu`` (frames carry a checksum and no number)."""
        return "rtu" if self.scheme.startswith("rtu") else "socket"

    @property
    def place(self) -> tuple[str, int]:
        """What can be opened once only, whatever the line's settings."""
        return self.host, self.port

    def __str__(self) -> str:
        if self.line is not None:
            slashes = "//" if self.host.startswith("/") or "/" not in self.host else ""
            line = self.line
            return f"rtu:{slashes}{self.host}?baud={line.baud}&parity={line.parity}&stopbits={line.stopbits}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_url(url: str) -> Endpoint:
    """Read a device's URL.

    ``tcp://host:port`` and ``rtu+tcp://host:port`` (port 502 when left out), ``tls://host:port`` (802), or
    ``rtu:///dev/ttyUSB0?baud=9600&parity=E&stopbits=1``; a Windows port is ``rtu://COM3``.

    Raises
    ------
    ScadaError
        Another scheme, no host, no port number, or a setting that a serial line does not have.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ScadaError(f"device url '{url}' cannot be read: {error}; write {_FORMS}") from error
    if parts.scheme == "rtu":
        return _serial(url, parts)
    if parts.scheme not in _DEFAULT_PORTS:
        raise ScadaError(f"device url '{url}' has no known scheme; write {_FORMS}")
    try:
        port = parts.port
    except ValueError as error:
        raise ScadaError(f"device url '{url}' has no valid port; write 1..65535") from error
    if port == 0:
        raise ScadaError(f"device url '{url}' has no valid port; write 1..65535")
    if not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.username:
        raise ScadaError(f"device url '{url}' is not host and port; write {parts.scheme}://host:port")
    return Endpoint(parts.scheme, parts.hostname, _DEFAULT_PORTS[parts.scheme] if port is None else port)


def _serial(url: str, parts: SplitResult) -> Endpoint:
    path = parts.path if not parts.netloc else parts.netloc
    if not path.strip("/") or (parts.netloc and parts.path not in {"", "/"}):
        raise ScadaError(
            f"device url '{url}' names no serial port; write rtu:///dev/ttyUSB0?baud=9600&parity=E&stopbits=1"
        )
    settings = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(settings) - {"baud", "parity", "stopbits"})
    if unknown:
        raise ScadaError(f"device url '{url}': no setting '{unknown[0]}'; there are baud, parity and stopbits")
    default = SerialLine()
    baud, stopbits = settings.get("baud", str(default.baud)), settings.get("stopbits", str(default.stopbits))
    parity = settings.get("parity", default.parity).upper()
    if baud not in map(str, _BAUDS):
        raise ScadaError(f"device url '{url}': baud '{baud}' is no usual speed; write 9600, 19200, …")
    if parity not in _PARITIES:
        raise ScadaError(f"device url '{url}': parity '{parity}' is none of N, E, O")
    if stopbits not in {"1", "2"}:
        raise ScadaError(f"device url '{url}': stopbits '{stopbits}' is neither 1 nor 2")
    return Endpoint("rtu", path, 0, SerialLine(int(baud), parity, int(stopbits)))
