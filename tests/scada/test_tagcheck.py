"""What is wrong with tags, one by one and beside each other."""

import pytest

from scada.errors import TagError
from scada.quantity import QUANTITIES, UNITS, fits, known_unit, si_factor
from scada.tag import Tag
from scada.tags import Surroundings, check_tags


def found(*tags: Tag, around: Surroundings | None = None) -> list[TagError]:
    return check_tags(tags, None, "f", list(range(2, 2 + len(tags))), around)


def only(*tags: Tag, around: Surroundings | None = None) -> tuple[str, str]:
    (error,) = found(*tags, around=around)
    assert error.mend
    return error.severity, error.what


def tag(kind: str = "float32", name: str = "t", address: int = 0, **more: object) -> Tag:
    return Tag(name, "d", "input", address, kind, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "severity", "what"),
    [
        (tag(quantity="flow", unit="bar"), "error", "unit 'bar' does not fit quantity flow"),
        (tag("bool", quantity="status", unit="m"), "error", "does not fit quantity status"),
        (tag(deadband=-1.0), "error", "deadband"),
        (tag(min=0.0, max=1.0, deadband=2.0), "error", "as wide as"),
        (tag("int16", bad_values=(40000.0,)), "error", "no value of int16"),
        (tag("uint16", wrap=70000.0), "error", "no count"),
        (tag("uint16", wrap=0.0), "error", "no count"),
        (tag("uint16", scale=0.1, min=7000.0), "error", "no raw value"),
        (tag("uint16", bit=3), "error", "no meaning for type uint16"),
        (tag("uint32", quantity="volume", unit="m3"), "warning", "has no wrap"),
        (tag("string8", scale=2.0), "warning", "text tag"),
        (tag("bool", wrap=2.0), "warning", "no meaning"),
        (tag("string8", quantity="time"), "error", "clock"),
        (tag(name="a,b"), "warning", "comma"),
        (tag(quantity="pressure", element="N1"), "warning", "taken as m"),
        (tag(quantity="level", element="T1", unit="%"), "warning", "says nothing"),
    ],
)
def test_one_mistake_one_finding(wrong: Tag, severity: str, what: str) -> None:
    assert only(wrong)[0] == severity
    assert what in only(wrong)[1]


def test_ranges_that_touch_the_type_are_good() -> None:
    assert not found(tag("uint16", wrap=65536.0), tag("int16", "b", 1, bad_values=(-32768.0, 32767.0)))
    assert not found(tag("uint16", scale=0.1, max=6553.5, min=-1.0))


def test_unaligned_is_told_where_a_device_has_a_habit() -> None:
    even = [tag(name=f"t{k}", address=4 * k) for k in range(6)]
    assert not found(*even)
    severity, what = only(*even, tag(name="stray", address=41))
    assert (severity, "stray" in what, "unaligned" in what) == ("warning", True, True)
    mixed = [tag(name=f"t{k}", address=3 * k) for k in range(6)]
    assert not found(*mixed), "a device without a habit"


def test_surroundings_know_devices_registers_and_elements() -> None:
    around = Surroundings(frozenset({"d"}), {"d": 60}, {"N1"}, {"P1"})
    assert "takes 125 registers" in only(tag("string250"), around=around)[1]
    good = {"unit": "m", "quantity": "pressure"}
    assert not found(tag(element="N1", **good), around=around)
    assert "is a link" in only(tag(element="P1", **good), around=around)[1]
    assert "not in the network" in only(tag(element="X", **good), around=around)[1]
    assert "is a node" in only(tag(element="N1", unit="L/s", quantity="flow"), around=around)[1]
    assert "not configured" in only(Tag("t", "e", "input", 0, "uint16"), around=around)[1]


def test_names_that_differ_by_case_are_told() -> None:
    assert only(tag("uint16", "Flow"), tag("uint16", "flow", 1))[0] == "warning"


def test_two_clocks_of_the_same_registers() -> None:
    clocks = [tag("uint32", f"c{k}", 2 * k, quantity="time", unit="s") for k in range(2)]
    assert "clocks of the same" in only(*clocks)[1]


def test_every_overlap_is_told_once_and_the_longer_one_counts() -> None:
    spans = [(0, "float64"), (1, "uint16"), (2, "uint16"), (3, "float32"), (4, "uint16"), (5, "uint16")]
    errors = found(*(tag(kind, f"t{k}", address) for k, (address, kind) in enumerate(spans)))
    assert [error.line for error in errors] == [3, 4, 5, 6]


def test_a_table_of_nothing_but_overlaps_is_checked_in_a_moment() -> None:
    # all pairs would be 200 million
    tags = [tag("float64", f"t{k}", k % 3) for k in range(20_000)]
    assert len(found(*tags)) == 19_999


@pytest.mark.parametrize(
    ("text", "unit"),
    [("м3/год", "m3/h"), ("М³/ГОД", "m3/h"), ("л/с", "L/s"), ("МПа", "MPa"), ("кВт", "kW"), ("Бар", "bar"),
     ("mw", "mw"), ("MW", "MW"), ("", ""), ("furlong", "furlong"), ("m³ / h", "m3/h")],
)  # fmt: skip
def test_units_are_known_as_people_write_them(text: str, unit: str) -> None:
    assert known_unit(text) == unit


def test_units_have_one_meaning() -> None:
    assert all(known_unit(unit) == unit for units in UNITS.values() for unit in units or ())
    assert all(fits("", quantity) for quantity in QUANTITIES)
    assert si_factor("bar", "pressure") == pytest.approx(10.19716, rel=1e-6)
    assert si_factor("L/s", "flow") == 1e-3
    assert si_factor("%", "level") is None
    assert si_factor("bar", "flow") is None
