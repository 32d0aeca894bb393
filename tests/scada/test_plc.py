"""Simulated PLCs read back over real sockets."""

import asyncio
import math
import time
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient

from scada.blockdecoder import BlockDecoder
from scada.clock import LockstepClock
from scada.codec import NUMBER_FORMATS, ORDERS
from scada.errors import ModbusExceptionReply, PortInUse, ScadaError
from scada.plc.device import PlcServer
from scada.plc.image import RegisterImage
from scada.plc.process import Process
from scada.plc.stations import dma_inlet, pressure_logger, pump_station, tank, valve_station
from scada.reader import DeviceSettings, Reader
from scada.sample import Sample
from scada.tag import Tag
from scada.transport import Connection, parse_url


@st.composite
def unit_maps(draw: st.DrawFn) -> tuple[dict[int, list[Tag]], dict[str, float]]:
    units: dict[int, list[Tag]] = {}
    values: dict[str, float] = {}
    for unit in range(1, draw(st.integers(1, 3)) + 1):
        address, tags = draw(st.integers(0, 100)), []
        for number in range(draw(st.integers(1, 8))):
            kind = draw(st.sampled_from([*sorted(NUMBER_FORMATS), "bool", "bit"]))
            address += draw(st.sampled_from([0, 1, 5, 200]))
            scale = 1.0 if kind in {"bool", "bit"} else draw(st.sampled_from([1.0, 0.1, -0.01]))
            order, bit = draw(st.sampled_from(ORDERS)), draw(st.integers(0, 15))
            tags.append(Tag(f"{unit}.{number}", "d", "input", address, kind, order, bit, scale))
            values[tags[-1].name] = (
                float(draw(st.booleans())) if kind in {"bool", "bit"} else draw(st.floats(-1e30, 1e30)) * scale
            )
            address += tags[-1].registers
        units[unit] = tags
    return units, values


def expected_of(tag: Tag, value: float) -> float:
    """Say what is left of a value after rounding and saturating, one at a time."""
    raw = (value - tag.offset) / tag.scale
    if tag.type in {"bool", "bit"}:
        return float(raw != 0)
    if tag.type.startswith("float"):
        return float(np.dtype(tag.type).type(raw)) * tag.scale + tag.offset
    info = np.iinfo(tag.type)
    exact = min(max(round(raw), int(info.min)), int(info.max))
    return float(exact) * tag.scale + tag.offset


@settings(max_examples=200)
@given(drawn=unit_maps())
def test_image_decodes_to_what_was_written(drawn: tuple[dict[int, list[Tag]], dict[str, float]]) -> None:
    units, values = drawn
    image = RegisterImage(units)
    image.write(values)
    for unit, tags in units.items():
        for tag in tags:
            words = image.read(unit, tag.table, tag.address, tag.registers)
            assert words is not None
            value = BlockDecoder([tag], tag.address).decode(words)[0]
            assert value == pytest.approx(expected_of(tag, values[tag.name]), rel=1e-15)


def test_bits_share_a_register_with_its_word() -> None:
    tags = [Tag("word", "d", "holding", 4, "uint16")]
    tags += [Tag(f"b{bit}", "d", "holding", 4, "bit", bit=bit) for bit in (0, 3, 15)]
    image = RegisterImage({1: tags})
    image.write({"word": 0b1000, "b0": 1.0, "b15": 1.0})
    words = image.read(1, "holding", 4, 1)
    assert words is not None
    assert int(words[0]) == 0b1000_0000_0000_0001, "named bits rule over the word"


def test_unknown_value_becomes_the_sentinel() -> None:
    tags = [
        Tag("level", "d", "input", 0, "int16", scale=0.001, bad_values=(-32768.0,)),
        Tag("plain", "d", "input", 1, "uint16"),
        Tag("flow", "d", "input", 2, "float32"),
    ]
    image = RegisterImage({1: tags})
    image.write(dict.fromkeys(["level", "plain", "flow"], math.nan))
    words = image.read(1, "input", 0, 4)
    assert words is not None
    assert words[:2].tolist() == [0x8000, 0]
    assert math.isnan(BlockDecoder(tags, 0).decode(words)[2])


def test_values_not_named_stay_and_strangers_are_passed_over() -> None:
    tags = [Tag("a", "d", "input", 0, "uint16"), Tag("b", "d", "input", 1, "uint16")]
    image = RegisterImage({1: tags})
    image.write({"a": 1.0, "b": 2.0})
    image.write({"a": 3.0})
    image.write({"x": 9.0, "y": 9.0, "b": 4.0})
    assert image.words.tolist() == [3, 4]


def test_far_addresses_are_illegal_and_near_gaps_read_zero() -> None:
    image = RegisterImage(
        {
            1: [
                Tag("a", "d", "input", 10, "uint16"),
                Tag("b", "d", "input", 40, "uint16"),
                Tag("c", "d", "input", 5000, "uint16"),
            ]
        }
    )
    image.write({"a": 1.0, "b": 2.0, "c": 3.0})
    words = image.read(1, "input", 10, 31)
    assert words is not None
    assert words.tolist() == [1, *[0] * 29, 2]
    assert image.read(1, "input", 10, 32) is None
    assert image.read(1, "input", 9, 1) is None
    assert image.read(1, "holding", 10, 1) is None
    assert image.read(2, "input", 10, 1) is None
    assert image.words.size == 32


def test_same_name_twice_is_refused() -> None:
    with pytest.raises(ScadaError, match="same name"):
        RegisterImage({1: [Tag("a", "d", "input", 0, "uint16")], 2: [Tag("a", "d", "input", 0, "uint16")]})


class Stations:
    """A process that shows the minute of the day in every instrument."""

    def __init__(self, tags: list[Tag]) -> None:
        self.names = [tag.name for tag in tags]

    def advance(self, t_ms: int, commands: Mapping[str, float]) -> Mapping[str, float]:
        assert not commands
        return dict.fromkeys(self.names, t_ms / 60_000 % 2)


@pytest.mark.parametrize("framing", ["socket", "rtu"])
def test_all_stations_over_one_port(framing: str) -> None:
    stations = {
        1: pump_station("ps"),
        2: valve_station("prv"),
        3: dma_inlet("dma"),
        4: tank("tank"),
        5: pressure_logger("log", interval_s=60.0),
    }
    tags = [tag for unit in stations.values() for tag in unit]
    process: Process = Stations(tags)

    async def run() -> list[Sample]:
        server = PlcServer("127.0.0.1", 0, stations, framing)
        await server.start()
        await server.start()  # once is enough

        async def before_wake(t_ms: int) -> None:
            server.update(process.advance(t_ms, {}))

        samples: list[Sample] = []
        scheme = "tcp" if framing == "socket" else "rtu+tcp"
        devices = [
            DeviceSettings(unit[0].device, f"{scheme}://127.0.0.1:{server.port}", unit=number)
            for number, unit in stations.items()
        ]
        reader = Reader(devices, tags, LockstepClock(0, before_wake), samples.extend)
        await reader.run(until_ms=4 * 60_000)
        await server.stop()
        await server.stop()
        return samples

    samples = asyncio.run(run())
    assert len(samples) == 4 * len(tags)
    counters = {tag.name for tag in tags if tag.wrap is not None}
    assert {sample.reason for sample in samples if sample.tag not in counters} == {""}
    assert {sample.reason for sample in samples if sample.tag in counters} == {"", "meter-exchanged"}, "they run back"
    assert all(sample.value == pytest.approx(sample.time_ms / 60_000 % 2) for sample in samples)


def test_unknown_unit_address_and_writing_are_refused() -> None:
    async def run() -> list[int]:
        server = PlcServer("127.0.0.1", 0, {1: [Tag("a", "d", "holding", 0, "uint16")]})
        await server.start()
        connection = Connection(parse_url(f"tcp://127.0.0.1:{server.port}"))
        codes = []
        for unit, table, start in [(9, "holding", 0), (1, "holding", 7), (1, "coil", 0)]:
            with pytest.raises(ModbusExceptionReply) as caught:
                await connection.read(unit, table, start, 1, 1.0)
            codes.append(caught.value.code)
        assert (await connection.read(1, "holding", 0, 1, 1.0)).tolist() == [0]
        connection.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(bytes.fromhex("0001 0000 0006 01 06 0000 0007"))
        reply = await reader.readexactly(9)
        writer.close()
        await writer.wait_closed()
        codes.append(reply[8])
        assert reply[7] == 0x86
        await server.stop()
        return codes

    assert asyncio.run(run()) == [11, 2, 2, 2]


def test_port_in_use_is_told() -> None:
    async def run() -> None:
        unit = {1: [Tag("a", "d", "input", 0, "uint16")]}
        first = PlcServer("127.0.0.1", 0, unit)
        await first.start()
        with pytest.raises(PortInUse, match=str(first.port)) as caught:
            await PlcServer("127.0.0.1", first.port, unit).start()
        assert (caught.value.host, caught.value.port) == ("127.0.0.1", first.port)
        await first.stop()
        await first.start()  # the same port again
        await first.stop()
        with pytest.raises(ScadaError, match="no port"):
            await PlcServer("127.0.0.1", 70000, unit).start()
        with pytest.raises(ScadaError, match="cannot listen"):
            await PlcServer("192.0.2.1", 0, unit).start()

    asyncio.run(run())


def test_plc_without_tags_is_refused() -> None:
    for units in ({}, {1: []}):
        with pytest.raises(ScadaError, match="at least one unit"):
            PlcServer("127.0.0.1", 0, units)


def test_sixty_units_are_updated_in_no_time() -> None:
    units = {
        unit: [Tag(f"{unit}.{n}", "d", "input", 2 * n, "float32", ORDERS[n % 4], scale=0.5) for n in range(15)]
        for unit in range(1, 61)
    }
    image = RegisterImage(units)
    values = {tag.name: 1.0 for tags in units.values() for tag in tags}
    took = []
    for _ in range(20):
        began = time.perf_counter()
        image.write(values)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.005
    assert image.words.any()


def test_a_foreign_client_reads_the_same() -> None:
    """Pymodbus' own client and conversion, with none of our classes."""
    tags = [
        Tag("abcd", "d", "input", 0, "float32", "ABCD"),
        Tag("cdab", "d", "input", 2, "float32", "CDAB"),
        Tag("count", "d", "input", 4, "uint32", "CDAB"),
        Tag("level", "d", "input", 6, "int16", scale=0.001),
        Tag("on", "d", "discrete", 3, "bool"),
    ]

    async def run() -> list[object]:
        server = PlcServer("127.0.0.1", 0, {5: tags})
        await server.start()
        server.update({"abcd": 1.5, "cdab": -2.25, "count": 123_456_789.0, "level": -1.234, "on": 1.0})
        client = AsyncModbusTcpClient("127.0.0.1", port=server.port, retries=0)
        await client.connect()
        words = (await client.read_input_registers(0, count=7, device_id=5)).registers
        bits = (await client.read_discrete_inputs(3, count=1, device_id=5)).bits
        kinds = client.DATATYPE
        found = [
            client.convert_from_registers(list(words[0:2]), kinds.FLOAT32),
            client.convert_from_registers(list(words[2:4]), kinds.FLOAT32, word_order="little"),
            client.convert_from_registers(list(words[4:6]), kinds.UINT32, word_order="little"),
            client.convert_from_registers(list(words[6:7]), kinds.INT16),
            bits[0],
        ]
        client.close()
        await server.stop()
        return found

    assert asyncio.run(run()) == [1.5, -2.25, 123_456_789, -1234, True]
