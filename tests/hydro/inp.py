"""Small networks written for a test."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_TAIL = """
[TIMES]
 Duration {hours}:00
 Hydraulic Timestep {step}
 Pattern Timestep {pattern_step}
 Report Timestep {step}
[OPTIONS]
 Units {units}
 Headloss {law}
 Accuracy 0.000001
 Trials 200
 Emitter Exponent 0.5
[REPORT]
 Status No
 Summary No
[END]
"""


def write_inp(
    path: Path, body: str, units: str = "LPS", law: str = "H-W", hours: int = 0, step: str = "1:00",
    pattern_step: str = "1:00",
) -> Path:  # fmt: skip
    """Write a network whose sections are given and whose options are the usual ones."""
    tail = _TAIL.format(units=units, law=law, hours=hours, step=step, pattern_step=pattern_step)
    path.write_text("[TITLE]\n" + body + tail, "utf-8")
    return path


# units of flow, m3/s; those from LPS on are metric
_FLOW = {"CFS": 0.0283168466, "GPM": 0.0000630901964, "LPS": 0.001, "CMH": 1.0 / 3600.0, "MLD": 1.0 / 86.4}
_PIPES = (
    ("p1", "lake", "a", 400, 300, "smooth", 0.5),
    ("p2", "a", "b", 350, 200, "rough", 0),
    ("p3", "b", "c", 300, 150, "rough", 0),
    ("p4", "a", "d", 500, 200, "smooth", 2),
    ("p5", "d", "c", 250, 150, "rough", 0),
    ("p6", "c", "e", 420, 150, "rough", 0),
    ("p7", "e", "tower", 300, 200, "smooth", 0),
    ("p8", "d", "f", 200, 100, "rough", 0),
)
_JUNCTIONS = (("a", 10, 0), ("b", 12, 5), ("c", 9, 7), ("d", 8, 6), ("e", 11, 4), ("f", 5, 3))


def town(units: str = "LPS", law: str = "H-W") -> str:
    """Sections of one lake, one tank and two loops: the same town in every unit (L/s, m and mm above)."""
    foot = 1.0 if units not in ("CFS", "GPM") else 0.3048
    inch = 1.0 if foot == 1.0 else 25.4
    flow = _FLOW[units] / 0.001
    smooth, rough = {"H-W": (130.0, 95.0), "D-W": (0.1 / foot, 1.5 / foot), "C-M": (0.011, 0.014)}[law]
    roughness = {"smooth": smooth, "rough": rough}
    junctions = "\n".join(f" {name} {z / foot!r} {demand / flow!r}" for name, z, demand in _JUNCTIONS)
    pipes = "\n".join(
        f" {name} {start} {end} {length / foot!r} {diameter / inch!r} {roughness[kind]!r} {minor} Open"
        for name, start, end, length, diameter, kind, minor in _PIPES
    )
    tower = " ".join(repr(metres / foot) for metres in (45, 4, 1, 6, 12))
    return f"""
[JUNCTIONS]
{junctions}
[RESERVOIRS]
 lake {60 / foot!r}
[TANKS]
 tower {tower} 0
[PIPES]
{pipes}
[PATTERNS]
 1  0.6  0.9  1.4  1.2
"""


def _pattern(name: str, values: NDArray[np.float64]) -> list[str]:
    """Lines of a pattern; EPANET reads no more than 40 words of a line."""
    return [f" {name} " + " ".join(f"{v:.4f}" for v in part) for part in np.split(values, 4)]


def two_districts(booster: bool = False, seed: int = 4) -> str:
    """Sections of a lake, a trunk main, a district of 16 junctions with two inlets and one with a tank behind it.

    To be written with `pattern_step="0:15"`.
    Meters: "in_1" and "in_2" lead into district A, "in_b" (a pipe, or a pump with `booster`) from A into B.
    """
    chance = np.random.default_rng(seed)
    junctions, pipes, xy = [" trunk 20 0"], [" main lake trunk 300 400 125 0 Open"], []
    for district, width in (("a", 4), ("b", 3)):
        for row in range(width):
            for column in range(width):
                name = f"{district}{row}{column}"
                demand, pattern = chance.uniform(0.4, 1.6), chance.choice(["home", "work"], p=[0.8, 0.2])
                junctions.append(f" {name} {chance.uniform(5, 25):.2f} {demand:.3f} {pattern}")
                xy.append(f" {name} {100 * column + (1000 if district == 'b' else 0)} {100 * row}")
                for other, exists in ((f"{district}{row + 1}{column}", row + 1 < width),
                                      (f"{district}{row}{column + 1}", column + 1 < width)):  # fmt: skip
                    if exists:
                        length, diameter = chance.uniform(80, 300), chance.choice([100, 125, 150])
                        pipes.append(f" {name}-{other} {name} {other} {length:.1f} {diameter} 110 0 Open")
    pipes += [
        " in_1 trunk a00 150 200 120 0 Open",
        " in_2 trunk a03 260 150 120 0 Open",
        " fill b22 tower 120 150 120 0 Open",
    ]
    link = " in_b a33 b00 HEAD boost\n" if booster else ""
    if not booster:
        pipes.append(" in_b a33 b00 200 150 120 0 Open")
    hour = np.arange(0, 24, 0.25)  # a pattern step of a quarter of an hour
    home = 1.0 - 0.5 * np.cos(2 * np.pi * (hour - 4) / 24) + 0.25 * np.cos(2 * np.pi * (hour - 8) / 12)
    work = np.clip(0.2 + 1.8 * np.sin(np.pi * (hour - 6) / 14), 0.2, None)
    control = "[CONTROLS]\n LINK in_b CLOSED IF NODE tower ABOVE 5.5\n LINK in_b OPEN IF NODE tower BELOW 3\n"
    return "\n".join(
        [
            "[JUNCTIONS]", *junctions,
            "[RESERVOIRS]", " lake 75",
            "[TANKS]", f" tower {55 if booster else 62} 4 0.5 6.5 9 0",
            "[PIPES]", *pipes,
            "[PUMPS]", link,
            "[CURVES]", " boost 10 18",
            "[PATTERNS]", *_pattern("home", home), *_pattern("work", work),
            control if booster else "",
            "[COORDINATES]", *xy,
            "",
        ]
    )  # fmt: skip
