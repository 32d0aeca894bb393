"""INP files that are written by hand and in other ways than WNTR expects."""

from pathlib import Path

PLAIN = """[TITLE]
a town of one street
[JUNCTIONS]
 a 10 1
 b 12 2 day
 c 9 3
[RESERVOIRS]
 lake 60
[TANKS]
 tower 45 4 1 6 12 0
[PIPES]
 p1 lake a 400 300 120 0.5 Open
 p2 a b 350 200 110 0 Open
 p3 b c 300 150 100 0 Open
 p4 c tower 200 200 100 0 CV
[PATTERNS]
 1 0.6 0.9 1.4 1.2
 day 1 1.5 0.5 1
[TIMES]
 Duration 24:00
 Hydraulic Timestep 1:00
 Pattern Timestep 6:00
[OPTIONS]
 Units LPS
 Headloss H-W
 Accuracy 0.0001
[COORDINATES]
 a 0 0
 b 350 0
 c 650 0
 lake -400 0
 tower 650 200
[END]
"""


def with_section(name: str, body: str, text: str = PLAIN) -> str:
    """The plain town with other lines in one section."""
    heading = f"[{name}]\n"
    if heading in text:
        before, _, after = text.partition(heading)
        return f"{before}{heading}{body}\n[{after.partition('[')[2]}"
    return text.replace("[TIMES]", f"{heading}{body}\n[TIMES]")


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a text as it stands."""
    path.write_bytes(text.encode(encoding))
    return path
