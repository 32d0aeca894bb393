"""Writing: off, on the list, within limits, once, read back, on record; and never by the reader."""

import asyncio
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scada.audit import Audit
from scada.device import DeviceSettings
from scada.errors import AuditError, ScadaError, WriteFailed, WriteRefused
from scada.tag import Tag
from scada.writer import Writer, WriteRule, Written, words_for
from tests.scada.wire import Asked, refusal, registers, serving

TAGS = {
    tag.name: tag
    for tag in (
        Tag("setpoint", "d", "holding", 0, "uint16", scale=0.01, unit="m", min=0.0, max=90.0, bad_values=(6000.0,)),
        Tag("flow", "d", "holding", 2, "float32", "CDAB"),
        Tag("start", "d", "coil", 4, "bool"),
        Tag("auto", "d", "holding", 6, "bit", bit=9),
        Tag("label", "d", "holding", 8, "string6"),
        Tag("level", "d", "input", 0, "uint16"),
        Tag("other", "d", "holding", 20, "uint16"),
    )
}
RULES = {
    rule.tag: rule
    for rule in (
        WriteRule("setpoint", 20.0, 80.0, 10.0),
        WriteRule("flow"),
        WriteRule("start"),
        WriteRule("auto"),
        WriteRule("label"),
        WriteRule("level"),
        WriteRule("absent"),
    )
}


@dataclass
class Device:
    """A PLC that takes writes, with any manners a test wants."""

    words: dict[int, int] = field(default_factory=lambda: {0: 4500, 6: 0x00F0})
    spoil: Callable[[Asked], bytes | None] = lambda asked: b""
    keeps: bool = True

    async def __call__(self, asked: Asked) -> bytes | None:
        spoilt = self.spoil(asked)
        if spoilt != b"":
            return spoilt
        if asked.function <= 4:
            return registers(asked, [self.words.get(asked.start + k, 0) for k in range(asked.count)])
        body = struct.pack(">BBHH", asked.unit, asked.function, asked.start, asked.count)
        if asked.function == 22:
            (mask,) = struct.unpack(">H", asked.data)
            body += asked.data
            new = {asked.start: self.words.get(asked.start, 0) & asked.count | mask & ~asked.count}
        elif asked.function == 16:
            new = dict(enumerate(struct.unpack(f">{asked.count}H", asked.data[1:]), asked.start))
        else:
            new = {asked.start: int(asked.count == 0xFF00) if asked.function == 5 else asked.count}
        if self.keeps:
            self.words.update(new)
        return struct.pack(">HHH", asked.number, 0, len(body)) + body


def write(
    path: Path, name: str, value: float | str, device: Device | None = None, is_enabled: bool = True
) -> tuple[Written | ScadaError, list[Asked], list[dict[str, object]]]:
    """Write once; return what came of it, what was on the wire, and the record."""
    audit = Audit(path / "writes.jsonl")

    async def run() -> tuple[Written | ScadaError, list[Asked]]:
        async with serving(device or Device()) as server:
            settings = {"d": DeviceSettings("d", server.url, unit=3, timeout_s=0.3)}
            writer = Writer(settings, TAGS, RULES, audit, "olha@scada", is_enabled, settle_s=0.2)
            try:
                return await writer.write(name, value, "a test"), server.asked
            except ScadaError as error:
                return error, server.asked

    done, asked = asyncio.run(run())
    return done, asked, audit.records()


@pytest.mark.parametrize(
    ("name", "value", "functions", "words"),
    [
        ("setpoint", 50.0, [3, 6, 3], {0: 5000}),
        ("flow", 12.5, [3, 16, 3], {2: 0, 3: 0x4148}),
        ("start", 1.0, [1, 5, 1], {4: 1}),
        ("auto", 1.0, [3, 22, 3], {6: 0x02F0}),
        ("label", "PS-1", [3, 16, 3], {8: 0x5053, 9: 0x2D31, 10: 0}),
    ],
)
def test_value_is_written_read_back_and_recorded(
    tmp_path: Path, name: str, value: float | str, functions: list[int], words: dict[int, int]
) -> None:
    device = Device()
    done, asked, records = write(tmp_path, name, value, device)
    assert isinstance(done, Written)
    assert (done.new, done.read_back) == (value, value)
    assert [one.function for one in asked] == functions
    assert {one.unit for one in asked} == {3}
    assert all(device.words[address] == word for address, word in words.items())
    intent, result = records
    assert [intent["event"], result["event"], result["result"]] == ["intent", "result", "written"]
    assert [intent["who"], intent["tag"], intent["asked"], intent["why"]] == ["olha@scada", name, value, "a test"]
    assert (intent["id"], result["new"], result["read_back"]) == (result["id"], value, value)
    assert intent["old"] == result["old"] == done.old


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("setpoint", 15.0, "outside 20 to 80"),
        ("setpoint", 85.0, "outside 20 to 80"),
        ("setpoint", 60.0, "unknown value"),
        ("setpoint", math.nan, "no number"),
        ("setpoint", "50", "write a number"),
        ("setpoint", 70.0, "change of more than 10"),
        ("flow", 1e39, "does not fit"),
        ("start", 0.5, "neither 0 nor 1"),
        ("label", "too long", "does not fit"),
        ("label", 1.0, "write a text"),
        ("level", 1.0, "only be read"),
        ("other", 1.0, "not on the list"),
        ("absent", 1.0, "the tag table does not have it"),
    ],
)
def test_what_is_not_allowed_is_refused_before_anything_is_sent(
    tmp_path: Path, name: str, value: float | str, why: str
) -> None:
    done, asked, records = write(tmp_path, name, value)
    assert isinstance(done, WriteRefused)
    assert why in str(done)
    assert all(one.function <= 4 for one in asked)
    assert [record["event"] for record in records] == ["refused"]


def test_off_by_default(tmp_path: Path) -> None:
    done, asked, records = write(tmp_path, "setpoint", 50.0, is_enabled=False)
    assert isinstance(done, WriteRefused)
    assert asked == records == []


def test_old_value_that_cannot_be_read_keeps_the_new_one_from_being_sent(tmp_path: Path) -> None:
    done, asked, _ = write(tmp_path, "setpoint", 50.0, Device(spoil=lambda one: refusal(one, 4)))
    assert isinstance(done, WriteRefused)
    assert {one.function for one in asked} == {3}


def test_record_that_cannot_be_kept_keeps_the_value_from_being_sent(tmp_path: Path) -> None:
    (tmp_path / "writes.jsonl").mkdir()
    with pytest.raises(AuditError):
        write(tmp_path, "setpoint", 50.0)
    device = Device()
    with pytest.raises(AuditError):
        write(tmp_path, "setpoint", 50.0, device)
    assert device.words[0] == 4500


@pytest.mark.parametrize(
    ("device", "result", "read_back"),
    [
        (Device(spoil=lambda one: refusal(one, 3) if one.function == 6 else b""), "refused", 45.0),
        (Device(keeps=False), "mismatch", 45.0),
        (Device(spoil=lambda one: None if one.function == 6 else b""), "mismatch", 45.0),
    ],
)
def test_write_that_does_not_take_is_told(tmp_path: Path, device: Device, result: str, read_back: float) -> None:
    done, asked, records = write(tmp_path, "setpoint", 50.0, device)
    assert isinstance(done, WriteFailed)
    assert done.result == result
    assert [one.function for one in asked].count(6) == 1, "sent once, whatever happens"
    assert [records[-1]["result"], records[-1]["read_back"]] == [result, read_back]


def test_reply_that_is_lost_is_settled_by_looking(tmp_path: Path) -> None:
    device = Device()

    def lose(asked: Asked) -> bytes | None:
        if asked.function != 6:
            return b""
        device.words[0] = asked.count
        return None

    device.spoil = lose
    done, _, records = write(tmp_path, "setpoint", 50.0, device)
    assert isinstance(done, Written)
    assert records[-1]["result"] == "written"


def test_device_that_falls_silent_after_the_write_leaves_it_unconfirmed(tmp_path: Path) -> None:
    device = Device()
    seen: list[int] = []

    def fall_silent(asked: Asked) -> bytes | None:
        seen.append(asked.function)
        return None if 6 in seen else b""

    device.spoil = fall_silent
    done, _, records = write(tmp_path, "setpoint", 50.0, device)
    assert isinstance(done, WriteFailed)
    assert done.result == records[-1]["result"] == "unconfirmed"
    assert records[-1]["read_back"] is None


def test_device_without_function_6_is_asked_with_16(tmp_path: Path) -> None:
    done, asked, _ = write(
        tmp_path, "setpoint", 50.0, Device(spoil=lambda one: refusal(one, 1) if one.function == 6 else b"")
    )
    assert isinstance(done, Written)
    assert [one.function for one in asked] == [3, 6, 16, 3]


def test_device_without_mask_write_keeps_its_other_bits(tmp_path: Path) -> None:
    device = Device(spoil=lambda one: refusal(one, 1) if one.function == 22 else b"")
    done, asked, _ = write(tmp_path, "auto", 1.0, device)
    assert isinstance(done, WriteFailed)
    assert "mask write" in str(done)
    assert device.words[6] == 0x00F0
    assert {one.function for one in asked} == {3, 22}


def test_words_are_those_of_the_tag() -> None:
    assert words_for(TAGS["setpoint"], 42.504) == [4250]
    assert words_for(Tag("t", "d", "holding", 0, "int32", "DCBA", scale=0.5, offset=-1.0), -2.0) == [0xFEFF, 0xFFFF]


def test_interrupted_write_is_visible(tmp_path: Path) -> None:
    """The intent is on the disk before anything is on the wire."""
    seen: list[list[str]] = []
    device = Device()
    path = tmp_path / "writes.jsonl"

    def look(asked: Asked) -> bytes | None:
        if asked.function == 6:
            seen.append([json.loads(line)["event"] for line in path.read_text().splitlines()])
        return b""

    device.spoil = look
    write(tmp_path, "setpoint", 50.0, device)
    assert seen == [["intent"]]
