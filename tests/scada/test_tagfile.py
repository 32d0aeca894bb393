"""Tag tables as people save them: any encoding, separator and form."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scada.codec import ORDERS
from scada.errors import TagErrors
from scada.tag import Tag
from scada.tags import check_file, read_tags, write_tags

ROWS = (
    "name;device;table;address;type;scale;unit;quantity;text_uk\n"
    "насос.тиск;пст-1;input;3;uint16;0,01;м;pressure;Тиск, напірний\n"
)
WANTED = Tag("насос.тиск", "пст-1", "input", 3, "uint16", scale=0.01, unit="m", quantity="pressure")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
@pytest.mark.parametrize("before", ["", "sep=;\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_spreadsheets_of_every_kind_are_read(tmp_path: Path, encoding: str, before: str, end: str) -> None:
    file = tmp_path / "tags.csv"
    text = before + ROWS + ";;;;;;;;\n\n" + ROWS.splitlines()[1].replace("тиск;", "тиск2;").replace(";3;", ";x;")
    file.write_bytes(text.replace("\n", end).encode(encoding))
    checked = check_file(file)
    assert [tag.name for tag in checked.tags] == ["насос.тиск"]
    (tag,) = checked.tags
    assert (tag.device, tag.scale, tag.unit, tag.text_uk) == ("пст-1", 0.01, "m", "Тиск, напірний")
    assert [(error.line, "no whole number" in error.what) for error in checked.errors] == [(5 + bool(before), True)]
    assert any("1251" in finding.what for finding in checked.findings) == (encoding == "cp1251")


def test_tabs_and_thousands(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("Name\tDevice\tTable\tAddress\tType\tMax\t\na\td\t3\t0\tUINT16\t1\u00a0000,5\t\n", encoding="utf-8")
    (tag,) = read_tags(file)
    assert (tag.table, tag.type, tag.max) == ("holding", "uint16", 1000.5)


@pytest.mark.parametrize(
    ("code", "table"), [("1", "coil"), ("FC02", "discrete"), ("03", "holding"), ("Input Registers", "input")]
)
def test_function_codes_name_tables(tmp_path: Path, code: str, table: str) -> None:
    file = tmp_path / "tags.csv"
    file.write_text(f"name,device,table,address,type\na,d,{code},0,bool\n")
    assert read_tags(file)["a"].table == table


def test_document_numbers_count_from_one(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("name,device,table,address,type\na,d,holding,12003,uint32\nb,d,4,5017,float32\n")
    assert [tag.address for tag in read_tags(file, addressing="document")] == [12002, 5016]
    file.write_text("name,device,table,address,type\na,d,holding,0,uint32\nb,d,4,65537,float32\nc,d,4,٣,bool\n")
    with pytest.raises(TagErrors, match="document number") as caught:
        read_tags(file, addressing="document")
    assert [error.line for error in caught.value.errors] == [2, 3, 4]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"name,device\0\n", "no text"),
        (b"\xff\xfe\x00", "no text"),
        (b"name,\x98\n", "neither UTF-8"),
        (b'name,device,table,address,type\n"a,d,input,0,uint16\n' + b"x" * 140_000, "quote"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, data: bytes, what: str) -> None:
    (tmp_path / "tags.csv").write_bytes(data)
    with pytest.raises(TagErrors, match=what):
        read_tags(tmp_path / "tags.csv")


def test_numbers_only_a_program_would_write_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "tags.csv"
    file.write_text("name,device,table,address,type,bit,scale\na,d,input,1_0,bit,٣,1_0\n", encoding="utf-8")
    with pytest.raises(TagErrors) as caught:
        read_tags(file)
    assert [error.what.split()[0] for error in caught.value.errors] == ["address", "bit", "scale"]


TOML = """
addressing = "modicon"

[defaults]
device = "ps-1"
table = "input"

[[tags]]
name = "flow"
address = 30005
type = "float32"
order = "CDAB"
bad_values = ["0x7F800000", -9999.0]

# a comment
[[tags]]
name = "bad"
address = true
type = "uint16"
colour = "red"

[[tags]]
name = "short"
type = "uint16"
"""


def test_toml_has_the_same_columns_and_tells_lines(tmp_path: Path) -> None:
    file = tmp_path / "tags.toml"
    file.write_text(TOML)
    checked = check_file(file)
    (flow,) = checked.tags
    assert (flow.device, flow.address, flow.order) == ("ps-1", 4, "CDAB")
    assert flow.bad_values == (float("inf"), -9999.0)
    told = [(error.line, error.what) for error in checked.errors]
    assert [line for line, _ in told] == [16, 16, 22]
    assert all(word in str(told) for word in ("address is a bool", "'colour' is unknown", "'address' is missing"))


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("tags = 3", "no tables", 0),
        ("[[tags]\n", "no TOML", 1),
        ("[[tags]]\nname = 1979-05-27\n", "name is a date", 1),
        ('addressing = "octal"', "'octal' is unknown", 0),
        ("colour = 1", "'colour' is unknown", 0),
        ("", "no tags", 0),
    ],
)
def test_toml_that_is_none(tmp_path: Path, text: str, what: str, line: int) -> None:
    (tmp_path / "t.toml").write_text(text)
    error = check_file(tmp_path / "t.toml").errors[0]
    assert what in error.what
    assert error.line == line


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=8)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12).map(str.strip)


@given(
    tags=st.lists(
        st.builds(
            Tag,
            name=names,
            device=names,
            table=st.just("holding"),
            address=st.integers(0, 65535),
            type=st.sampled_from(["uint16", "int16"]),
            order=st.sampled_from(ORDERS),
            scale=st.floats(allow_nan=False, allow_infinity=False).filter(bool),
            bad_values=st.lists(st.integers(0, 32767).map(float), max_size=3).map(tuple),
            wrap=st.none() | st.just(65536.0),
            min=st.just(float("-inf")) | st.floats(-1e9, 0),
            text_uk=texts,
        ),
        unique_by=(lambda tag: tag.name, lambda tag: (tag.device, tag.address)),
        min_size=1,
        max_size=5,
    )
)
def test_written_toml_reads_back_equal(tmp_path_factory: pytest.TempPathFactory, tags: list[Tag]) -> None:
    file = tmp_path_factory.mktemp("tags") / "tags.toml"
    write_tags(file, tags)
    checked = check_file(file)
    assert list(checked.tags) == tags


def test_wanted_tag_survives_both_forms(tmp_path: Path) -> None:
    for name in ("a.csv", "a.toml"):
        write_tags(tmp_path / name, [WANTED])
        assert list(read_tags(tmp_path / name)) == [WANTED]
