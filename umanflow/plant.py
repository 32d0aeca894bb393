"""Simulated PLCs on loopback, driven by the twin in lock-step with whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from scada.endpoint import Endpoint
from scada.plc.device import PlcServer
from scada.plc.faults import Faults
from scada.plc.process import Process
from scada.tag import Tag
from scada.tls import TlsSettings

HOST = "127.0.0.1"


class Plant:
    """The servers of a simulated city, and the process behind them.

    Parameters
    ----------
    ports
        One server each: unit id -> the tags of that unit.
    process
        Gives the values.
    addresses
        Host and port of each server, port 0 taking any that is free; or the URL's endpoint.
    faults
        What goes wrong with them.
    tls
        Certificate of those that are reached over TLS.
    """

    def __init__(
        self,
        ports: Sequence[Mapping[int, Sequence[Tag]]],
        process: Process,
        addresses: Sequence[tuple[str, int] | Endpoint],
        faults: Faults | None = None,
        tls: TlsSettings | None = None,
    ) -> None:
        self._process = process
        self.faults = faults or Faults()
        self._servers = [
            self._server(address, units, tls or TlsSettings()) for address, units in zip(addresses, ports, strict=True)
        ]

    def _server(
        self, address: tuple[str, int] | Endpoint, units: Mapping[int, Sequence[Tag]], tls: TlsSettings
    ) -> PlcServer:
        end = address if isinstance(address, Endpoint) else Endpoint("tcp", *address)
        files = tls if end.scheme == "tls" else None
        return PlcServer(end.host, end.port, units, end.framing, tls=files, line=end.line, faults=self.faults)

    async def __aenter__(self) -> Self:
        """Start all servers; those already started are stopped if one cannot be."""
        started: list[PlcServer] = []
        try:
            for server in self._servers:
                await server.start()
                started.append(server)
        except BaseException:
            for server in started:
                await server.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all servers."""
        for server in self._servers:
            await server.stop()

    @property
    def ports(self) -> list[int]:
        """The port of each server."""
        return [server.port for server in self._servers]

    async def advance(self, t_ms: int) -> None:
        """Move the city to a time, with what was written to the PLCs, and show it in the registers."""
        self.faults.advance(t_ms)
        commands = {name: value for server in self._servers for name, value in server.take_commands().items()}
        values = self._process.advance(t_ms, commands)
        for server in self._servers:
            await server.obey()
            server.update(values)
