"""What EPANET reads of a file is what the model holds and what is written again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hydro.agreement import compare, differences
from hydro.engine import Engine
from hydro.reading import FLOW_UNITS, read_epanet, read_model
from networks import UnreadableNetwork, find, load
from networks.export import model_bytes
from tests.networks.odd import PLAIN, with_section, write

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")


def said(path: Path | str) -> list[str]:
    """Everything in which the two differ."""
    found = compare(path)
    assert not found.refused, found.refused
    assert found.head_error >= 0.0
    return [str(difference) for difference in (*found.facts, *found.written)]


def agrees(tmp_path: Path, text: str) -> bool:
    differing = said(write(tmp_path / "odd.inp", text))
    assert differing == []
    return True


@pytest.mark.parametrize("name", ["Net1", "Net2", "Net3", "ky4"])
def test_networks_that_wntr_ships_agree(name: str) -> None:
    assert said(name) == []


@pytest.mark.parametrize(
    "name",
    ["BWSN_Network_1", "foss_poly_1", "net2-cl2", "Net3_trace", "MICROPOLIS_v1", "Richmond_skeleton", "ky14", "L-TOWN"],
)
def test_networks_of_epyt_agree(name: str) -> None:
    pytest.importorskip("epyt")
    assert said(name) == []


def test_a_refused_file_is_an_answer() -> None:
    pytest.importorskip("epyt")
    found = compare("Net1broken")
    assert not found.agrees
    assert "Error 2" in found.refused


def test_the_plain_town_agrees(tmp_path: Path) -> None:
    assert agrees(tmp_path, PLAIN)


# m3/s, metres of pressure
_US = (0.0283168466, 6.30901964e-5, 0.0438126364, 0.0526168042, 0.0142764102)
FLOWS = dict(zip(FLOW_UNITS, (*_US, 1e-3, 1 / 6e4, 1 / 86.4, 1 / 3600, 1 / 86400, 1.0), strict=True))
PRESSURES = {"PSI": 0.3048 / 0.4333, "KPA": 0.102, "METERS": 1.0, "BAR": 10.2, "FEET": 0.3048}
MORE = " a 10 1\n b 12 2 day\n c 9 3\n d 5 0.2\n e 5 0.2\n f 5 0.1\n g 6 0.1"


def town_of_valves(units: str, law: str = "H-W", pressure: str = "", options: str = "") -> str:
    """The same town in any unit: 31.7 m behind one valve, 2 L/s through another."""
    metric = units in FLOW_UNITS[5:]
    foot, inch = (1.0, 1.0) if metric else (0.3048, 25.4)
    head = PRESSURES[pressure or ("METERS" if metric else "PSI")]
    rough = {"H-W": 120.0, "D-W": 0.3 / foot, "C-M": 0.012}[law.upper()]

    def q(lps: float) -> str:
        return f"{lps / 1000 / FLOWS[units]:.10g}"

    def m(metres: float) -> str:
        return f"{metres / foot:.10g}"

    def d(mm: float) -> str:
        return f"{mm / inch:.10g}"

    def p(metres: float) -> str:
        return f"{metres / head:.10g}"

    junctions = zip("abcdefg", (10, 12, 9, 5, 5, 5, 6), (1, 2, 3, 2, 2, 1, 1), strict=True)
    pipes = (("p1", "lake", "a", 400, 300, "0.5 Open"), ("p2", "a", "b", 350, 200, "0 Open"),
             ("p3", "b", "c", 300, 150, "0 Open"), ("p4", "c", "tower", 200, 200, "0 Open"))  # fmt: skip
    lines = [
        "[JUNCTIONS]", *(f" {n} {m(z)} {q(x)}" for n, z, x in junctions),
        "[RESERVOIRS]", f" lake {m(60)}",
        "[TANKS]", f" tower {m(45)} {m(4)} {m(1)} {m(6)} {m(12)} 0",
        "[PIPES]", *(f" {n} {a} {b} {m(x)} {d(y)} {rough} {rest}" for n, a, b, x, y, rest in pipes),
        "[VALVES]", f" v1 a d {d(150)} PRV {p(31.7)} 0.3", f" v2 d e {d(150)} FCV {q(8)}",
        f" v3 e f {d(150)} tcv 2.5 1", f" v4 a g {d(100)} PSV {p(20.5)} 0",
        "[EMITTERS]", f" c {float(q(0.05)) * (1.0 if metric else PRESSURES['PSI']) ** 0.5:.10g}",
        "[CONTROLS]", f" LINK p2 CLOSED IF NODE tower ABOVE {m(5.5)}", f" link p2 OPEN if node tower below {m(5)}",
        " LINK v3 7.5 AT TIME 5:20", f" LINK v1 {p(25.5)} AT CLOCKTIME 6 PM",
        f" LINK v1 OPEN IF NODE c BELOW {p(11.25)}", f" LINK v2 {q(6)} AT TIME 7.3",
        "[RULES]", "RULE 1", f"IF JUNCTION c PRESSURE ABOVE {p(30.123)}", f"AND LINK p1 FLOW ABOVE {q(2)}",
        f"THEN VALVE v1 SETTING IS {p(28)}",
        "[PATTERNS]", " 1 0.6 0.9 1.4 1.2",
        "[TIMES]", " Duration 24", " Pattern Timestep 6:00",
        "[OPTIONS]", f" Units {units}", f" Headloss {law}", " Accuracy 0.00001", " Trials 200",
        " Headerror 0.0001", options,
        f" Pressure {pressure}" if pressure else "", "[END]", "",
    ]  # fmt: skip
    return "\n".join(lines)


@pytest.mark.parametrize("units", FLOW_UNITS[:10])
def test_every_flow_unit(tmp_path: Path, units: str) -> None:
    assert agrees(tmp_path, town_of_valves(units))


def test_cubic_metres_a_second_become_those_an_hour(tmp_path: Path) -> None:
    # WNTR does not know the unit; the same in another differs in its name alone
    text = with_section("PUMPS", " u1 a2 a HEAD boost", town_of_valves("CMS").replace(" p1 lake a ", " p1 lake a2 "))
    text = with_section("CURVES", " boost 0.01 10", text).replace("[RESERVOIRS]", " a2 10 0\n[RESERVOIRS]")
    found = compare(write(tmp_path / "cms.inp", text))
    assert {(d.fact, d.element) for d in found.facts} == {("option", "flow units"), ("curve", "boost")}
    assert found.head_error < 1e-3
    assert any("m3/s" in note for note in found.notes)


@pytest.mark.parametrize("law", ["H-W", "D-W", "C-M", "d-w"])
@pytest.mark.parametrize("units", ["GPM", "CMH"])
def test_every_head_loss_law(tmp_path: Path, law: str, units: str) -> None:
    assert agrees(tmp_path, town_of_valves(units, law))


@pytest.mark.parametrize("unit", ["PSI", "KPA", "METERS", "BAR", "FEET", "kPa"])
@pytest.mark.parametrize("units", ["GPM", "LPS"])
def test_every_unit_of_pressure(tmp_path: Path, units: str, unit: str) -> None:
    limits = f" Demand Model PDA\n Minimum Pressure {1.5 / PRESSURES[unit.upper()]}\n Required Pressure "
    limits += f"{22.25 / PRESSURES[unit.upper()]}\n Pressure Exponent 0.6"
    assert agrees(tmp_path, town_of_valves(units, pressure=unit.upper(), options=limits).replace(unit.upper(), unit))
    network = load(tmp_path / "odd.inp")
    with Engine(network) as engine:
        engine.start()
        engine.solve()
        head, elevation = engine.read("node", "head"), engine.read("node", "elevation")
        free = engine.topology.is_junction
        np.testing.assert_allclose(engine.read("node", "pressure")[free], (head - elevation)[free], atol=1e-6)


def test_2_2_counts_in_kilopascals_where_the_file_does(tmp_path: Path) -> None:
    path = write(tmp_path / "kpa.inp", PLAIN.replace("Units LPS", "Units LPS\n Pressure KPA"))
    with Engine(path, "2.2") as engine:
        engine.start()
        engine.solve()
        fall = engine.read("node", "head") - engine.read("node", "elevation")
        free = engine.topology.is_junction
        np.testing.assert_allclose(engine.read("node", "pressure")[free], fall[free], atol=1e-6)


TIMES = {
    "words": " DURATION 2 DAYS\n Hydraulic Timestep 30 MIN\n Pattern Timestep 5400 SEC\n REPORT TIMESTEP 1 hour",
    "decimals": " Duration 24\n Hydraulic Timestep 0.5\n Pattern Timestep 1.25\n Report Timestep 0.25",
    "clock": " Duration 24\n Start ClockTime 12:30\n Pattern Start 3:00\n Rule Timestep 0:07:30",
    "midnight": " Duration 24\n Start ClockTime 12 AM\n Statistic Averaged",
    "noon": " Duration 24\n Start ClockTime 12:15 pm\n STATISTIC Maximum\n Report Start 2:00",
    "four parts": " Duration 24\n Pattern Start 1:00:00:00",
    "nothing": "",
    "only the rule step": " Duration 12\n Rule Timestep 2:00\n Quality Timestep 3:00",
}


@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES.keys())
def test_every_way_to_say_a_time(tmp_path: Path, times: str) -> None:
    assert agrees(tmp_path, with_section("TIMES", times))


def test_a_time_of_four_parts_does_not_kill_2_2(tmp_path: Path) -> None:
    path = write(tmp_path / "four.inp", with_section("TIMES", TIMES["four parts"]))
    with Engine(path, "2.2") as engine:
        assert engine.duration == 86400


def test_times_of_controls_are_cut_off_as_epanet_does(tmp_path: Path) -> None:
    lines = [
        f" LINK p2 OPEN AT TIME {time}" for time in ("0:20", "43.5622", "1:10:07", "0.1", "5 PM", "90 MIN", "30 SEC")
    ]
    lines += [f" LINK p2 CLOSED AT CLOCKTIME {time}" for time in ("6 AM", "12:20 AM", "12:20", "18:45", "7:07:07 PM")]
    assert agrees(tmp_path, with_section("CONTROLS", "\n".join(lines)))


def test_headings_and_words_in_any_case_and_cut_short(tmp_path: Path) -> None:
    text = PLAIN.replace("[JUNCTIONS]", "[junc]").replace("[PATTERNS]", "[Patt").replace("[TIMES]", "[tIMES] and dates")
    text = text.replace("Open", "opened").replace(" CV", " cv").replace("Units", "UNIT").replace("Headloss", "HEADLoss")
    text = text.replace("Duration", "dura").replace("[COORDINATES]", "[COORD]\n nobody 1 1").replace("Accuracy", "ACCU")
    assert agrees(tmp_path, text)


def test_lines_that_are_short_or_long(tmp_path: Path) -> None:
    pipes = """ p1 lake a 400 300 120
 p2 a b 350 200 110 0.5
 p3 b c 300 150 100 CLOSED
 p4 c tower 200 200 100 0.2 CV
 p5 a c 900 150 100 0.7 Open of old ; with a comment
 p6 a c 901 150 100 Closed"""
    text = with_section("JUNCTIONS", " a\n b 12\n c 9 3 day and more", with_section("PIPES", pipes))
    assert agrees(tmp_path, text)
    model = load(tmp_path / "odd.inp").model
    assert model.get_link("p2").minor_loss == 0.5
    assert str(model.get_link("p3").initial_status) == "Closed"


def test_tanks_and_reservoirs_in_each_others_sections(tmp_path: Path) -> None:
    tanks = " tower 45 4 1 6 12 0 * YES\n pond 58 day\n basin 44 3 1 5 10 0 bowl"
    tanks += "\n jar 45 2 1 6 8 20 bowl NO\n drum 40 3 1 5 10"
    text = with_section("TANKS", tanks)
    text = with_section("RESERVOIRS", " lake 60\n hill 50 2 0 5 9 0", text)
    text = with_section("CURVES", ";VOLUME:\n bowl 0 0\n bowl 3 100\n bowl 7 400", text)
    more = " q1 pond b 100 200 100\n q2 basin b 100 200 100\n q3 hill c 100 200 100\n q4 jar c 90 150 100"
    more += "\n q5 drum c 9 90 99"
    text = text.replace(" p4 c tower", f"{more}\n p4 c tower")
    assert agrees(tmp_path, text)
    model = load(tmp_path / "odd.inp").model
    assert set(model.reservoir_name_list) == {"lake", "pond"}
    assert model.get_node("tower").overflow
    assert not model.get_node("jar").overflow


def test_pumps_of_every_kind(tmp_path: Path) -> None:
    pumps = """ u1 a d HEAD one SPEED 0.9 PATTERN day
 u2 a e head three
 u3 a f Power 5 speed 1.2
 u4 a g 40 30
 u5 a h 50 40 20 10 35
 u6 a i 7.5"""
    text = with_section("JUNCTIONS", " a 10 1\n b 12 2 day\n c 9 3\n" + "\n".join(f" {n} 5 0.5" for n in "defghi"))
    text = with_section("PUMPS", pumps, text)
    text = with_section(
        "CURVES",
        " one 20 30\n three 0 50\n three 20 40\n three 40 15\n eff 0 0\n eff 20 75\n unused 1.23456789 2",
        text,
    )
    text = with_section("STATUS", " u2 1.15\n u3 Closed\n u4 0", text)
    text = with_section("ENERGY", " Global Effic 70\n Pump u2 Effic eff\n PUMP u2 price 0.123456789", text)
    # EPANET turns old pumps into curves that have no name of their own
    differing = said(write(tmp_path / "pumps.inp", text))
    assert [
        line for line in differing if "u4" not in line and "u5" not in line and not line.startswith("count of curves")
    ] == []
    assert all("~head" in line or "curve" in line or "pump power" in line for line in differing), differing
    found = compare(tmp_path / "pumps.inp")
    assert found.head_error < 0.01


def test_demands_of_many_categories(tmp_path: Path) -> None:
    demands = " MULTIPLY 1.3\n a 1 day ;homes\n a 0.5 ;works\n b 2\n tower 5\n c 0.123456789012 day"
    assert agrees(tmp_path, with_section("DEMANDS", demands))
    model = load(tmp_path / "odd.inp").model
    lists = {name: model.get_node(name).demand_timeseries_list for name in "ab"}
    assert [d.category for d in lists["a"]] == ["homes", "works"]
    assert [d.pattern_name for d in lists["a"]] == ["day", "1"]
    assert any("tower" in note for note in load(tmp_path / "odd.inp").notes)


def test_ranges_of_elements(tmp_path: Path) -> None:
    text = PLAIN
    for old, new in (("p1", "11"), ("p2", "12"), ("p3", "13"), ("p4", "14")):
        text = text.replace(f" {old} ", f" {new} ")
    text = with_section("STATUS", " 12 13 closed", text)
    text = with_section("QUALITY", " a c 0.5", text)
    text = with_section("REACTIONS", " Bulk 11 12 -0.51234567\n wall 13 -1\n Order Bulk 1\n GLOBAL BULK -0.3", text)
    path = write(tmp_path / "ranges.inp", text)
    assert said(path) == []
    model = load(path).model
    assert [str(model.get_link(n).initial_status) for n in ("11", "12", "13")] == ["Open", "Closed", "Closed"]
    assert model.get_node("b").initial_quality == pytest.approx(0.5)
    assert b"-0.51234567\n" in model_bytes(model)


RULES = """RULE one
IF TANK tower LEVEL above 5.123456789
AND system CLOCKTIME >= 8 AM
OR Junction c pressure below 20.25
THEN PIPE p2 STATUS IS closed
AND VALVE v1 SETTING = 33.3333333
ELSE pipe p2 status = OPEN
PRIORITY 3.0

rule one
if SYSTEM TIME > 6.5
and link p2 flow > 1.5
then VALVE v3 setting is 3
Rule two
IF NODE tower GRADE > 48
THEN LINK p3 STATUS IS OPEN
"""


def test_rules(tmp_path: Path) -> None:
    text = with_section("JUNCTIONS", " a 10 1\n b 12 2 day\n c 9 3\n d 5 0.2\n e 5 0.2")
    text = with_section("VALVES", " v1 a d 150 PRV 31 0\n v3 d e 150 TCV 2", text)
    text = with_section("RULES", RULES, text)
    assert agrees(tmp_path, text)
    network = load(tmp_path / "odd.inp")
    assert "one~2" in network.model.control_name_list
    assert any("second rule one" in note for note in network.notes)
    written = model_bytes(network.model).decode()
    assert "5.123456789" in written
    assert "33.3333333" in written


def test_options_that_wntr_trips_over(tmp_path: Path) -> None:
    options = """ UNITS LPS
 HEADLOSS D-W
 VISCOSITY 1.3e-6
 DIFFUSIVITY 1.2e-9
 SEGMENTS 1000
 UNBALANCED CONTINUE 10
 PATTERN nothing
 BACKFLOW ALLOWED NO
 EMITTER EXPONENT 0.7
 QUALITY Chlorine hours
 SPECIFIC GRAVITY 0.98
 HEADERROR 0.01
 TRIALS 77
 DEMAND MULTIPLIER 1.1
 PRESSURE EXPONENT 0.5"""
    text = with_section("OPTIONS", options).replace(" 120 0.5", " 0.12 0.5")
    differing = said(write(tmp_path / "odd.inp", text))
    assert all("~constant" in line or line.startswith("count of patterns") for line in differing), differing
    notes = " ".join(load(tmp_path / "odd.inp").notes)
    for word in ("SEGMENTS", "nothing", "BACKFLOW", "hours"):
        assert word in notes


def test_no_options_at_all_means_gallons(tmp_path: Path) -> None:
    assert agrees(tmp_path, with_section("OPTIONS", ""))
    assert load(tmp_path / "odd.inp").model.options.hydraulic.inpfile_units == "GPM"


def test_a_positional_valve_is_held_as_a_throttle_of_the_same_loss(tmp_path: Path) -> None:
    text = with_section("JUNCTIONS", MORE)
    valves = (
        " v1 a d 100 PCV 35 0.9 opening\n v2 d e 100 PCV 60 0.9\n v3 e f 100 PCV 100 2\n v4 e g 100 PCV 90 2 opening"
    )
    text = with_section("VALVES", valves, text)
    text = with_section("CURVES", " opening 10 3\n opening 50 40\n opening 80 90", text)
    path = write(
        tmp_path / "pcv.inp", text.replace(" d 5 0.2\n e 5 0.2\n f 5 0.1\n g 6 0.1", " d 5 9\n e 5 9\n f 5 9\n g 6 9")
    )
    found = compare(path)
    assert found.head_error < 1e-3
    assert {d.fact for d in found.facts} == {"link type", "setting"}  # and these are said:
    assert all(any(f"valve {name}" in note for note in found.notes) for name in ("v1", "v2", "v3", "v4"))


def test_leakage_does_not_get_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "leaks.inp", with_section("LEAKAGE", " p2 100 1.5\n p3 50 0"))
    assert said(path) == []
    network = load(path)
    assert any("LEAKAGE" in note for note in network.notes)


def test_a_difference_is_found(tmp_path: Path) -> None:
    network = load("Net3")
    with Engine(replace(network)) as engine:
        reading = read_epanet(engine)
    model = network.model
    assert list(differences(reading, read_model(model), "EPANET", "model")) == []
    model.get_link("20").roughness *= 1.001
    model.get_node("10").elevation += 0.01
    model.get_node("15").demand_timeseries_list[0].base_value += 1e-5
    model.remove_control("control 1")
    model.options.time.pattern_timestep = 1800
    facts = {d.fact for d in differences(reading, read_model(model), "EPANET", "model")}
    assert facts == {"roughness", "elevation", "demands", "control", "count", "option"}


def test_a_file_without_links_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableNetwork, match="no link"):
        load(write(tmp_path / "cut.inp", "[JUNCTIONS]\n a 1\n")).model  # noqa: B018


def test_an_unknown_section_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "foo.inp", PLAIN.replace("[TIMES]", "[FOO]\n x\n[TIMES]"))
    with pytest.raises(UnreadableNetwork, match=r"line 19: \[FOO\]"):
        load(path).model  # noqa: B018
    assert "FOO" in compare(path).refused


def test_two_nodes_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "twins.inp", PLAIN.replace(" lake 60", " lake 60\n tower 45"))
    with pytest.raises(UnreadableNetwork, match="node tower is there twice"):
        load(path).model  # noqa: B018
    assert "duplicate" in compare(path).refused


def test_a_network_that_is_found_by_path_or_name_is_the_same() -> None:
    path = find("Net1")[1]
    assert compare(path) == compare("net1")
