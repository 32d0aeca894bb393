"""The synthetic Uman as it was ordered: sizes, tables, stations, instruments, hidden truth, and its build."""

import csv
import re
from collections import Counter
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import networks
from networks import Network, Topology, find, load
from networks.closed import closed_links
from networks.dma import Boundary, Dma, districts_of, find_dmas
from networks.tables import COLUMNS
from networks.uman import build, demand, stations, terrain

_FOLDER = Path(networks.__file__).parent / "uman"
_SUPPLY_M3D = 14_000.0


@pytest.fixture(scope="module")
def uman() -> Network:
    return load("uman")


@pytest.fixture(scope="module")
def topology(uman: Network) -> Topology:
    """Read by hand: no EPANET here."""
    document = uman.document
    junctions = [line.words[0] for line in document.section("JUNCTIONS")]
    stores = [line.words[0] for name in ("RESERVOIRS", "TANKS") for line in document.section(name)]
    links = [line.words for name in ("PIPES", "PUMPS", "VALVES") for line in document.section(name)]
    pipes = {line.words[0]: float(line.words[3]) for line in document.section("PIPES")}
    at = {name: k for k, name in enumerate([*junctions, *stores])}
    return Topology(
        nodes=tuple(at),
        links=tuple(words[0] for words in links),
        start=np.array([at[words[1]] for words in links], dtype=np.int64),
        end=np.array([at[words[2]] for words in links], dtype=np.int64),
        length=np.array([pipes.get(words[0], 0.0) for words in links]),
        is_pipe=np.array([words[0] in pipes for words in links]),
        is_junction=np.arange(len(at)) < len(junctions),
        xy=np.full((len(at), 2), np.nan),
    )


@pytest.fixture(scope="module")
def boundary(uman: Network) -> Boundary:
    sensors = uman.sensors
    assert sensors is not None
    return Boundary(frozenset(sensors[sensors["quantity"] == "flow"]["element"]), closed_links(uman))


@pytest.fixture(scope="module")
def districts(uman: Network, topology: Topology, boundary: Boundary) -> list[Dma]:
    nodes = table(uman, "nodes")
    return find_dmas(topology, dict(zip(nodes["node"], nodes["dma"], strict=True)), boundary)


def table(uman: Network, name: str) -> pd.DataFrame:
    found = getattr(uman, name)
    assert isinstance(found, pd.DataFrame)
    return found


def truth(name: str) -> list[dict[str, str]]:
    with (_FOLDER / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# what it says of itself -------------------------------------------------------------------------------------------


def test_synthetic_stands_first(uman: Network) -> None:
    title = [line.text for line in uman.document.lines if line.section == "TITLE"]
    assert title[1].startswith("SYNTHETIC")
    entry = next(e for e in networks.catalogue() if e.name == "uman")
    assert entry.description.startswith("SYNTHETIC")
    assert uman.crs == "EPSG:32636"


def test_the_build_makes_the_committed_files_byte_for_byte(tmp_path: Path) -> None:
    build.build(tmp_path)
    made = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    kept = {path.relative_to(_FOLDER).as_posix() for path in _FOLDER.rglob("*") if path.suffix in (".csv", ".inp")}
    assert kept - made == {"alarms.csv", "loggers.csv", "tags.csv"}  # made by umanflow.demo.city, and tested there
    assert made <= kept
    different = [name for name in sorted(made) if (tmp_path / name).read_bytes() != (_FOLDER / name).read_bytes()]
    assert different == []


# size -------------------------------------------------------------------------------------------------------------


def test_it_has_the_size_of_a_real_utility(uman: Network, topology: Topology) -> None:
    assert 2_500 <= int(topology.is_junction.sum()) <= 4_000
    pipes = table(uman, "pipes")
    city = pipes[~pipes["pipe"].str.startswith("MAIN-")]["pipe"]  # without the 136 km from Bila Tserkva
    assert 210.0 < topology.length[[topology.link(p) for p in city]].sum() / 1000.0 < 230.0
    assert table(uman, "nodes")["connections"].sum() == 17_000
    assert set(pipes["pipe"]) == {topology.links[k] for k in topology.pipes}


def test_streets_have_loops_and_branches(uman: Network, topology: Topology) -> None:
    pipes = table(uman, "pipes")
    streets = [topology.link(p) for p in pipes[pipes["kind"] == "street"]["pipe"]]
    graph = nx.Graph(zip(topology.start[streets].tolist(), topology.end[streets].tolist(), strict=True))
    loops = graph.number_of_edges() - graph.number_of_nodes() + nx.number_connected_components(graph)
    ends = sum(1 for _, degree in graph.degree if degree == 1)
    assert loops > 50
    assert ends > 100


def test_customers_take_what_is_left_of_the_supply(uman: Network) -> None:
    taken = sum(float(line.words[1]) * 86.4 for line in uman.document.section("DEMANDS") if line.words[2] != "steady")
    assert taken == pytest.approx(demand.CONSUMPTION_M3D, rel=1e-3)
    assert 0.35 < 1.0 - taken / _SUPPLY_M3D < 0.45


def test_demand_has_its_kinds_and_weekends(uman: Network) -> None:
    kinds = Counter(line.words[2] for line in uman.document.section("DEMANDS"))
    assert min(kinds[kind] for kind in ("residential", "commercial", "industrial")) > 5
    for kind in ("residential", "commercial", "industrial", "pilgrimage"):
        words = [line.words[1:] for line in uman.document.section("PATTERNS") if line.words[0] == kind]
        values = np.array([float(v) for row in words for v in row])
        assert len(values) == 168
        assert values.mean() == pytest.approx(1.0, abs=1e-3)
        if kind != "pilgrimage":
            assert not np.allclose(values[:24], values[-24:])  # Sunday is no Monday
    days = pd.date_range("2026-01-01", "2026-12-31")
    assert np.mean([demand.season(d.date()) for d in days]) == pytest.approx(1.0, abs=0.005)
    surge = [d for d in days if demand.pilgrimage(d.date()) > 0.0]
    assert {d.month for d in surge} == {9}
    assert 5 <= len(surge) <= 10


# ground -----------------------------------------------------------------------------------------------------------


def test_known_heights_are_honoured() -> None:
    assert terrain.height(np.array([[0.0, 0.0]]))[0] == pytest.approx(166.0, abs=0.1)
    west = np.column_stack([np.full(9, -5.0), np.linspace(-2.0, 2.0, 9)])
    assert terrain.height(west).mean() > 200.0
    assert terrain.height(np.column_stack([np.full(5, -6.0), np.linspace(-2.0, 2.0, 5)])).min() > 200.0
    valleys = np.vstack([terrain.KAMIANKA[2:-1], terrain.UMANKA[1:-1]])
    beside = valleys + np.array([0.0, 0.9])
    assert (terrain.height(valleys) < terrain.height(beside) - 5.0).mean() > 0.8  # deeply cut


def test_coordinates_are_umans(uman: Network) -> None:
    pyproj = pytest.importorskip("pyproj")
    at = {line.words[0]: (float(line.words[1]), float(line.words[2])) for line in uman.document.section("COORDINATES")}
    nodes = table(uman, "nodes")
    xy = np.array([at[n] for n, dma in zip(nodes["node"], nodes["dma"], strict=True) if dma != "BAB"])
    to_degrees = pyproj.Transformer.from_crs("EPSG:32636", "EPSG:4326", always_xy=True)
    east, north = to_degrees.transform(*xy.mean(axis=0))
    assert (east, north) == (pytest.approx(30.22, abs=0.02), pytest.approx(48.75, abs=0.02))
    assert np.ptp(xy, axis=0) == pytest.approx([8_000.0, 5_500.0], rel=0.3)


# supply -----------------------------------------------------------------------------------------------------------


def test_the_main_brings_water_of_eleven_days(uman: Network) -> None:
    """Volume over flow, piece by piece: the flow falls at the offtakes on the way."""
    at = {line.words[0]: float(line.words[1]) * 86.4 for line in uman.document.section("DEMANDS")}
    flow = 0.8 * _SUPPLY_M3D + at["ZHASHKIV"] + at["MANKIVKA"]
    days = km = 0.0
    for line in uman.document.section("PIPES"):
        if line.words[0].startswith("MAIN-"):
            _, _, end, length, diameter, *_ = line.words
            days += float(length) * np.pi / 4.0 * (float(diameter) / 1000.0) ** 2 / flow
            km += float(length) / 1000.0
            flow -= at.get(end, 0.0)
            assert diameter == "1200"
    assert km == pytest.approx(136.0)
    assert days == pytest.approx(11.0, abs=0.5)


def test_reservoirs_hold_three_days(uman: Network) -> None:
    volume = {}
    for line in uman.document.section("TANKS"):
        name, _, _, _, high, diameter, *_ = line.words
        volume[name] = np.pi / 4.0 * float(diameter) ** 2 * float(high)
    assert sum(v for name, v in volume.items() if name.startswith("RES-")) / _SUPPLY_M3D == pytest.approx(3.0, abs=0.3)
    assert len([name for name in volume if name.startswith("TOWER-")]) >= 2


def test_stations_are_complete(uman: Network) -> None:
    pumps = [line.words for line in uman.document.section("PUMPS")]
    assert len({words[1] for words in pumps}) >= 4
    curves = {line.words[0] for line in uman.document.section("CURVES")}
    assert {words[4] for words in pumps} <= curves
    energy = "\n".join(line.text for line in uman.document.lines if line.section == "ENERGY")
    for words in pumps:
        assert re.search(rf"Pump {words[0]}\s+Efficiency\s+\S+", energy)
    tariff = [v for line in uman.document.section("PATTERNS") if line.words[0] == "TARIFF" for v in line.words[1:]]
    assert len(tariff) == 24
    assert len(set(tariff)) > 2
    speeds = {line.words[1] for line in uman.document.section("CONTROLS") if re.match(r"0\.\d+$", line.words[2])}
    assert speeds & {words[0] for words in pumps}  # one station is speed-controlled
    assert pytest.approx(0.2) == stations.LOCAL_SHARE


def test_zones_and_prvs(uman: Network) -> None:
    assert set(table(uman, "dmas")["zone"]) == {"centre", "west", "low", "railway", "babanka"}
    kinds = Counter(line.words[4] for line in uman.document.section("VALVES"))
    assert kinds["PRV"] >= 10


# blocks -----------------------------------------------------------------------------------------------------------


def test_blocks_are_isolated_metered_and_of_a_small_blocks_size(uman: Network, districts: list[Dma]) -> None:
    nodes, blocks = table(uman, "nodes"), table(uman, "dmas")
    assert set(blocks["large_block"]) == {"NORTH", "SOUTH", "WEST"}
    assert 14 <= len(districts) <= 20
    connections = nodes.groupby("dma")["connections"].sum()
    assert connections.between(500, 1_500).all()
    inlet = dict(zip(blocks["dma"], blocks["inlet"], strict=True))
    for dma in districts:
        assert dma.is_isolated, (dma.name, dma.leaks)
        assert dma.inlets == (inlet[dma.name],)
        assert dma.boundary or dma.name == "BAB"  # the village has no neighbour
    gauges = set(table(uman, "sensors").query("quantity == 'pressure'")["element"])
    assert set(blocks["critical_node"]) <= gauges
    valves = table(uman, "valves")
    assert {link for dma in districts for link in dma.boundary} == set(valves[valves["kind"] == "boundary"]["pipe"])


def test_one_open_boundary_valve_joins_two_blocks(uman: Network, topology: Topology, boundary: Boundary) -> None:
    nodes = table(uman, "nodes")
    dma_of = dict(zip(nodes["node"], nodes["dma"], strict=True))
    opened = Boundary(boundary.metered, boundary.closed - {"P-2303"})
    broken = [dma for dma in find_dmas(topology, dma_of, opened) if not dma.is_isolated]
    assert sorted(dma.name for dma in broken) == ["C2", "W2"]
    assert {dma.leaks for dma in broken} == {("P-2303",)}


def test_inlet_meters_and_valves_alone_cut_the_same_blocks(
    uman: Network, topology: Topology, boundary: Boundary, districts: list[Dma]
) -> None:
    inlets = Boundary(frozenset(table(uman, "dmas")["inlet"]), boundary.closed)
    cut = districts_of(topology, inlets, ["BILA-TSERKVA", "UMANKA"])
    ours = {frozenset(dma.nodes.tolist()) for dma in districts}
    assert ours <= {frozenset(dma.nodes.tolist()) for dma in cut}


# tables -----------------------------------------------------------------------------------------------------------


def test_pipes_have_materials_of_their_time(uman: Network) -> None:
    pipes = table(uman, "pipes")
    years = pipes.groupby("material")["year"].agg(["min", "max"])
    assert set(years.index) == {"steel", "cast iron", "asbestos cement", "PE"}
    old = years.loc[["steel", "cast iron", "asbestos cement"]]
    assert (old["min"] >= 1950).all()
    assert (old["max"] <= 1990).all()
    assert years.loc["PE", "min"] >= 2000
    breaks = table(uman, "breaks")
    assert breaks.groupby("pipe").size().to_dict() == pipes.set_index("pipe")["breaks"].loc[lambda s: s > 0].to_dict()


def test_uspenska_and_polska_are_broken_cast_iron(uman: Network) -> None:
    pipes = table(uman, "pipes")
    streets = pipes[pipes["kind"] == "street"]
    usual = streets["breaks"].mean()
    for name in ("Успенська", "Польська"):
        street = streets[streets["street"] == name]
        assert len(street) > 5
        assert (street["material"] == "cast iron").mean() > 0.8
        assert street["breaks"].mean() > usual


def test_nodes_valves_and_hydrants(uman: Network, topology: Topology) -> None:
    nodes = table(uman, "nodes")
    homes = nodes[nodes["connections"] > 0]
    assert (homes["storeys"].min(), homes["storeys"].max()) == (1, 9)
    assert (homes["street"] != "").all()
    valves, hydrants = table(uman, "valves"), table(uman, "hydrants")
    ends = {link: {topology.nodes[a], topology.nodes[b]} for link, a, b in
            zip(topology.links, topology.start, topology.end, strict=True)}  # fmt: skip
    assert all(node in ends[pipe] for pipe, node in zip(valves["pipe"], valves["node"], strict=True))
    assert (valves["kind"] == "isolation").sum() > 500
    assert set(hydrants["node"]) <= set(nodes["node"])
    assert len(hydrants) > 500


def test_instruments_are_as_many_as_ordered(uman: Network, topology: Topology) -> None:
    sensors = table(uman, "sensors")
    count = sensors["quantity"].value_counts()
    assert 20 <= count["flow"] <= 30
    assert 40 <= count["pressure"] <= 60
    assert count["level"] == 5
    loggers = sensors[sensors["quantity"] == "pressure"]
    assert (loggers["delivery"] != "plc").mean() > 0.5
    assert set(loggers["delivery"]) == {"plc", "hourly", "daily"}
    assert (sensors[sensors["quantity"] != "pressure"]["delivery"] == "plc").all()
    assert set(sensors["element"]) <= {*topology.nodes, *topology.links}
    assert not loggers["element"].duplicated().any()


# hidden truth -----------------------------------------------------------------------------------------------------


def test_the_truth_is_no_part_of_the_network(uman: Network) -> None:
    hidden = {path.stem for path in (_FOLDER / "truth").glob("*.csv")}
    assert hidden == {"pipes", "nodes", "valves", "leaks", "meters", "billing", "amr"}
    columns = {column for names in COLUMNS.values() for column in names}
    secret = {"roughness", "condition", "breaks_per_km_year", "leakage_factor", "error_percent", "billed_m3", "since"}
    assert not columns & secret
    assert not any("truth" in str(value) for value in vars(uman).values())


def test_a_few_valves_stand_closed_and_cut_nobody_off(uman: Network, topology: Topology) -> None:
    closed = {row["pipe"] for row in truth("valves")}
    known = closed_links(uman)
    assert 2 <= len(closed) <= 5
    assert not closed & known  # the model has them open
    shut = np.isin(topology.links, [*closed, *known])
    label = topology.districts(shut)
    assert len(np.unique(label)) == len(np.unique(topology.districts(np.isin(topology.links, [*known])))) == 1


def test_old_leaks_have_run_for_years(topology: Topology) -> None:
    leaks = truth("leaks")
    assert len(leaks) > 3
    assert all(row["since"] < "2026-01-01" and row["pipe"] in topology.link_index for row in leaks)
    assert 500.0 < sum(float(row["flow_m3h"]) for row in leaks) * 24.0 < 2_000.0


def test_meters_and_bills_err_a_little(uman: Network) -> None:
    errors = np.array([float(row["error_percent"]) for row in truth("meters")])
    assert {row["meter"] for row in truth("meters")} == set(table(uman, "dmas")["inlet"])
    assert 0.2 < np.abs(errors).mean() < 3.0
    billed = sum(float(row["billed_m3"]) for row in truth("billing")) / 365.0
    assert 0.35 < 1.0 - billed / _SUPPLY_M3D < 0.45  # non-revenue water
    assert len(truth("amr")) > 1_000


def test_true_demand_is_the_models_in_sum_and_not_in_parts(uman: Network, topology: Topology) -> None:
    true = {row["node"]: sum(float(v) for k, v in row.items() if k != "node") for row in truth("nodes")}
    known: dict[str, float] = {}
    for line in uman.document.section("DEMANDS"):
        if line.words[2] != "steady":
            known[line.words[0]] = known.get(line.words[0], 0.0) + 86.4 * float(line.words[1])
    assert sum(true.values()) == pytest.approx(sum(known.values()), rel=1e-3)
    ratio = np.array([true[node] / known[node] for node in true])
    assert 0.1 < ratio.std() < 0.4


def test_true_hazards_are_of_the_cited_order(topology: Topology) -> None:
    rows = {row["pipe"]: row for row in truth("pipes")}
    assert set(rows) == {topology.links[k] for k in topology.pipes}
    streets = [name for name in rows if name.startswith("P-")]
    length = np.array([topology.length[topology.link(name)] for name in streets]) / 1000.0
    rate = np.array([float(rows[name]["breaks_per_km_year"]) for name in streets])
    assert 0.13 < float((rate * length).sum() / length.sum()) < 1.3  # sound mains have 13 a year on 100 km


def test_pipes_broke_as_their_hidden_hazards_have_it(uman: Network, topology: Topology) -> None:
    """Pipes whose hidden rate is above that of pipes alike (material, decade, street) broke more often than those."""
    pipes = table(uman, "pipes").set_index("pipe")
    rows = [row for row in truth("pipes") if row["pipe"].startswith("P-")]
    rate = np.array([float(row["breaks_per_km_year"]) for row in rows])
    length = np.array([topology.length[topology.link(row["pipe"])] for row in rows])
    at = pipes.loc[[row["pipe"] for row in rows]]
    kinds = (at["material"] + (at["year"] // 10).astype(str) + at["street"]).to_numpy()
    broken, above = at["breaks"].to_numpy(), np.zeros(len(rows), dtype=bool)
    for kind in np.unique(kinds):
        alike = kinds == kind
        above[alike] = rate[alike] > np.median(rate[alike])
    worse, better = (broken[a].sum() / length[a].sum() for a in (above, ~above))
    assert 1.4 < worse / better < 2.6  # exp(0.4 sqrt(2/pi)) above over below its inverse: 1.9


def test_find_gives_the_committed_file() -> None:
    assert find("uman") == ("uman", _FOLDER / "uman.inp")
