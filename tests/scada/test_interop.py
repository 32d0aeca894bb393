"""Clients that are not ours read and command the simulated PLCs: pyModbusTCP, and mbpoll, which is libmodbus."""

import asyncio
import re
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pyModbusTCP.client import ModbusClient
from pyModbusTCP.utils import decode_ieee, word_list_to_long

from scada.endpoint import SerialLine
from scada.plc.device import PlcServer
from scada.plc.stations import dma_inlet, pump_station
from scada.tls import TlsSettings

needs_mbpoll = pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed")
UNITS = {1: pump_station("ps", pumps=1), 2: dma_inlet("dma")}
VALUES = {
    "ps.suction_pressure": 12.5,
    "ps.discharge_pressure": 61.25,
    "ps.volume": 4_000_000_123.0,
    "ps.pump1_running": 1.0,
    "ps.heartbeat": 77.0,
    "dma.flow": -3.5,
    "dma.pressure": float("nan"),
}


def serve(use: Callable[[PlcServer], Awaitable[object]], host: str = "127.0.0.1", **more: object) -> object:
    async def run() -> object:
        server = PlcServer(host, 0, UNITS, **more)  # type: ignore[arg-type]
        await server.start()
        server.update(VALUES)
        try:
            return await use(server)
        finally:
            await server.stop()

    return asyncio.run(run())


def test_pymodbustcp_reads_and_commands() -> None:
    def talk(port: int) -> list[object]:
        client = ModbusClient("127.0.0.1", port, unit_id=1, timeout=2.0)
        words = client.read_input_registers(0, 11)
        found: list[object] = [decode_ieee(word) for word in word_list_to_long(words[0:4], big_endian=False)]
        found.append(word_list_to_long(words[8:10], big_endian=False)[0])
        found.append(words[10])
        found.append(client.read_discrete_inputs(0, 3))
        found.append(client.write_single_coil(0, True))
        found.append(client.read_coils(0, 1))
        found.append(client.write_multiple_registers(10, [4250]))
        found.append(client.read_holding_registers(10, 1))
        found.append(client.write_single_register(0, 20_000))  # 200 m, beyond the limit
        found.append(client.last_except)
        client.unit_id = 2
        flow, pressure = (decode_ieee(word) for word in word_list_to_long(client.read_input_registers(0, 4)))
        client.close()
        return [*found, flow, pressure != pressure]

    async def use(server: PlcServer) -> object:
        found = await asyncio.to_thread(talk, server.port)
        return found, server.take_commands()

    found, commands = serve(use)  # type: ignore[misc]
    assert found == [
        12.5, 61.25, 4_000_000_123, 77, [True, False, False],
        True, [True], True, [4250], False, 3, -3.5, True,
    ]  # fmt: skip
    assert commands == {"ps.pump1_command": 1.0, "ps.pump1_speed_setpoint": 42.5}


async def mbpoll(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "mbpoll", "-1", "-0", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    return out.decode()


@needs_mbpoll
@pytest.mark.parametrize("way", ["tcp", "serial"])
def test_mbpoll_reads_and_commands(way: str, tmp_path: Path) -> None:
    if way == "serial" and sys.platform == "win32":
        pytest.skip("Windows has no pseudo-terminals")
    line = SerialLine(9600, "N", 1)
    place = {"host": str(tmp_path / "tty"), "line": line} if way == "serial" else {}

    async def use(server: PlcServer) -> object:
        serial = ["-m", "rtu", "-b", "9600", "-P", "none", server.host]
        end = ["-m", "tcp", "-p", str(server.port), server.host] if way == "tcp" else serial
        pressures = await mbpoll("-a", "1", "-r", "0", "-c", "2", "-t", "3:float", *end)
        volume = await mbpoll("-a", "1", "-r", "8", "-c", "1", "-t", "3:int", *end)
        flow = await mbpoll("-a", "2", "-r", "0", "-c", "1", "-t", "3:float", "-B", *end)
        written = await mbpoll("-a", "1", "-r", "10", "-t", "4", *end, "3000")
        illegal = await mbpoll("-a", "1", "-r", "900", "-c", "1", "-t", "4", *end)
        return pressures, volume, flow, written, illegal, server.take_commands()

    pressures, volume, flow, written, illegal, commands = serve(use, **place)  # type: ignore[misc]
    assert re.findall(r"\]:\s+(\S+)", pressures) == ["12.5", "61.25"]
    assert int(re.findall(r"\]:\s+(\S+)", volume)[0]) % 2**32 == 4_000_000_123
    assert re.findall(r"\]:\s+(\S+)", flow) == ["-3.5"]
    assert "Written 1" in written
    assert "Illegal data address" in illegal
    assert commands == {"ps.pump1_speed_setpoint": 30.0}


def test_openssl_sees_modbus_security(tmp_path: Path) -> None:
    """A plain TLS client that knows nothing of Modbus but the bytes."""
    import ssl

    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def use(server: PlcServer) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        writer.write(bytes.fromhex("0007 0000 0006 01 04 000a 0001"))
        reply = await reader.readexactly(11)
        writer.close()
        await writer.wait_closed()
        return reply

    files = TlsSettings("", str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    assert serve(use, tls=files) == bytes.fromhex("0007 0000 0005 01 04 02 004d")
