"""A Modbus TCP server whose registers follow a process."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping, Sequence
from functools import partial

from pymodbus.framer import FramerType
from pymodbus.simulator import DataType, SimData, SimDevice

from scada.errors import PortInUse, ScadaError
from scada.plc.answer import image_requests
from scada.plc.image import RegisterImage
from scada.plc.server import LoopServer
from scada.tag import Tag

__all__ = ["PlcServer"]


class PlcServer:
    """One port with one or more simulated Modbus units behind it.

    Parameters
    ----------
    host : str
    port : int
        0 takes a free one; :attr:`port` tells which after :meth:`start`.
    units : mapping of int to sequence of Tag
        The registers of each unit id.
    framing : {'socket', 'rtu'}
        Modbus TCP, or serial frames over TCP as a simple gateway sends them.

    Attributes
    ----------
    port : int
    """

    def __init__(self, host: str, port: int, units: Mapping[int, Sequence[Tag]], framing: str = "socket") -> None:
        if not units or not all(units.values()):
            raise ScadaError("a simulated PLC needs at least one unit, and each unit a tag")
        self.host = host
        self.port = port
        self._framing = FramerType(framing)
        self._image = RegisterImage(units)
        self._units = tuple(units)
        self._server: LoopServer | None = None

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        PortInUse
            Somebody else listens there.
        ScadaError
            The host or port cannot be had for another reason.
        """
        if self._server is not None:
            return
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        server = LoopServer(
            [_nothing(unit) for unit in self._units],
            framer=self._framing,
            address=(self.host, self.port),
            custom_pdu=image_requests(self._image),
        )
        # our own socket: pymodbus drops the reason when it cannot listen, and cannot tell which port it was given
        server.call_create = partial(server.loop.create_server, server.handle_new_connection, sock=listener)
        await server.serve_forever(background=True)
        self._server = server

    async def stop(self) -> None:
        """Close the port and every connection; does nothing when stopped already."""
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown()  # type: ignore[no-untyped-call]
            await asyncio.sleep(0)  # lets the closed sockets go

    def update(self, values: Mapping[str, float]) -> None:
        """Show new engineering values, by tag name; names of other PLCs are passed over."""
        self._image.write(values)


def _nothing(unit: int) -> SimDevice:
    """Return a unit that refuses whatever the register image does not answer, such as writing."""
    return SimDevice(unit, [SimData(0, datatype=DataType.INVALID)])


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ScadaError(f"port {port} is no port; write 0..65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from error
        raise ScadaError(f"cannot listen on {host} port {port}: {error.strerror}") from error
