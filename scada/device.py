"""How one device is asked."""

from __future__ import annotations

from dataclasses import dataclass

from scada.plan import MAX_BITS, MAX_GAP, MAX_REGISTERS
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
    max_registers, max_bits : int
        Most registers, and most coils or discrete inputs, it answers at once.
    max_gap : int
        Longest run of addresses between two tags that is read though nobody wants it.
    request_delay_ms : int
        Pause between two requests, ms, for slow gateways.
    wake_retries : int
        Further tries after a timeout, for meters that sleep.
    reconnect_holdoff_s : float
        Pause after the first failure, s; it doubles with each failure in a row.
    socket_holdoff_s : float
        Least time between the end of a connection and the next, s, for gateways that are slow to free a socket; the
        longest of the devices that share one counts.
    heartbeat : str
        Tag that the device's program counts up; by default the one whose name ends in ``.heartbeat``. While it stands
        the device's samples are STALE.
    tls : TlsSettings or None
        For ``tls://``; devices that share a connection share them.
    """

    name: str
    url: str
    unit: int = 1
    timeout_s: float = 1.0
    max_registers: int = MAX_REGISTERS
    max_bits: int = MAX_BITS
    max_gap: int = MAX_GAP
    request_delay_ms: int = 0
    wake_retries: int = 0
    reconnect_holdoff_s: float = 1.0
    socket_holdoff_s: float = 0.0
    heartbeat: str = ""
    tls: TlsSettings | None = None
