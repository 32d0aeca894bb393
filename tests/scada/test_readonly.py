"""What leaves this program, seen from the other end of every kind of wire; and when it leaves."""

import asyncio
import itertools
import os
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from scada.clock import LockstepClock, SystemClock
from scada.reader import DeviceSettings, Reader
from scada.sample import Sample
from scada.tag import Tag
from scada.tls import TlsSettings, server_context
from tests.scada.wire import Asked, own_addresses, refusal, serial_answer, serving

TABLES = {"coil": "bool", "discrete": "bool", "holding": "uint16", "input": "float32"}
# beside plain ones: a block that is refused and taken apart, a device that has to be woken, a probe after a late reply
TAGS = [Tag(f"d.{table}{n}", "d", table, 30 * n, kind) for table, kind in TABLES.items() for n in range(4)]


@asynccontextmanager
async def serial_over_tcp(asked: list[Asked], late: set[int]):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                one, reply = serial_answer(await reader.readexactly(8))
                asked.append(one)
                if len(asked) in late:
                    await asyncio.sleep(0.3)
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield f"rtu+tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.sleep(0.35)  # until the late ones are written
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def serial_port(asked: list[Asked], late: set[int]):
    tty = pytest.importorskip("tty", reason="this system has no pseudo-terminals")
    master, slave = os.openpty()
    tty.setraw(slave)
    loop = asyncio.get_running_loop()
    heard = bytearray()

    def hear() -> None:
        heard.extend(os.read(master, 256))
        while len(heard) >= 8:
            one, reply = serial_answer(bytes(heard[:8]))
            del heard[:8]
            asked.append(one)
            loop.call_later(0.3 if len(asked) in late else 0.0, os.write, master, reply)

    loop.add_reader(master, hear)
    yield f"rtu://{os.ttyname(slave)}?baud=115200&parity=N&stopbits=1"
    loop.remove_reader(master)
    await asyncio.sleep(0.35)  # until the late ones are written
    os.close(master)
    os.close(slave)


async def poll(url: str, tls: TlsSettings | None = None) -> list[Sample]:
    samples: list[Sample] = []
    device = DeviceSettings("d", url, timeout_s=0.1, wake_retries=1, reconnect_holdoff_s=1.0, max_gap=0, tls=tls)
    reader = Reader([device], TAGS, LockstepClock(0), samples.extend)
    await reader.run(until_ms=5 * 60_000)
    assert reader.faults == 0
    return samples


@pytest.mark.parametrize("way", ["tcp", "tls", "rtu+tcp", "rtu"])
def test_only_reading_functions_leave_over_every_transport(way: str, tmp_path: Path) -> None:
    """Late replies included, which on serial framing are followed by probes of other functions."""

    async def run() -> tuple[list[Sample], list[Asked]]:
        asked: list[Asked] = []
        if way == "rtu+tcp":
            async with serial_over_tcp(asked, {4, 30}) as url:
                return await poll(url), asked
        if way == "rtu":
            async with serial_port(asked, {4, 30}) as url:
                return await poll(url), asked
        tls, context = None, None
        if way == "tls":
            ca = trustme.CA()
            issued = ca.issue_cert("127.0.0.1")
            ca.cert_pem.write_to_path(tmp_path / "ca.pem")
            issued.private_key_pem.write_to_path(tmp_path / "key.pem")
            issued.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
            context = server_context(TlsSettings("", str(tmp_path / "own.pem"), str(tmp_path / "key.pem")))
            tls = TlsSettings(str(tmp_path / "ca.pem"))

        async def sometimes_late(one: Asked) -> bytes | None:
            if len(server.asked) in {4, 30}:
                await asyncio.sleep(0.3)
            return refusal(one, 2) if one.start == 90 and one.function == 4 else await own_addresses(one)

        async with serving(sometimes_late, context=context) as server:
            return await poll(f"{way}://127.0.0.1:{server.port}", tls), server.asked

    samples, asked = asyncio.run(run())
    assert len(samples) == len(TAGS) * 5
    assert sum(not sample.reason for sample in samples) > len(samples) / 2
    assert {one.function for one in asked} == {1, 2, 3, 4}
    assert not any(one.data for one in asked), "a read request ends with its count"


def test_connections_are_staggered_and_slots_do_not_drift() -> None:
    async def run() -> list[Sample]:
        async with serving() as first, serving() as second, serving() as third:
            urls = [server.url for server in (first, second, third)]
            tags = [Tag(f"t{k}", f"d{k}", "input", 0, "uint16", interval_s=0.3) for k in range(3)]
            samples: list[Sample] = []
            clock = SystemClock()
            devices = [DeviceSettings(f"d{k}", url) for k, url in enumerate(urls)]
            await Reader(devices, tags, clock, samples.extend).run(until_ms=clock.now_ms() + 1500)
            return samples

    samples = asyncio.run(run())
    for k in range(3):
        mine = [sample for sample in samples if sample.tag == f"t{k}"]
        assert len(mine) >= 3
        assert {sample.time_ms % 300 for sample in mine} == {0}
        # a tenth of the interval is shared out: none is asked before 0, 10 and 20 ms after its slot
        assert all(sample.arrival_ms >= sample.time_ms + 10 * k for sample in mine)


def test_pauses_of_a_dead_device_grow_and_are_not_in_step() -> None:
    async def run() -> list[list[int]]:
        async with serving() as server:
            ports = [server.port]
        tags = [Tag(f"t{k}", f"d{k}", "input", 0, "uint16", interval_s=1.0) for k in range(2)]
        # nobody listens; two connections, since localhost is another host's name
        urls = [f"tcp://127.0.0.1:{ports[0]}", f"tcp://localhost:{ports[0]}"]
        devices = [DeviceSettings(f"d{k}", url, reconnect_holdoff_s=4.0) for k, url in enumerate(urls)]
        tries: list[list[int]] = [[], []]
        before = [0, 0]

        def sink(samples: object) -> None:
            for k in range(2):
                if reader.status[f"d{k}"].requests > before[k]:
                    before[k] = reader.status[f"d{k}"].requests
                    tries[k].append(clock.now_ms() // 1000)

        clock = LockstepClock(0)
        reader = Reader(devices, tags, clock, sink, seed=2)
        await reader.run(until_ms=600_000)
        return tries

    for moments in (tries := asyncio.run(run())):
        pauses = [b - a for a, b in itertools.pairwise(moments)]
        wanted = [min(4.0 * 2**k, 60.0) for k in range(len(pauses))]
        assert len(pauses) > 8
        # three quarters at least, and the next slot after the pause
        assert all(0.75 * want <= pause <= want + 1 for pause, want in zip(pauses, wanted, strict=True))
    assert tries[0] != tries[1]
