"""How one device is asked."""

from __future__ import annotations

from dataclasses import dataclass

from scada.tls import TlsSettings

__all__ = ["DeviceSettings"]


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """One Modbus unit, as configured.

    Attributes
    ----------
    name : str
    url : str
        As :func:`scada.endpoint.parse_url` reads it; devices with the same one share a connection.
    unit : int
        Modbus unit id.
    timeout_s : float
        Longest wait for a reply, s; the time that characters take on a serial line is added.
    max_registers : int
        Most registers it answers at once.
    request_delay_ms : int
        Pause between two requests, ms, for slow gateways.
    wake_retries : int
        Further tries after a timeout, for meters that sleep.
    reconnect_holdoff_s : float
        Pause after the first failure, s; it doubles with each failure in a row.
    tls : TlsSettings or None
        For ``tls://``; devices that share a connection share them.
    """

    name: str
    url: str
    unit: int = 1
    timeout_s: float = 1.0
    max_registers: int = 125
    request_delay_ms: int = 0
    wake_retries: int = 0
    reconnect_holdoff_s: float = 1.0
    tls: TlsSettings | None = None
