"""An INP with other roughnesses, statuses and demands."""

from pathlib import Path

import numpy as np
import pytest

from hydro.engine import Engine
from networks import find
from networks.adjust import Adjustments, PatternClock, adjusted
from networks.inp.document import Document

TOWN = """[TITLE]
a town ; with a remark
[JUNCTIONS]
;id elevation demand pattern
 a   10   5   home   ; the mill
 b   12   7
 c   9
 "d" 8    4   work
[RESERVOIRS]
 lake 60
[PIPES]
 p1  lake a  400 300 130 0 Open ; trunk
 p2  a b  350 200 95
 p3  b c  300 150 95 Closed
 p4  c d  300 150 95 0.5
[VALVES]
 v1 a d 100 TCV 5 0
[DEMANDS]
 d 3 home ; night shift
 d 1 work
[STATUS]
 p4 OPEN
[PATTERNS]
 1 1.0
 home 0.5 1.5
 work 2.0 0 1.0
[TIMES]
 Duration 24:00
 Pattern Timestep 1:00
[OPTIONS]
 Units LPS
 Headloss H-W
[END]
"""
CLOCK = PatternClock(step=3600, start=0, clock=0)


def change(changes: Adjustments, text: str = TOWN) -> Document:
    return Document.of(adjusted(Document.of(text.encode()), CLOCK, changes))


def line(document: Document, section: str, name: str) -> str:
    return next(part.text for part in document.section(section) if part.words[0] == name)


def test_nothing_to_change_changes_nothing() -> None:
    assert adjusted(Document.of(TOWN.encode()), CLOCK, Adjustments()).decode() == TOWN


def test_roughness_stands_in_its_place() -> None:
    found = change(Adjustments(roughness={"p1": 118.25, "p2": 80.0}))
    assert line(found, "PIPES", "p1") == " p1  lake a  400 300 118.25 0 Open ; trunk"
    assert line(found, "PIPES", "p2") == " p2  a b  350 200 80"
    assert line(found, "PIPES", "p3") == " p3  b c  300 150 95 Closed"


def test_statuses_wherever_they_stand() -> None:
    found = change(Adjustments(closed=frozenset({"p1", "p2", "p4", "v1"}), opened=frozenset({"p3"})))
    assert line(found, "PIPES", "p1").split(";")[0].split()[-1] == "Closed"
    assert line(found, "PIPES", "p2").split() == ["p2", "a", "b", "350", "200", "95", "0", "Closed"]
    assert line(found, "PIPES", "p3").split()[-1] == "Open"
    assert line(found, "STATUS", "p4").split() == ["p4", "Closed"]  # the last word is [STATUS]'s
    assert line(found, "STATUS", "v1").split() == ["v1", "Closed"]


def test_demands_follow_share_and_zone() -> None:
    hours = {"west": lambda second: 2.0 if second % 86400 < 43200 else 1.0}
    zone = {"a": "west", "b": "west", "d": "west"}
    found = change(Adjustments(share={"a": 2.0, "d": 0.5}, zone=zone, hours=hours))
    assert line(found, "JUNCTIONS", "a").split()[:4] == ["a", "10", "10", "home~1"]
    assert line(found, "JUNCTIONS", "a").endswith("; the mill")
    assert line(found, "JUNCTIONS", "b").split() == ["b", "12", "7", "1~2"]  # the pattern called 1 by default
    assert line(found, "JUNCTIONS", "d").split()[2] == "4"  # its demands stand in [DEMANDS]
    demands = [part.words for part in found.section("DEMANDS")]
    assert demands == [("d", "1.5", "home~1"), ("d", "0.5", "work~3")]
    patterns: dict[str, list[float]] = {}
    for part in found.section("PATTERNS"):
        patterns.setdefault(part.words[0], []).extend(map(float, part.words[1:]))
    assert patterns["home"] == [0.5, 1.5]  # the old ones stay
    np.testing.assert_allclose(patterns["home~1"], np.tile([0.5, 1.5], 12) * np.repeat([2.0, 1.0], 12))
    assert len(patterns["work~3"]) == 24


def test_a_pattern_that_does_not_divide_the_day_repeats_with_it() -> None:
    text = TOWN.replace(" work 2.0 0 1.0", " work 1 2 3 4 5")
    found = change(Adjustments(zone={"d": "west"}, hours={"west": lambda second: 1.0}), text)
    values = [
        float(w) for part in found.section("PATTERNS") if part.words[0].startswith("work~") for w in part.words[1:]
    ]
    assert values == [1.0, 2.0, 3.0, 4.0, 5.0] * 24


def test_a_pattern_without_end_is_refused() -> None:
    zone = {"d": "west"}
    changes = Adjustments(zone=zone, hours={"west": lambda second: 1.0}, has_weekend=True)
    with pytest.raises(ValueError, match="divide neither a day nor a week"):
        adjusted(Document.of(TOWN.encode()), PatternClock(step=3607, start=0, clock=0), changes)


def test_epanet_reads_it_alike(tmp_path: Path) -> None:
    path = find("Net3")[1]
    with Engine(path) as before:
        names = [before.topology.nodes[k] for k in before.junctions.tolist()]
        clock = PatternClock(
            before.project.time("pattern_step"), before.project.time("pattern_start"), before.clock_start
        )
        changes = Adjustments(
            share=dict.fromkeys(names, 1.25),
            zone=dict.fromkeys(names, "all"),
            hours={"all": lambda second: 1.0 + (second // 3600 % 24) / 100.0},
        )
        new = tmp_path / "new.inp"
        new.write_bytes(adjusted(Document.of(path.read_bytes()), clock, changes))
        with Engine(new) as after:
            for hour in (0, 5, 23):
                second = hour * 3600
                factor = 1.25 * (1.0 + hour / 100.0)
                np.testing.assert_allclose(
                    after.demand_at(second), before.demand_at(second) * factor, rtol=1e-5, atol=1e-12
                )
