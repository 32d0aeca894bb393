"""Tag tables: every mistake is found and told how to mend."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.address import modicon_address, wire_address
from scada.codec import ORDERS
from scada.errors import TagErrors
from scada.plc.stations import dma_inlet, pressure_logger, pump_station, tank, valve_station
from scada.tags import QUANTITIES, Tag, TagTable, check_tags, read_tags, write_tags

HEAD = "name,device,table,address,type,order,bit,scale,offset,min,max,bad_values,interval_s,quantity\n"


def errors_of(path: Path, text: str, **options: object) -> list[tuple[int, str]]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TagErrors) as caught:
        read_tags(path, **options)  # type: ignore[arg-type]
    assert all(error.mend for error in caught.value.errors)
    return [(error.line, error.what) for error in caught.value.errors]


def test_row_with_defaults(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("name,device,table,address,type\np,ps-1,input,3,float32\n", encoding="utf-8-sig")
    (tag,) = read_tags(file, {"ps-1"})
    assert tag == Tag("p", "ps-1", "input", 3, "float32")
    assert (tag.registers, tag.interval_ms, tag.is_text) == (2, 60000, False)


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("name;device;table;address;type;scale\np;d;input;3;uint16;0,01\n", encoding="utf-8")
    assert read_tags(file)["p"].scale == 0.01


def test_every_mistake_is_collected(tmp_path: Path) -> None:
    text = HEAD + (
        ",d,input,0,uint16,,,,,,,,,\n"
        "a,nobody,input,1,uint16,,,,,,,,,\n"
        "b,d,inputs,2,uint16,,,,,,,,,\n"
        "c,d,input,65535,float32,,,,,,,,,\n"
        "e,d,input,x,int24,,,,,,,,,\n"
        "f,d,input,5,uint16,ACBD,17,0,,9,1,0x10000,-1,heat\n"
        "a,d,coil,6,uint16,,,,,,,,,\n"
        "g,d,input,400001,uint16,,,,,,,,,\n"
        "h,d,input,8,uint16,,x,one,,,,,,\n"
    )
    found = errors_of(tmp_path / "tags.csv", text, devices={"d"})
    wanted = [
        (2, "name is empty"),
        (3, "'nobody' is not configured"),
        (4, "'inputs' is unknown"),
        (5, "ends beyond"),
        (6, "'x' is no whole number"),
        (6, "'int24' is unknown"),
        (7, "0x10000"),
        (7, "'ACBD' is unknown"),
        (7, "'heat' is unknown"),
        (7, "bit 17"),
        (7, "interval_s -1"),
        (7, "lose the value"),
        (7, "min 9 is above"),
        (8, "already on line 3"),
        (8, "single bits"),
        (9, "beyond 65535"),
        (10, "bit 'x'"),
        (10, "scale 'one'"),
    ]
    assert len(found) == len(wanted), found
    for line, what in wanted:
        assert any(line == other and what in text for other, text in found), (line, what, found)


@pytest.mark.parametrize(
    ("rows", "overlaps"),
    [
        ("a,d,input,0,float32\nb,d,input,1,uint16\n", True),
        ("a,d,input,0,float64\nb,d,input,2,uint16\nc,d,input,3,uint16\n", True),
        ("a,d,input,0,uint16\nb,d,input,0,uint16\n", True),
        ("a,d,input,0,float32\nb,d,input,2,uint16\n", False),
        ("a,d,input,0,float32\nb,d,holding,1,uint16\n", False),
        ("a,d,input,0,bit\nb,d,input,0,uint16\n", False),
        ("a,d,input,0,bit\nb,d,input,0,bit\n", True),
        ("a,d,input,0,bit\nb,d,input,0,float32\n", True),
    ],
)
def test_overlap_is_legal_for_bits_only(tmp_path: Path, rows: str, overlaps: bool) -> None:
    file = tmp_path / "tags.csv"
    text = "name,device,table,address,type\n" + rows
    if overlaps:
        assert all("overlap" in what for _, what in errors_of(file, text))
    else:
        file.write_text(text)
        assert len(read_tags(file)) == 2


def test_different_bits_share_a_register(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("name,device,table,address,type,bit\na,d,input,0,bit,0\nb,d,input,0,bit,1\n")
    assert [tag.bit for tag in read_tags(file)] == [0, 1]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("name,device,table,address\na,d,input,0\n", "'type' is missing"),
        ("name,device,table,address,type,colour\na,d,input,0,uint16,red\n", "'colour' is unknown"),
        ("name,name,device,table,address,type\na,a,d,input,0,uint16\n", "twice"),
        ("name,device,table,address,type\na,d,input,0,uint16,1\n", "more cells"),
        ("name,device,table,address,type,offset\na,d,input,0,uint16,nan\n", "NaN"),
        ("name,device,table,address,type,bad_values\na,d,input,0,uint16,0.5\n", "whole numbers"),
        ("", "missing"),
    ],
)
def test_malformed_file_is_told(tmp_path: Path, text: str, what: str) -> None:
    assert any(what in found for _, found in errors_of(tmp_path / "tags.csv", text))


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(TagErrors, match="cannot be read"):
        read_tags(tmp_path / "none.csv")
    (tmp_path / "book.csv").write_bytes(b"PK\x03\x04\x00\x00\xff")
    with pytest.raises(TagErrors, match="UTF-8"):
        read_tags(tmp_path / "book.csv")
    (tmp_path / "good.csv").write_text("name,device,table,address,type\n")
    with pytest.raises(TagErrors, match="addressing 'octal'"):
        read_tags(tmp_path / "good.csv", addressing="octal")


@pytest.mark.parametrize(
    ("text", "table", "address"),
    [
        ("40001", "holding", 0),
        ("400001", "holding", 0),
        ("465536", "holding", 65535),
        ("49999", "holding", 9998),
        ("30017", "input", 16),
        ("10001", "discrete", 0),
        ("00001", "coil", 0),
        ("000017", "coil", 16),
        ("17", "coil", 16),
        ("5017", "input", 5016),
    ],
)
def test_modicon_numbers(text: str, table: str, address: int) -> None:
    assert modicon_address(text, table) == address


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("40001", "input"),
        ("40000", "holding"),
        ("465537", "holding"),
        ("20001", "input"),
        ("4000001", "holding"),
        ("0", "holding"),
        ("-1", "holding"),
        ("4x001", "holding"),
    ],
)
def test_wrong_modicon_numbers_are_refused(text: str, table: str) -> None:
    with pytest.raises(ValueError, match=r"; |, "):
        modicon_address(text, table)


def test_wire_address_points_to_modicon() -> None:
    assert wire_address("65535") == 65535
    with pytest.raises(ValueError, match="modicon"):
        wire_address("400001")


def test_modicon_table_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("name,device,table,address,type\na,d,holding,40011,uint16\nb,d,input,300001,uint16\n")
    assert [tag.address for tag in read_tags(file, addressing="modicon")] == [10, 0]


def test_hexadecimal_bad_value_is_a_pattern(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text(
        "name,device,table,address,type,bad_values\na,d,input,0,int16,0x8000|32767\nb,d,input,1,uint16,0xFFFF\n"
        "c,d,input,2,float32,nan|-9999\n"
    )
    table = read_tags(file)
    assert table["a"].bad_values == (-32768, 32767)
    assert table["b"].bad_values == (65535,)
    assert math.isnan(table["c"].bad_values[0])


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    tags=st.lists(
        st.builds(
            Tag,
            name=words,
            device=words,
            table=st.just("input"),
            address=st.integers(0, 65535),
            type=st.sampled_from(["uint16", "bool"]),
            order=st.sampled_from(ORDERS),
            scale=numbers.filter(lambda scale: scale != 0),
            offset=numbers,
            interval_s=st.sampled_from([0.5, 1.0, 900.0]),
            quantity=st.sampled_from([quantity for quantity in QUANTITIES if quantity != "time"]),
            bad_values=st.lists(st.integers(0, 65535).map(float), max_size=3).map(tuple),
            wrap=st.none() | st.just(65536.0),
            text_uk=words,
        ),
        unique_by=(lambda tag: tag.name, lambda tag: (tag.device, tag.address)),
        max_size=6,
    )
)
def test_written_table_reads_back_equal(tmp_path_factory: pytest.TempPathFactory, tags: list[Tag]) -> None:
    file = tmp_path_factory.mktemp("tags") / "tags.csv"
    write_tags(file, tags)
    assert list(read_tags(file)) == tags
    assert [path.name for path in file.parent.iterdir()] == ["tags.csv"]


def test_stations_are_valid_and_survive_a_file(tmp_path: Path) -> None:
    tags = [
        *pump_station("ps-1", {"flow": "P-1"}, pumps=4),
        *valve_station("prv-1"),
        *dma_inlet("dma-1"),
        *pressure_logger("log-1"),
        *tank("tank-1"),
    ]
    assert check_tags(tags) == []
    write_tags(tmp_path / "tags.csv", tags)
    table = read_tags(tmp_path / "tags.csv", {"ps-1", "prv-1", "dma-1", "log-1", "tank-1"})
    assert list(table) == tags
    assert table["ps-1.flow"].element == "P-1"
    assert {tag.order for tag in tags if tag.type == "float32" and tag.device == "dma-1"} == {"ABCD"}
    assert set(table.by_device) == {"ps-1", "prv-1", "dma-1", "log-1", "tank-1"}


def test_table_groups_by_device() -> None:
    tags = (Tag("a", "d1", "coil", 0, "bool"), Tag("b", "d2", "coil", 0, "bool"), Tag("c", "d1", "coil", 1, "bool"))
    table = TagTable(tags)
    assert [tag.name for tag in table.by_device["d1"]] == ["a", "c"]
    assert (len(table), table["b"].device) == (3, "d2")
