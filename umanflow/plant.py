"""Simulated PLCs on loopback, driven by the twin in lock-step with whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from scada.plc.device import PlcServer
from scada.plc.process import Process
from scada.tag import Tag

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
        Host and port of each server; port 0 takes any that is free.
    """

    def __init__(
        self, ports: Sequence[Mapping[int, Sequence[Tag]]], process: Process, addresses: Sequence[tuple[str, int]]
    ) -> None:
        self._process = process
        self._servers = [PlcServer(host, port, units) for (host, port), units in zip(addresses, ports, strict=True)]

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
        """Move the city to a time and show it in the registers."""
        values = self._process.advance(t_ms, {})
        for server in self._servers:
            server.update(values)
