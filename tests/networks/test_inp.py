"""INP files in any encoding, and what EPANET is given of them."""

from pathlib import Path

import pytest

from hydro.engine import Engine
from networks import load
from networks.export import inp_bytes, write_inp
from networks.inp import decode
from networks.inp.clock import as_time_of_day, control_seconds, for_control, seconds
from tests.networks.odd import PLAIN, with_section, write

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")

CYRILLIC = PLAIN.replace(" a ", " колодязь-1 ").replace("a town of one street", "місто на одній вулиці")
WESTERN = PLAIN.replace(" a ", " Brunnen-Süd ").replace("a town of one street", "Ein Städtchen, älter als möglich")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1251"])
def test_cyrillic_names_in_every_encoding(tmp_path: Path, encoding: str, ends: str) -> None:
    path = write(tmp_path / "місто.inp", CYRILLIC.replace("\n", ends), encoding)
    network = load(path)
    assert "колодязь-1" in network.model.junction_name_list
    assert network.model.title == ["місто на одній вулиці"]
    for library in ("2.3", "2.2"):
        with Engine(load(path), library) as engine:
            assert "колодязь-1" in engine.topology.nodes
            assert len(engine.topology.links) == 4
    with Engine(network) as engine:  # whose model has been read
        assert "колодязь-1" in engine.topology.nodes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "latin-1"])
def test_western_names_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "west.inp", WESTERN, encoding)
    assert "Brunnen-Süd" in load(path).model.junction_name_list
    with Engine(path) as engine:
        assert "Brunnen-Süd" in engine.topology.nodes


def test_a_long_cyrillic_name_in_utf_16(tmp_path: Path) -> None:
    name = "насосна-станція-південна-друга"  # 30 letters, 58 bytes of UTF-8, where EPANET takes 31
    path = write(tmp_path / "long.inp", PLAIN.replace(" a ", f" {name} "), "utf-16")
    with Engine(path) as engine:
        assert name in engine.topology.nodes
    assert name in load(path).model.junction_name_list


def test_a_leak_in_a_pipe_with_a_cyrillic_name(tmp_path: Path) -> None:
    path = write(tmp_path / "leak.inp", PLAIN.replace(" p2 ", " труба "), "cp1251")
    with Engine(path) as engine:
        node = engine.add_leak("труба")
        assert engine.topology.nodes[node] == "leak~труба"


def test_decode_knows_its_encodings() -> None:
    assert decode("ключ\r\n".encode("cp1251")) == ("ключ\n", "cp1251")
    assert decode("é à\r".encode("cp1252")) == ("é à\n", "cp1252")
    assert decode(b"caf\xe9 \x81\n")[1] == "latin-1"
    assert decode(b"plain\n") == ("plain\n", "utf-8")
    assert decode(b"") == ("", "utf-8")


def test_a_file_that_epanet_reads_is_handed_on_byte_for_byte(tmp_path: Path) -> None:
    data = CYRILLIC.replace("\n", "\r\n").encode("cp1251")
    path = tmp_path / "own.inp"
    path.write_bytes(data)
    network = load(path)
    assert network.model.num_junctions == 3
    assert not network.is_changed
    assert inp_bytes(network) == data
    write_inp(network, tmp_path / "copy.inp")
    assert (tmp_path / "copy.inp").read_bytes() == data
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.inp", "own.inp"]


def test_a_changed_model_is_written_and_simulated(tmp_path: Path) -> None:
    network = load(write(tmp_path / "own.inp", PLAIN))
    network.model.get_link("p2").diameter = 0.123456789
    network.model.get_node("a").elevation = 11.0
    assert network.is_changed
    with Engine(network) as engine:
        assert engine.value("link", engine.topology.link("p2"), "diameter") == pytest.approx(0.123456789, rel=1e-10)
    write_inp(network, tmp_path / "changed.inp")
    again = load(tmp_path / "changed.inp")
    assert again.model.get_node("a").elevation == 11.0
    assert b"own.inp" not in inp_bytes(network)  # no path of this machine in what is handed on
    network.model.get_link("p2").diameter = 0.2
    network.model.get_node("a").elevation = 10.0
    assert not network.is_changed


def test_old_syntax_that_2_3_refuses_is_repaired(tmp_path: Path) -> None:
    text = with_section("DEMANDS", " MULTIPLY 1.5\n a 2\n c 1 day")
    text = with_section("PUMPS", " u1 a b 40 30\n u2 a b 50 40 20 10 35\n u3 a b 2.5", text)
    text = text.replace("[JUNCTIONS]", "[Junction]").replace("[PATTERNS]", "[PATT]").replace("[TIMES]", "[Times")
    path = write(tmp_path / "old.inp", text)
    network = load(path)
    assert network.model.options.hydraulic.demand_multiplier == 1.5
    assert network.model.get_link("u2").get_pump_curve().points == [(0.0, 50.0), (0.02, 40.0), (0.035, 10.0)]
    with Engine(network) as engine:
        assert len(engine.pumps) == 3
        demand = engine.demand_at(0)
        assert demand[engine.topology.node("a")] == pytest.approx(2e-3 * 1.5 * 0.6)


def test_notes_say_what_the_model_cannot_hold(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.inp", PLAIN)
    assert load(path).notes == ()
    path = write(tmp_path / "noted.inp", with_section("LEAKAGE", " p1 1 1").replace("[TITLE]", "stray\n[TITLE]"))
    assert len(load(path).notes) == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["6"], 21600), (["6:30"], 23400), (["0:00:59"], 59), (["30", "MIN"], 1800), (["2", "DAYS"], 172800),
     (["12", "AM"], 0), (["12:30", "pm"], 45000), (["6", "PM"], 64800), (["90", "sec"], 90), (["1:00:00:00"], 3600)],
)  # fmt: skip
def test_times(words: list[str], expected: int) -> None:
    assert seconds(words) == expected


@pytest.mark.parametrize("words", [["x"], ["6", "parsecs"], ["14", "PM"]])
def test_what_is_no_time(words: list[str]) -> None:
    with pytest.raises(ValueError):
        seconds(words)


def test_times_of_day_and_of_controls_come_back() -> None:
    for total in range(0, 86400, 61):
        assert seconds(as_time_of_day(total)) == total
        assert control_seconds((for_control(total),)) == total
