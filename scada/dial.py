"""Why a connection could not be made, said once for every kind of line."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeVar

from scada.endpoint import Endpoint

__all__ = ["DialError", "connected", "tls_trouble"]

try:
    from termios import error as _TerminalError  # noqa: N812 # a class with a small name
except ImportError:  # Windows has none

    class _TerminalError(Exception):  # type: ignore[no-redef]
        """Never raised."""


_Made = TypeVar("_Made")


class DialError(Exception):
    """No connection; `is_tls` where the two sides could not agree on trust."""

    def __init__(self, detail: str, is_tls: bool = False) -> None:
        super().__init__(detail)
        self.is_tls = is_tls


async def connected(
    create: Callable[[], Awaitable[_Made]], timeout_s: float, endpoint: Endpoint, is_tls: bool
) -> _Made:
    """Make a connection.

    Raises
    ------
    DialError
        With the reason.
    """
    try:
        return await asyncio.wait_for(create(), timeout_s)
    except TimeoutError as error:
        raise DialError("no connection in time") from error
    except ssl.SSLCertVerificationError as error:
        raise DialError(f"its certificate is not accepted: {error.verify_message}", is_tls=True) from error
    except ssl.SSLError as error:
        raise DialError(tls_trouble(error), is_tls=True) from error
    except OSError as error:
        if is_tls and isinstance(error, ConnectionResetError | ConnectionAbortedError):
            # the alert that would say why may be lost with the connection
            raise DialError("it broke off the TLS handshake; does it demand a client certificate?", True) from error
        raise DialError(_cause(error)) from error
    except _TerminalError as error:
        raise DialError(f"the serial port does not take {endpoint.line}") from error
    except RuntimeError as error:  # pymodbus, when pyserial is missing
        raise DialError(str(error).split(" Please")[0]) from error


def tls_trouble(error: ssl.SSLError) -> str:
    """Say what a TLS failure means for whoever configures it."""
    reason = error.reason or str(error)
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return f"the server demands a client certificate; set tls_certificate and tls_key ({reason})"
    if "UNKNOWN_CA" in reason or "BAD_CERTIFICATE" in reason or "CERTIFICATE_UNKNOWN" in reason:
        return f"the server does not accept our certificate ({reason})"
    if "VERSION" in reason or "PACKET_LENGTH" in reason or "RECORD_LAYER" in reason:
        return f"the server speaks no TLS 1.2 or newer on this port ({reason})"
    return f"TLS failed ({reason})"


def _cause(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    text = error.strerror or str(error)
    return f"no connection ({text})" if text else "no connection"
