"""Where a device is reached."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from scada.errors import ScadaError

__all__ = ["Endpoint", "parse_url"]

_DEFAULT_PORT = 502
_BUILT = {"tcp": "socket", "rtu+tcp": "rtu"}
_PLANNED = ("tls", "rtu")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The far end of one connection.

    Attributes
    ----------
    framing : str
        ``socket`` (Modbus TCP) or ``rtu`` (serial frames over TCP).
    host : str
    port : int
    """

    framing: str
    host: str
    port: int

    def __str__(self) -> str:
        scheme = next(name for name, framing in _BUILT.items() if framing == self.framing)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


def parse_url(url: str) -> Endpoint:
    """Read a device's URL, ``tcp://host:port`` or ``rtu+tcp://host:port``; the port is 502 when left out.

    Raises
    ------
    ScadaError
        Another scheme, no host, or no port number.
    """
    parts = urlsplit(url)
    if parts.scheme in _PLANNED:
        raise ScadaError(f"not supported yet: {url}; use tcp://")
    if parts.scheme not in _BUILT:
        raise ScadaError(f"device url '{url}' has no known scheme; write tcp://host:port or rtu+tcp://host:port")
    try:
        port = parts.port
    except ValueError as error:
        raise ScadaError(f"device url '{url}' has no valid port; write 1..65535") from error
    if port == 0:
        raise ScadaError(f"device url '{url}' has no valid port; write 1..65535")
    if not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.username:
        raise ScadaError(f"device url '{url}' is not host and port; write {parts.scheme}://host:port")
    return Endpoint(_BUILT[parts.scheme], parts.hostname, _DEFAULT_PORT if port is None else port)
