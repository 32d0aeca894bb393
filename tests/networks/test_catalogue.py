"""Networks are found by name or path."""

import hashlib
import importlib
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from networks import UnknownNetwork, catalogue, find, load
from networks.errors import UnreadableNetwork


def _wntr_files() -> list[Path]:
    spec = find_spec("wntr")
    assert spec is not None
    assert spec.origin is not None
    return sorted((Path(spec.origin).parent / "library" / "networks").rglob("*.inp"))


def test_wntr_ships_the_networks_that_the_rest_relies_on() -> None:
    assert {"net1", "net2", "net3", "ky4"} <= {path.stem.lower() for path in _wntr_files()}


@pytest.mark.parametrize("path", _wntr_files(), ids=lambda path: path.stem)
@pytest.mark.parametrize("case", [str, str.lower, str.upper, str.swapcase], ids=lambda case: case.__name__)
def test_wntr_networks_are_found_by_any_case(path: Path, case: type[str]) -> None:
    assert find(case(path.stem)) == (path.stem, path)


def test_names_are_unique_and_files_exist() -> None:
    entries = catalogue()
    names = [entry.name.lower() for entry in entries]
    assert len(set(names)) == len(names)
    assert all(entry.path.is_file() for entry in entries)
    assert all(entry.licence and entry.source and entry.description for entry in entries)


def test_each_source_is_sorted() -> None:
    entries = catalogue()
    for source in {entry.source for entry in entries}:
        names = [entry.name.lower() for entry in entries if entry.source == source]
        assert names == sorted(names)


def test_wntr_wins_over_later_sources() -> None:
    wntr_names = {path.stem.lower() for path in _wntr_files()}
    assert {entry.source for entry in catalogue() if entry.name.lower() in wntr_names} == {"WNTR"}


def test_a_file_of_the_same_name_that_differs_has_a_name_of_its_own() -> None:
    pytest.importorskip("epyt")
    entries = {entry.name: entry for entry in catalogue()}
    twin = entries["Net3@epyt"]
    assert twin.sha256 != entries["Net3"].sha256
    assert "differs" in twin.description
    assert load("net3@EPYT").source == twin.path


def test_every_network_is_described() -> None:
    for entry in catalogue():
        assert "no description" not in entry.description, entry.name
        assert "\n" not in entry.description
        assert entry.source in ("umanflow", "WNTR", "epyt")


def test_networks_of_our_own_go_first_and_state_their_crs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uman").mkdir()
    shutil.copy(find("net1")[1], tmp_path / "uman" / "uman.inp")
    (tmp_path / "other").mkdir()
    shutil.copy(find("net1")[1], tmp_path / "other" / "draft.inp")  # not named like its folder
    monkeypatch.setattr(importlib.import_module("networks.catalogue"), "_OWN_FOLDER", tmp_path)
    first, *others = catalogue()
    assert (first.name, first.source, first.licence) == ("uman", "umanflow", "Apache-2.0")
    assert "SYNTHETIC" in first.description
    assert "draft" not in {entry.name for entry in others}
    assert load("Uman").crs == "EPSG:32636"
    assert load("uman", crs="EPSG:4326").crs == "EPSG:4326"
    assert load("net1").crs is None


def test_path_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "Mein Netz.inp"
    shutil.copy(find("net1")[1], path)
    assert find(path) == ("Mein Netz", path)
    assert find(str(path)) == ("Mein Netz", path)
    network = load(path, crs="EPSG:32636")
    assert (network.name, network.source, network.crs) == ("Mein Netz", path, "EPSG:32636")


def test_file_goes_before_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net1").write_text("[END]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert find("net1")[1].resolve() == tmp_path / "net1"


@pytest.mark.parametrize(("wrong", "near"), [("Nett3", "Net3"), ("ky44", "ky4"), ("NET11", "Net1")])
def test_unknown_name_offers_near_names(wrong: str, near: str) -> None:
    with pytest.raises(UnknownNetwork, match="did you mean") as caught:
        find(wrong)
    assert near in str(caught.value)
    assert caught.value.name == wrong


def test_unknown_name_without_near_ones_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(UnknownNetwork, match="umanflow networks list"):
        find("§§§§")
    with pytest.raises(UnknownNetwork):
        find(tmp_path)  # a folder is no network
    with pytest.raises(UnknownNetwork):
        load(tmp_path / "absent.inp")


def test_checksum_and_size_are_the_files(tmp_path: Path) -> None:
    for entry in catalogue():
        data = entry.path.read_bytes()
        assert entry.size_bytes == len(data)
        assert entry.sha256 == hashlib.sha256(data).hexdigest()
    path = tmp_path / "a.inp"
    path.write_bytes(b"[END]\n")
    assert load(path).sha256 == hashlib.sha256(b"[END]\n").hexdigest()


def test_tables_of_an_inp_stand_in_a_folder_beside_it(tmp_path: Path) -> None:
    inp = tmp_path / "city.inp"
    inp.write_bytes(find("Net1")[1].read_bytes())
    header = "node,dma,street,connections,storeys\n"
    for folder in (tmp_path / "city.tables", tmp_path / "other"):
        folder.mkdir()
        (folder / "nodes.csv").write_text(f"{header}10,{folder.name},Main,3,2\n")
    beside, named = load(inp).nodes, load(inp, tables=tmp_path / "other").nodes
    assert beside is not None
    assert named is not None
    assert [beside["dma"][0], named["dma"][0]] == ["city.tables", "other"]
    (tmp_path / "plain.inp").write_bytes(inp.read_bytes())
    assert load(tmp_path / "plain.inp").nodes is None
    with pytest.raises(UnreadableNetwork, match="no such folder"):
        load(inp, tables=tmp_path / "nowhere")
