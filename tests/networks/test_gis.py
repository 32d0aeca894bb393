"""Networks go to GIS layers and come back."""

import json
import shutil
import warnings
from pathlib import Path

import pytest

pytest.importorskip("geopandas")
pytest.importorskip("pyogrio")

import geopandas
import pyogrio

from hydro.agreement import differences
from hydro.engine import Engine
from hydro.reading import read_epanet
from networks import load
from networks.errors import GisError
from networks.gis import KINDS, write_gis
from networks.gisimport import ColumnMap, read_gis
from tests.networks.odd import PLAIN, with_section, write

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
UTM = "EPSG:32636"
FULL = with_section(
    "DEMANDS",
    " b 1 day ;homes\n b 0.5 ;works",
    with_section(
        "PUMPS", " u1 a b HEAD boost PATTERN day\n u2 a b POWER 1.5 SPEED 0.9",
        with_section("CURVES", " boost 20 30\n loss 0 0\n loss 10 5", with_section(
            "VALVES", " v1 b c 150 PRV 25.5 0.2\n v2 b c 150 GPV loss 0", with_section(
                "CONTROLS", " LINK p2 CLOSED IF NODE tower ABOVE 5.5", with_section("EMITTERS", " c 0.05")))),
    ),
)  # fmt: skip


def facts_differ(one: Path | str, other: Path) -> list[str]:
    with Engine(one) as left, Engine(other) as right:
        return [str(d) for d in differences(read_epanet(left), read_epanet(right), "before", "after")]


@pytest.mark.parametrize("name", ["Net3", "ky4", "full"])
def test_a_geopackage_comes_back_whole(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "full.inp", FULL) if name == "full" else name
    network = load(source, UTM)
    assert write_gis(network, tmp_path / "town.gpkg") == [tmp_path / "town.gpkg"]
    imported = read_gis({"package": str(tmp_path / "town.gpkg")})
    assert (imported.crs, imported.notes) == (UTM, ())
    (tmp_path / "again.inp").write_bytes(imported.inp)
    assert facts_differ(source, tmp_path / "again.inp") == []
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_layers_hold_what_the_network_does(tmp_path: Path) -> None:
    network = load("Net3", UTM)
    write_gis(network, tmp_path / "net3.gpkg")
    pipes = pyogrio.read_dataframe(tmp_path / "net3.gpkg", layer="pipes").set_index("name")
    assert pipes.crs == UTM
    model = network.model
    assert list(pipes.index) == model.pipe_name_list
    for name in model.pipe_name_list:
        pipe = model.get_link(name)
        assert pipes.loc[name, "length"] == pytest.approx(pipe.length, rel=1e-12)
        assert pipes.loc[name, "diameter"] == pytest.approx(pipe.diameter, rel=1e-12)
        assert (pipes.loc[name, "start_node_name"], pipes.loc[name, "end_node_name"]) == (
            pipe.start_node_name, pipe.end_node_name,
        )  # fmt: skip
        assert pipes.loc[name, "geometry"].coords[0] == pytest.approx(pipe.start_node.coordinates)


def test_shapefiles_come_back_but_for_what_they_cannot_hold(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.inp", PLAIN.replace(" day", "").replace(" 1 0.6 0.9 1.4 1.2\n 1 1.5 0.5 1", ""))
    files = write_gis(load(path, UTM), tmp_path / "town.shp")
    assert tmp_path / "town_pipes.shp" in files
    sources = {kind: str(tmp_path / f"town_{kind}.shp") for kind in KINDS if (tmp_path / f"town_{kind}.shp").exists()}
    imported = read_gis(sources)
    (tmp_path / "again.inp").write_bytes(imported.inp)
    facts = {line.partition(" of ")[0] for line in facts_differ(path, tmp_path / "again.inp")}
    assert facts <= {"option", "pattern", "count", "demands"}
    with Engine(path) as before, Engine(tmp_path / "again.inp") as after:
        assert after.topology.links == before.topology.links
        assert after.topology.length == pytest.approx(before.topology.length)


def test_geojson_is_longitude_and_latitude_or_nothing(tmp_path: Path) -> None:
    shift = PLAIN.replace(" a 0 0\n", " a 300000 5400000\n")
    network = load(write(tmp_path / "town.inp", shift))
    with pytest.raises(GisError, match="not known"):
        write_gis(network, tmp_path / "town.geojson")
    assert not (tmp_path / "town.geojson").exists()
    network.crs = UTM
    write_gis(network, tmp_path / "town.geojson")
    features = json.loads((tmp_path / "town.geojson").read_text("utf-8"))["features"]
    assert len(features) == 3 + 1 + 1 + 4
    point = next(f for f in features if f["properties"]["name"] == "a")
    longitude, latitude = point["geometry"]["coordinates"]
    assert (longitude, latitude) == pytest.approx((30.2806, 48.7209), abs=1e-4)
    assert point["properties"]["kind"] == "junction"
    back = geopandas.GeoSeries.from_xy([longitude], [latitude], crs="EPSG:4326").to_crs(UTM)
    assert (back.x[0], back.y[0]) == pytest.approx((300000, 5400000), abs=0.01)


def test_an_unknown_crs_stays_unknown_in_a_geopackage(tmp_path: Path) -> None:
    write_gis(load("Net3"), tmp_path / "net3.gpkg")
    assert pyogrio.read_dataframe(tmp_path / "net3.gpkg", layer="pipes").crs is None
    with pytest.raises(GisError, match="states no CRS"):
        read_gis({"package": str(tmp_path / "net3.gpkg")})
    assert read_gis({"package": str(tmp_path / "net3.gpkg")}, crs=UTM).crs == UTM


MAP = """units = "CMH"
[nodes]
name = "NODE_ID"
kind = "TYP"
elevation = "Z"
base_head = "KOPF"
base_demand = { column = "L_S", factor = 0.001 }
[pipes]
name = "FID_"
diameter = { column = "DN", factor = 0.001 }
roughness = 120
"""


def foreign(tmp_path: Path, crs: str | None = UTM) -> dict[str, str]:
    nodes = geopandas.GeoDataFrame(
        {"NODE_ID": [1, 2, 3], "TYP": ["Junction", "junction", "RESERVOIR"], "Z": [10.0, 12.0, None],
         "KOPF": [None, None, 60.0], "L_S": [1.5, 2.5, 0.0]},
        geometry=geopandas.points_from_xy([0, 300, 0], [0, 0, 400]), crs=crs,
    )  # fmt: skip
    pipes = geopandas.GeoDataFrame(
        {"FID_": ["p-1", "p-2"], "DN": [200, 150]},
        geometry=geopandas.GeoSeries.from_wkt(["LINESTRING (0 0.4, 150 80, 300 0)", "LINESTRING (0 400, 0 0)"]),
        crs=crs,
    )  # fmt: skip
    for name, frame in (("nodes", nodes), ("pipes", pipes)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pyogrio's, where there is no CRS
            pyogrio.write_dataframe(frame, tmp_path / f"{name}.shp")
    return {name: str(tmp_path / f"{name}.shp") for name in ("nodes", "pipes")}


def columns(tmp_path: Path, text: str = MAP) -> ColumnMap:
    return ColumnMap.read(write(tmp_path / "map.toml", text))


def test_foreign_layers_by_a_column_map(tmp_path: Path) -> None:
    imported = read_gis(foreign(tmp_path), columns(tmp_path))
    assert imported.crs == UTM
    assert any("lengths of pipes are measured" in note for note in imported.notes)
    path = tmp_path / "town.inp"
    path.write_bytes(imported.inp)
    model = load(path).model
    assert model.options.hydraulic.inpfile_units == "CMH"
    pipe = model.get_link("p-1")
    assert (pipe.start_node_name, pipe.end_node_name) == ("1", "2")
    assert pipe.length == pytest.approx(2 * 170.0, rel=1e-3)
    assert (pipe.diameter, pipe.roughness) == (pytest.approx(0.2), 120.0)
    assert [tuple(v) for v in pipe.vertices] == [(150.0, 80.0)]
    assert model.get_node("2").base_demand == pytest.approx(2.5e-3)
    assert model.get_node("3").base_head == 60.0
    with Engine(path) as engine:
        engine.start()
        engine.solve()
        assert engine.read("link", "flow")[engine.topology.link("p-2")] == pytest.approx(4e-3, rel=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"Z"', '"HEIGHT"', "no column 'HEIGHT'"),
        ("roughness = 120", "", "pipes has no roughness"),
        ("[pipes]", "[pipe]", "'pipe' is not known"),
        ("elevation", "altitude", "no 'altitude'"),
        ("units =", "units", "map.toml"),
        ('"FID_"', '"DN"\nstart_node_name = "DN"\nend_node_name = "DN"', "which is no node"),
    ],
)
def test_a_mistake_in_the_map_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(GisError) as caught:
        read_gis(foreign(tmp_path), columns(tmp_path, MAP.replace(old, new)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_must_state_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(GisError, match="states no CRS"):
        read_gis(foreign(tmp_path, None), columns(tmp_path))
    with pytest.raises(GisError, match="no coordinate reference system"):
        read_gis(foreign(tmp_path, None), columns(tmp_path), "EPSG:nowhere")
    with pytest.raises(GisError, match="no such file"):
        read_gis({"pipes": str(tmp_path / "absent.shp")})
    shutil.copy(write(tmp_path / "x.txt", "no layer"), tmp_path / "bad.gpkg")
    with pytest.raises(GisError, match=r"bad\.gpkg"):
        read_gis({"pipes": str(tmp_path / "bad.gpkg")})


def test_an_end_far_from_any_node_is_named(tmp_path: Path) -> None:
    sources = foreign(tmp_path)
    pipes = pyogrio.read_dataframe(sources["pipes"])
    pipes.geometry = pipes.geometry.translate(5.0)
    pyogrio.write_dataframe(pipes, sources["pipes"])
    with pytest.raises(GisError, match="no node within 1 m of an end of 'p-"):
        read_gis(sources, columns(tmp_path))


def test_a_crs_that_is_none_or_not_the_networks(tmp_path: Path) -> None:
    with pytest.raises(GisError, match="no coordinate reference system"):
        write_gis(load("Net1", "EPSG:nowhere"), tmp_path / "net.gpkg")
    far = PLAIN.replace(" a 0 0", " a 1e12 1e12")
    with pytest.raises(GisError, match="outside EPSG:32636"):
        write_gis(load(write(tmp_path / "far.inp", far), UTM), tmp_path / "far.geojson")
    assert [p.name for p in tmp_path.iterdir()] == ["far.inp"]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GisError, match="ending"):
        write_gis(load("Net1"), tmp_path / "net.dwg")
