"""A small town with everything that a plan can use, for the tests of its report."""

from __future__ import annotations

from pathlib import Path

from networks import Network, load
from tests.umanflow.townreport import HOSTILE

STREET = f"Їжакевича {HOSTILE}"
GIVEN = "[programme]\nyears = 3\nbudget = 5e6\n[blocks]\nleast = 5\nmost = 25\n[sensors]\ncount = 2\nleak = 20\n"
_SIDE = 4  # nodes along one side of each of the two quarters
_HEAD = """[TITLE]
town
[RESERVOIRS]
R 90
[OPTIONS]
Units LPS
Headloss H-W
Accuracy 0.00001
Emitter Exponent 1
[TIMES]
Duration 48
Hydraulic Timestep 1:00
Pattern Timestep 1:00
[PATTERNS]
day 0.3 0.2 0.2 0.3 0.6 1.0 1.8 2.0 1.6 1.3 1.2 1.2
day 1.1 1.1 1.0 1.1 1.3 1.7 1.9 1.6 1.2 0.8 0.6 0.4
"""


def _grid(quarter: str, x0: float) -> tuple[list[str], list[tuple[str, str, str]], dict[str, tuple[float, float]]]:
    """Nodes, pipes and places of one quarter, a square of streets."""
    names = [f"{quarter}{row}{column}" for row in range(_SIDE) for column in range(_SIDE)]
    place = {n: (x0 + 100.0 * int(n[2]), 5_403_000.0 + 100.0 * int(n[1])) for n in names}
    pipes = [(f"H-{n}", n, f"{quarter}{n[1]}{int(n[2]) + 1}") for n in names if int(n[2]) + 1 < _SIDE]
    pipes += [(f"V-{n}", n, f"{quarter}{int(n[1]) + 1}{n[2]}") for n in names if int(n[1]) + 1 < _SIDE]
    return names, pipes, place


def write_plan_town(folder: Path) -> Network:
    """Two quarters behind a valve each, on a trunk; tables of nodes, pipes, breaks, valves and districts."""
    quarters = {"A": _grid("A", 294_000.0), "B": _grid("B", 294_700.0)}
    nodes, pipes = [n for q in quarters.values() for n in q[0]], [p for q in quarters.values() for p in q[1]]
    place = {n: at for q in quarters.values() for n, at in q[2].items()}
    trunk = {"R": (293_600.0, 5_402_800.0), "T1": (294_000.0, 5_402_800.0), "T2": (294_700.0, 5_402_800.0)}
    trunk |= {f"{q}{k}": (x, 5_402_800.0 + y) for q, x in (("A", 294_000.0), ("B", 294_700.0))
              for k, y in (("x", 60.0), ("y", 120.0))}  # fmt: skip
    lines = [_HEAD, "[JUNCTIONS]", *(f"{n} 20 0" for n in trunk if n != "R")]
    lines += [f"{n} {20 + 3 * int(n[1])} 0.5 day" for n in nodes]
    lines += ["[PIPES]", "P-R R T1 400 400 120", "P-T T1 T2 700 300 120"]
    lines += [f"IN-{q} {t} {q}x 60 200 120" for q, t in (("A", "T1"), ("B", "T2"))]
    lines += [f"OUT-{q} {q}y {q}00 80 200 120" for q in "AB"]
    lines += [f"{name} {a} {b} 100 100 {90 + 5 * (k % 5)}" for k, (name, a, b) in enumerate(pipes)]
    lines += ["LINK A03 B00 400 100 100", "[STATUS]", "LINK Closed"]
    lines += ["[VALVES]", *(f"PRV-{q} {q}x {q}y 200 PRV 60 0" for q in "AB")]
    lines += ["[EMITTERS]", *(f"{n} 0.02" for n in nodes)]
    lines += ["[COORDINATES]", *(f"{n} {x} {y}" for n, (x, y) in {**trunk, **place}.items()), "[END]"]
    (folder / "town.inp").write_text("\n".join(lines) + "\n")
    _write_tables(folder / "town.tables", nodes, pipes)
    return load(folder / "town.inp", "EPSG:32636")


def _write_tables(tables: Path, nodes: list[str], pipes: list[tuple[str, str, str]]) -> None:
    tables.mkdir(exist_ok=True)
    street = '"' + STREET.replace('"', '""') + '"'
    rows = "".join(f"{n},Z{n[0]},{street},1,{2 + int(n[2])}\n" for n in nodes)
    (tables / "nodes.csv").write_text("node,dma,street,connections,storeys\n" + rows, encoding="utf-8")
    rows = "".join(f"Z{q},ALL,all,IN-{q},PRV-{q},{q}33\n" for q in "AB")
    (tables / "dmas.csv").write_text("dma,large_block,zone,inlet,prv,critical_node\n" + rows)
    materials = ("steel", "cast iron", "PE")
    rows = "".join(
        f"{name},street,{materials[k % 3]},{1950 + 7 * (k % 9)},0,Z{name[2]},{street}\n"
        for k, (name, _, _) in enumerate(pipes)
    )
    rows = "P-R,trunk,steel,1970,0,,\nP-T,trunk,steel,1970,0,,\n" + rows
    (tables / "pipes.csv").write_text("pipe,kind,material,year,breaks,dma,street\n" + rows, encoding="utf-8")
    rows = "".join(f"{pipes[7 * k % len(pipes)][0]},{2006 + k % 20}-0{1 + k % 9}\n" for k in range(45))
    (tables / "breaks.csv").write_text("pipe,month\n" + rows)
    rows = "".join(f"S-{k},{name},{a},isolation\n" for k, (name, a, _) in enumerate(pipes))
    (tables / "valves.csv").write_text("valve,pipe,node,kind\n" + rows)
