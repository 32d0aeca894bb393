"""A Modbus server whose registers follow a process."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from pymodbus.framer import FramerType
from pymodbus.simulator import DataType, SimData, SimDevice

from scada.endpoint import SerialLine
from scada.errors import PortInUse, ScadaError
from scada.plc.answer import image_requests
from scada.plc.faults import Faults, Misconduct, Spoiler
from scada.plc.image import RegisterImage
from scada.plc.line import PseudoCable
from scada.plc.server import LoopServer, SerialLoopServer
from scada.tag import Tag
from scada.tls import TlsSettings, server_context

__all__ = ["PlcServer"]


class PlcServer:
    """One port with one or more simulated Modbus units behind it.

    Parameters
    ----------
    host : str
        Address to listen on; with `line` the path of a serial port. Where there is no such port a pseudo-terminal is
        made and found under that path.
    port : int
        0 takes a free one; :attr:`port` tells which after :meth:`start`.
    units : mapping of int to sequence of Tag
        The registers of each unit id.
    framing : {'socket', 'rtu'}
        Modbus TCP, or serial frames over TCP as a simple gateway sends them.
    tls : TlsSettings, optional
        Serve inside TLS; with an authority in it, only clients with a certificate.
    line : SerialLine, optional
        Serve on a serial line.
    faults : Faults, optional
        What goes wrong; shared by as many PLCs as one likes.

    Attributes
    ----------
    port : int
    faults : Faults
    """

    def __init__(
        self,
        host: str,
        port: int,
        units: Mapping[int, Sequence[Tag]],
        framing: str = "socket",
        *,
        tls: TlsSettings | None = None,
        line: SerialLine | None = None,
        faults: Faults | None = None,
    ) -> None:
        if not units or not all(units.values()):
            raise ScadaError("a simulated PLC needs at least one unit, and each unit a tag")
        self.host = host
        self.port = port
        self.faults = faults or Faults()
        self._line = line
        self._framing = FramerType(framing)
        self._context = server_context(tls) if tls is not None else None
        self._image = RegisterImage(units)
        self._devices = {unit: tags[0].device for unit, tags in units.items()}
        self._tags = [tag for tags in units.values() for tag in tags]
        self._spoiler = Spoiler(self.faults, self._tags)
        self._heartbeats = [tag.name for tag in self._tags if tag.name.endswith(".heartbeat")]
        self._modes = [tag.name for tag in self._tags if tag.name.endswith(".in_automatic")]
        self._first_beats: dict[str, float] = {}
        self._is_wanted = self._was_restarting = False
        self._cable: PseudoCable | None = None
        self._server: LoopServer | SerialLoopServer | None = None

    def take_commands(self) -> dict[str, float]:
        """Return engineering values of the tags that were written to over the wire since the last call, by name."""
        taken = dict(self._image.commands)
        self._image.commands.clear()
        return taken

    async def start(self) -> None:
        """Listen.

        Raises
        ------
        PortInUse
            Somebody else listens there.
        ScadaError
            The host or port cannot be had for another reason.
        """
        self._is_wanted = True
        if self._server is None:
            await (self._listen() if self._line is None else self._attach(self._line))

    async def stop(self) -> None:
        """Close the port and every connection; does nothing when stopped already."""
        self._is_wanted = False
        await self._shut()
        if self._cable is not None:
            self._cable.close()
            self._cable = None

    async def obey(self) -> None:
        """Open or close the port as the faults of this moment want it; on a serial line nothing can be closed."""
        if not self._is_wanted or self._line is not None:
            return
        if self.faults.is_port_shut(self._devices.values()):
            await self._shut()
        elif self._server is None:
            await self._listen()

    def update(self, values: Mapping[str, float]) -> None:
        """Show new engineering values, by tag name; names of other PLCs are passed over."""
        shown, swapped = self._spoiler.spoil(self._restarted(values))
        self._image.swap_words(swapped)
        self._image.write(shown)

    def _restarted(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """Forget commands and count heartbeats from zero after a restart."""
        is_restarting = self.faults.is_restarting(self._devices.values())
        if is_restarting:
            self._image.commands.clear()
            self._image.commands.update(dict.fromkeys(self._modes, 1.0))
        elif self._was_restarting:
            self._first_beats = {name: values[name] for name in self._heartbeats if name in values}
        self._was_restarting = is_restarting
        if not self._first_beats:
            return values
        return {**values, **{name: (values[name] - first) % 65536 for name, first in self._first_beats.items()}}

    def _conduct(self, unit: int) -> Misconduct | None:
        device = self._devices.get(unit)
        if device is None:  # a gateway says so, on a line nobody answers
            return Misconduct(kind="silent") if self._line is not None else None
        if self._line is not None and self.faults.is_port_shut([device]):
            return Misconduct(kind="silent")
        return self.faults.misconduct(device)

    async def _listen(self) -> None:
        listener = _listener(self.host, self.port)
        self.port = listener.getsockname()[1]
        server = LoopServer(
            [_nothing(unit) for unit in self._devices],
            framer=self._framing,
            address=(self.host, self.port),
            custom_pdu=image_requests(self._image),
        )
        # our own socket: pymodbus drops the reason when it cannot listen, and cannot tell which port it was given
        server.call_create = partial(
            server.loop.create_server, server.handle_new_connection, sock=listener, ssl=self._context
        )
        await self._serve(server)

    async def _attach(self, line: SerialLine) -> None:
        path = self.host
        if not Path(path).exists():
            self._cable = PseudoCable(line, Path(path))
            path = self._cable.far
            line = SerialLine(line.baud, "N", line.stopbits)  # a pseudo-terminal refuses parity; its pace counts it
        server = SerialLoopServer(
            [_nothing(unit) for unit in self._devices],
            port=path,
            baudrate=line.baud,
            parity=line.parity,
            stopbits=line.stopbits,
            custom_pdu=image_requests(self._image),
            ignore_missing_devices=True,
        )
        await self._serve(server)
        if server.transport is None:
            raise ScadaError(f"cannot serve on {path}")

    async def _serve(self, server: LoopServer | SerialLoopServer) -> None:
        server.conduct, server.faults = self._conduct, self.faults
        try:
            await server.serve_forever(background=True)
        except RuntimeError as error:
            raise ScadaError(f"cannot serve on {self.host}; is the port there, and not in use?") from error
        self._server = server

    async def _shut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.shutdown()  # type: ignore[no-untyped-call]
            await asyncio.sleep(0)  # lets the closed sockets go


def _nothing(unit: int) -> SimDevice:
    """Return a unit that refuses whatever the register image does not answer."""
    return SimDevice(unit, [SimData(0, datatype=DataType.INVALID)])


def _listener(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ScadaError(f"port {port} is no port; write 0..65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from error
        raise ScadaError(f"cannot listen on {host} port {port}: {error.strerror}") from error
