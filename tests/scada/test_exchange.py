"""Tables of Telegraf and Ignition: what can be taken is taken exactly, what cannot is told row by row."""

import csv
import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.codec import NUMBER_FORMATS, ORDERS
from scada.errors import TagErrors
from scada.exchange import DeviceFound, Imported, ImportOptions, format_ignition, format_telegraf, import_tags
from scada.tag import Tag

REGISTER_STYLE = """
[agent]
  interval = "1m30s"
[[inputs.modbus]]
  name = "meter"
  slave_id = 7
  controller = "tcp://192.0.2.1:502"
  coils = [{ name = "run", address = [3]}]
  holding_registers = [
    # { name = "energy", byte_order = "ABCD", data_type = "FIXED", scale=1.0, address = [1,2]},
    { name = "factor", byte_order = "BA", data_type = "FIXED", scale=0.01, address = [8]},
    { name = "energy", byte_order = "CDAB", data_type = "UFIXED", scale=0.001, address = [5,6]},
    { name = "old", byte_order = "ABCD", data_type = "FLOAT32", scale=0.5, address = [10,11]},
    { name = "flow", byte_order = "GHEFCDAB", data_type = "FLOAT64-IEEE", scale=1.0, address = [20,21,22,23]},
    { name = "low", byte_order = "AB", data_type = "UINT8L", scale=1.0, address = [30]},
    { name = "gap", byte_order = "ABCD", data_type = "INT32", scale=1.0, address = [31,33]},
    { name = "short", byte_order = "AB", data_type = "INT32", scale=1.0, address = [35]},
    { name = "order", byte_order = "ACBD", data_type = "INT32", scale=1.0, address = [36,37]},
    { name = "factor", byte_order = "AB", data_type = "INT16", scale=1.0, address = [40]},
  ]
"""

METRIC_STYLE = """
[[inputs.modbus]]
  name = "gate way"
  interval = "10s"
  controller = "tcp://192.0.2.2:5020"
  transmission_mode = "RTUoverTCP"
  configuration_type = "metric"
  [[inputs.modbus.metric]]
    slave_id = 1
    byte_order = "LSW-BE"
    measurement = "pump"
    fields = [
      { register="discrete", address=4, name="on" },
      { register="input", address=0, name="flow", type="FLOAT32", scale=3.6 },
      { address=2, name="name", type="STRING", length=5 },
      { address=9, name="alarm", type="BIT", bit=12 },
      { address=11, name="half", type="FLOAT16" },
    ]
  [[inputs.modbus.metric]]
    slave_id = 2
    fields = [ { address=0, name="count", type="UINT64" } ]
[[inputs.modbus]]
  name = "bus"
  controller = "file:///dev/ttyUSB0"
  baud_rate = 19200
  configuration_type = "request"
  [[inputs.modbus.request]]
    slave_id = 9
    byte_order = "DCBA"
    register = "input"
    fields = [
      { address=0, name="a", type="INT16", output="INT64", scale=0.1 },
      { address=1, name="b", type="INT32", omit=true },
    ]
"""


def taken(tmp_path: Path, text: str, name: str = "t.conf", **options: object) -> Imported:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return import_tags(tmp_path / name, ImportOptions(**options))  # type: ignore[arg-type]


def told(found: Imported, severity: str = "error") -> list[tuple[int, str]]:
    assert all(finding.mend for finding in found.findings)
    return [(finding.line, finding.what) for finding in found.findings if finding.severity == severity]


def test_register_style(tmp_path: Path) -> None:
    found = taken(tmp_path, REGISTER_STYLE)
    common = {"device": "meter", "interval_s": 90.0}
    assert found.tags == [
        Tag("meter.run", table="coil", address=3, type="bool", **common),
        Tag("meter.factor", table="holding", address=8, type="int16", order="DCBA", scale=0.01, **common),
        Tag("meter.energy", table="holding", address=5, type="uint32", order="CDAB", scale=0.001, **common),
        Tag("meter.old", table="holding", address=10, type="uint32", scale=0.5, **common),
        Tag("meter.flow", table="holding", address=20, type="float64", order="CDAB", **common),
    ]  # type: ignore[arg-type]
    assert found.lines == [8, 11, 12, 13, 14]
    words = ["UINT8L", "no neighbours", "takes 2 registers, not 1", "ACBD", "already on line 11"]
    assert [line for line, _ in told(found)] == [15, 16, 17, 18, 19]
    assert all(word in what for word, (_, what) in zip(words, told(found), strict=True))
    assert found.devices == {"meter": DeviceFound("meter", "tcp://192.0.2.1:502", 7)}
    assert not told(found, "warning")


def test_metric_and_request_style(tmp_path: Path) -> None:
    found = taken(tmp_path, METRIC_STYLE)
    assert found.tags == [
        Tag("gate_way-1.pump.on", "gate_way-1", "discrete", 4, "bool", interval_s=10.0),
        Tag("gate_way-1.pump.flow", "gate_way-1", "input", 0, "float32", "CDAB", scale=3.6, interval_s=10.0),
        Tag("gate_way-1.pump.name", "gate_way-1", "holding", 2, "string10", "CDAB", interval_s=10.0),
        Tag("gate_way-1.pump.alarm", "gate_way-1", "holding", 9, "bit", "CDAB", bit=12, interval_s=10.0),
        Tag("gate_way-2.count", "gate_way-2", "holding", 0, "uint64", interval_s=10.0),
        Tag("bus.a", "bus", "input", 0, "int16", "DCBA", scale=0.1),
    ]
    assert [what for _, what in told(found)] == ["half: type 'FLOAT16' has no counterpart here"]
    warnings = [what for _, what in told(found, "warning")]
    assert ["no interval" in warnings[0], "whole number" in warnings[1], len(warnings)] == [True, True, 2]
    assert {device.url for device in found.devices.values()} == {
        "rtu+tcp://192.0.2.2:5020",
        "rtu:///dev/ttyUSB0?baud=19200",
    }


def test_telegraf_keys_as_a_table(tmp_path: Path) -> None:
    rows = (
        "device;register;name;byte_order;data_type;scale;address\n"
        "m;holding;p;CDAB;FLOAT32-IEEE;0,1;[3,4]\nm;coil;run;;;;7\nm;input;n;AB;INT16;1;x\n;input;o;AB;INT16;1;8\n"
    )
    found = taken(tmp_path, rows, "t.csv", interval_s=5.0)
    assert found.tags == [
        Tag("m.p", "m", "holding", 3, "float32", "CDAB", scale=0.1, interval_s=5.0),
        Tag("m.run", "m", "coil", 7, "bool", interval_s=5.0),
    ]
    assert [line for line, _ in told(found)] == [4, 5]
    assert len(taken(tmp_path, rows, "t.csv", interval_s=5.0, device="d").tags) == 3


COLUMNS = "Path,Name,TagType,DataType,OPCItemPath,ScaleMode,RawLow,RawHigh,ScaledLow,ScaledHigh"
IGNITION = f"""{COLUMNS},EngUnit,EngLow,EngHigh,Tooltip
PS,,6,,,,,,,,,,,
PS,Flow,0,4,[PS1]HRF41,0,,,,,м3/год,0,500,Витрата
PS,Level,0,4,ns=1;s=[PS1]2.IRUS7,1,0,4095,1,11,m,,,
PS,Alarm,0,6,[PS1]HR100.3,,,,,,,,,
PS,Serial,0,7,[PS1]HRS200:16,,,,,,,,,
PS,Run,0,6,[PS1]C1,,,,,,,,,
PS,Count,0,3,[PS1]IRUI_64300,,,,,,,,,
PS,Digits,0,1,[PS1]HRBCD300,,,,,,,,,
PS,Sum,1,7,,,,,,,,,,
PS,Root,0,4,[PS1]HR5,2,0,1,0,1,,,,
PS,Far,0,4,[PS1]HR400001,,,,,,,,,
PS,Manual,0,4,[PS1]HR40001,,,,,,,,,
PS,Other,0,4,[PS1]N7:0,,,,,,,,,
"""


def test_ignition_table(tmp_path: Path) -> None:
    found = taken(tmp_path, IGNITION, "t.csv", order="CDAB", interval_s=1.0)
    level = found.tags[1]
    assert [level.scale * 4095 + level.offset, level.offset] == pytest.approx([11.0, 1.0])
    assert [replace(tag, scale=1.0, offset=0.0) for tag in found.tags] == [
        Tag("PS/Flow", "PS1", "holding", 40, "float32", "CDAB", unit="m3/h", interval_s=1.0, min=0.0, max=500.0,
            text_uk="Витрата"),
        Tag("PS/Level", "PS1-2", "input", 6, "uint16", unit="m", interval_s=1.0),
        Tag("PS/Alarm", "PS1", "holding", 99, "bit", bit=3, interval_s=1.0),
        Tag("PS/Serial", "PS1", "holding", 199, "string16", interval_s=1.0),
        Tag("PS/Run", "PS1", "coil", 0, "bool", interval_s=1.0),
        Tag("PS/Count", "PS1", "input", 299, "uint64", "CDAB", interval_s=1.0),
        Tag("PS/Manual", "PS1", "holding", 40000, "int16", interval_s=1.0),
    ]  # fmt: skip
    assert [line for line, _ in told(found)] == [9, 10, 11, 12, 14]
    assert any("register 40001 of its table" in what for _, what in told(found, "warning"))


def test_ignition_does_not_guess_the_order_nor_hide_the_base(tmp_path: Path) -> None:
    found = taken(tmp_path, IGNITION, "t.csv", is_zero_based=True)
    assert [line for line, what in told(found) if "--order" in what or "order" in what] == [3, 8]
    assert found.tags[0].address == 7
    assert any("where addresses begin" in what for _, what in told(taken(tmp_path, IGNITION, "t.csv"), "warning"))


def test_ignition_json_has_folders(tmp_path: Path) -> None:
    inner = {"name": "Flow", "tagType": "AtomicTag", "valueSource": "opc", "opcItemPath": "[A]HRF1", "engUnit": "L/s"}
    memory = {"name": "Note", "tagType": "AtomicTag", "valueSource": "memory"}
    tree = {"name": "", "tagType": "Provider", "tags": [{"name": "PS", "tagType": "Folder", "tags": [inner, memory]}]}
    found = taken(tmp_path, json.dumps(tree), "t.json", order="ABCD", interval_s=1.0)
    assert found.tags == [Tag("PS/Flow", "A", "holding", 0, "float32", unit="L/s", interval_s=1.0)]
    assert "memory" in told(found)[0][1]


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\x00", "{", "[[inputs.cpu]]\n"])
def test_what_is_neither_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(TagErrors):
        taken(tmp_path, text, "t.csv")


kinds = st.sampled_from([*sorted(NUMBER_FORMATS), "bit", "bool", "string8"])


@st.composite
def tables(draw: st.DrawFn, orders: tuple[str, ...]) -> list[Tag]:
    tags = []
    for number in range(draw(st.integers(1, 8))):
        kind = draw(kinds)
        table = draw(st.sampled_from(["coil", "discrete"] if kind == "bool" else ["holding", "input"]))
        is_number = kind in NUMBER_FORMATS
        order = draw(st.sampled_from(orders)) if is_number and NUMBER_FORMATS[kind][1] > 1 else "ABCD"
        scale = draw(st.sampled_from([1.0, 0.1, 3.6])) if is_number else 1.0
        bit = draw(st.integers(0, 15)) if kind == "bit" else 0
        address = 10 * number
        tags.append(Tag(f"d.t{number}", "d", table, address, kind, order, bit, scale, interval_s=10.0))
    return tags


@given(tags=tables(ORDERS))
def test_export_to_telegraf_comes_back_equal(tmp_path_factory: pytest.TempPathFactory, tags: list[Tag]) -> None:
    text, findings = format_telegraf(tags, {"d": DeviceFound("d", "tcp://192.0.2.9:502", 3)})
    assert not findings
    assert tomllib.loads(text)["inputs"]["modbus"][0]["interval"] == "10000ms"
    found = taken(tmp_path_factory.mktemp("t"), text)
    assert sorted(found.tags, key=lambda tag: tag.name) == tags
    assert found.devices["d"] == DeviceFound("d", "tcp://192.0.2.9:502", 3)


@given(tags=tables(("CDAB",)))
def test_export_to_ignition_comes_back_equal(tmp_path_factory: pytest.TempPathFactory, tags: list[Tag]) -> None:
    text, findings = format_ignition(tags)
    assert {finding.severity for finding in findings} <= {"warning"}
    found = taken(tmp_path_factory.mktemp("t"), text, "t.csv", order="CDAB", interval_s=10.0)
    assert [replace(tag, scale=round(tag.scale, 9)) for tag in found.tags] == tags
    assert not told(found)


def test_export_tells_what_is_lost() -> None:
    tag = Tag("d.t", "d", "input", 0, "uint16", "BADC", offset=1.0, wrap=65536.0, element="P1")
    text, findings = format_ignition([tag])
    assert len(list(csv.reader(text.splitlines()))) == 1
    assert findings[0].severity == "error"
    text, findings = format_telegraf([tag], {})
    assert (text, findings[0].severity) == ("", "error")
    _, findings = format_telegraf([tag], {"d": DeviceFound("d", "tcp://192.0.2.9:502", 3)})
    assert "offset, wrap" in findings[0].what
