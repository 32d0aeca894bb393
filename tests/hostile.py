"""Files that nobody would write and every program meets: each is a name and a function that gives the bytes."""

from __future__ import annotations

import random
from collections.abc import Callable

TOWN = """[TITLE]
 a small healthy town

[JUNCTIONS]
;ID  Elev  Demand  Pattern
 a   10    0
 b   12    5       day
 c   9     7       day
 d   8     6       day

[RESERVOIRS]
 lake  60

[TANKS]
 tower  55  4  1  6  40  0

[PIPES]
 p1  lake  a      400  300  120  0  Open
 p2  a     b      350  200  110  0  Open
 p3  b     c      300  200  110  0  Open
 p4  a     d      500  200  110  0  Open
 p5  d     c      250  200  110  0  Open
 p6  c     tower  420  300  120  0  Open

[PATTERNS]
 day  0.6 0.5 0.8 1.2 1.4 1.1

[TIMES]
 Duration            6:00
 Hydraulic Timestep  1:00
 Pattern Timestep    1:00
 Report Timestep     1:00

[OPTIONS]
 Units     LPS
 Headloss  H-W

[COORDINATES]
 a      0    0
 b      300  100
 c      600  0
 d      300  -200
 lake   -400 0
 tower  1000 0

[END]
"""

PUMPED = TOWN.replace("[PATTERNS]", "[PUMPS]\n u1  lake  a  HEAD  k\n\n[CURVES]\n k  20  40\n\n[PATTERNS]")


def edited(*pairs: tuple[str, str], base: str = TOWN) -> bytes:
    """The healthy town with some words replaced; a word that is not there is a mistake of the test."""
    text = base
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text.encode()


def extra(section: str) -> bytes:
    """The healthy town with more text before its end."""
    return edited(("[END]", section + "\n[END]"))


def noise(n: int, seed: int) -> bytes:
    """Bytes of no meaning."""
    return random.Random(seed).randbytes(n)


def mutated(seed: int, share: float) -> bytes:
    """The healthy town with a share of its bytes replaced by others."""
    generator = random.Random(seed)
    return bytes(generator.randrange(256) if generator.random() < share else byte for byte in TOWN.encode())


def grid(n: int) -> bytes:
    """A sound network of n junctions in one long street, to be large and not wrong."""
    nodes = "\n".join(f"n{k} 10 0.001" for k in range(n))
    pipes = "\n".join(f"p{k} n{k - 1} n{k} 10 300 120" for k in range(1, n))
    body = f"[JUNCTIONS]\n{nodes}\n[RESERVOIRS]\nr 100\n[PIPES]\np0 r n0 10 300 120\n{pipes}\n"
    return (body + "[OPTIONS]\nUnits LPS\nHeadloss H-W\n[END]\n").encode()


def stars(n: int) -> bytes:
    """A network whose pipes all cross each other in the drawing."""
    ends = "\n".join(f"a{k} 10 1\nb{k} 10 1" for k in range(n))
    pipes = "\n".join(f"p{k} a{k} b{k} 10 300 120" for k in range(n))
    places = "\n".join(f"a{k} {k} 0\nb{k} {n - k} 1000" for k in range(n))
    body = f"[JUNCTIONS]\n{ends}\n[RESERVOIRS]\nr 100\n[PIPES]\nq r a0 10 300 120\n{pipes}\n[COORDINATES]\n{places}\n"
    return (body + "[OPTIONS]\nUnits LPS\nHeadloss H-W\n[END]\n").encode()


_RULES = "\n".join(
    f"RULE r{k}\nIF LINK p2 STATUS IS {a}\nTHEN LINK p2 STATUS IS {b}\n"
    for k, (a, b) in enumerate([("OPEN", "CLOSED"), ("CLOSED", "OPEN")])
)

HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "one-blank": lambda: b" ",
    "only-newlines": lambda: b"\n" * 5000,
    "only-semicolons": lambda: b";\n" * 5000,
    "only-brackets": lambda: b"[\n]\n[]\n[[[[\n",
    "only-sections": lambda: b"[TITLE]\n[JUNCTIONS]\n[PIPES]\n[END]\n",
    "no-sections": lambda: b"\n".join(line for line in TOWN.encode().split(b"\n") if not line.startswith(b"[")),
    "prose": lambda: b"Dear colleague,\nplease find the model attached.\n",
    "html": lambda: b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n",
    "json": lambda: b'{"network": {"nodes": [1, 2, 3]}}\n',
    "zip": lambda: b"PK\x03\x04" + noise(4000, 1),
    "noise-1k": lambda: noise(1000, 2),
    "noise-1m": lambda: noise(1_000_000, 3),
    "zeros": lambda: b"\0" * 100_000,
    "zeros-inside": lambda: edited((" b   12", " b\0  12")),
    "noise-in-pipes": lambda: TOWN.encode().replace(b"p3  b", noise(300, 4).replace(b"\n", b"x")),
    **{f"cut-at-{k}": (lambda k=k: TOWN.encode()[:k]) for k in (3, 40, 150, 300, 420, 560, 700)},  # type: ignore[misc]
    **{f"mutated-{k}": (lambda k=k: mutated(k, 0.02)) for k in range(5)},  # type: ignore[misc]
    "utf-16-bom": lambda: TOWN.encode("utf-16"),
    "utf-16-le": lambda: TOWN.encode("utf-16-le"),
    "utf-16-be": lambda: TOWN.encode("utf-16-be"),
    "utf-32": lambda: TOWN.encode("utf-32"),
    "utf-8-bom": lambda: b"\xef\xbb\xbf" + TOWN[TOWN.index("[JUNC") :].encode(),
    "cp1251-names": lambda: TOWN.replace(" a ", " Уманська ").replace("tower", "вежа").encode("cp1251"),
    "latin-1-title": lambda: TOWN.replace("healthy", "gesünd").encode("latin-1"),
    "broken-utf-8": lambda: TOWN.encode().replace(b"healthy", b"\xd0\xd0\x98\xff"),
    "cr-only": lambda: TOWN.replace("\n", "\r").encode(),
    "mixed-ends": lambda: b"\r".join(TOWN.encode().split(b"\n", 6)),
    "no-break-spaces": lambda: TOWN.replace(" 12    5 ", "\xa012\xa05\xa0").encode(),
    "decimal-commas": lambda: edited(("  400  300", "  400,5  300,0")),
    "control-characters": lambda: edited(("p2  a", "\x1b[31mp2\x07  a")),
    "line-of-10-mb": lambda: extra("[TAGS]\nNODE a " + "x" * 10_000_000),
    "line-of-2000": lambda: edited((" b   12", " b   12" + " " * 2000)),
    "names-of-1000": lambda: edited((" a ", f" {'a' * 1000} ")),
    "many-fields": lambda: extra("[PATTERNS]\nlong " + "1 " * 200),
    "unended-quote": lambda: edited((" b   12", ' "b   12')),
    "nested-quotes": lambda: edited((" b   12", ' """b""" 12')),
    "percent-signs": lambda: edited((" b   12", " %s%n%n%d 12")),
    "unknown-section": lambda: extra("[WATERHAMMER]\n x 1 2"),
    "short-headings": lambda: edited(("[JUNCTIONS]", "[JUNC]")),
    "double-sections": lambda: TOWN.replace("[END]", "").encode() * 2,
    "rows-after-end": lambda: TOWN.encode() + b"[JUNCTIONS]\n z 1 1\n",
    "double-ids": lambda: edited((" d   8", " b   8")),
    "double-pipe": lambda: edited((" p3  b     c", " p2  a     b")),
    "self-loop": lambda: edited(("p3  b     c", "p3  b     b")),
    "undefined-node": lambda: edited(("p3  b     c", "p3  b     nowhere")),
    "no-reservoir": lambda: edited(
        (" lake  60\n", ""),
        (" tower  55  4  1  6  40  0\n", ""),
        ("p1  lake", "p1  b   "),
        ("c     tower", "c     a    "),
    ),
    "no-pipes": lambda: TOWN[: TOWN.index("[PIPES]")].encode() + TOWN[TOWN.index("[PATTERNS]") :].encode(),
    "one-node": lambda: b"[JUNCTIONS]\na 1 1\n[END]\n",
    "reservoirs-alone": lambda: b"[RESERVOIRS]\na 1\nb 2\n[PIPES]\np a b 1 1 1\n[END]\n",
    "island": lambda: extra("[JUNCTIONS]\n x 1 1\n y 1 1\n[PIPES]\n q x y 10 100 100"),
    "lone-node": lambda: extra("[JUNCTIONS]\n x 1 1"),
    "closed-everything": lambda: edited(("Open", "Closed")),
    "negative-lengths": lambda: edited(("  350  200", "  -350  200")),
    "zero-diameter": lambda: edited(("  350  200", "  350  0")),
    "zero-roughness": lambda: edited(("  200  110", "  200  0")),
    "nan": lambda: edited((" b   12    5", " b   nan    nan")),
    "infinite": lambda: edited(("  350  200", "  inf  inf")),
    "enormous-demand": lambda: edited((" b   12    5", " b   12    1e300")),
    "enormous-length": lambda: edited(("  350  200", "  1e308  200")),
    "tiny-everything": lambda: edited(("  350  200", "  1e-300  1e-300")),
    "hex-numbers": lambda: edited((" b   12", " b   0x1FFFFFFFFFFFF")),
    "long-number": lambda: edited((" b   12", " b   " + "9" * 900)),
    "enormous-coordinates": lambda: edited((" b      300  100", " b      1e308  -1e308")),
    "unknown-units": lambda: edited(("LPS", "FURLONGS")),
    "no-options": lambda: edited(("[OPTIONS]\n Units     LPS\n Headloss  H-W\n", "")),
    "wrong-law": lambda: edited(("H-W", "D-W")),
    "silly-options": lambda: extra("[OPTIONS]\nTRIALS 1e9\nACCURACY 1e-300\nVISCOSITY -1\nDEMAND MULTIPLIER 1e30"),
    "zero-steps": lambda: edited(
        ("Timestep    1:00", "Timestep    0"), ("Hydraulic Timestep  1:00", "Hydraulic Timestep  0")
    ),
    "negative-steps": lambda: edited(("Hydraulic Timestep  1:00", "Hydraulic Timestep  -1:00")),
    "second-steps": lambda: edited(("Hydraulic Timestep  1:00", "Hydraulic Timestep  0:00:01"), ("6:00", "100000:00")),
    "enormous-duration": lambda: edited(("6:00", "1e18")),
    "silly-times": lambda: edited(("6:00", "noon"), ("Report Timestep     1:00", "Report Timestep  1:2:3:4:5")),
    "long-words": lambda: edited(("p3  b     c", f"p3  b     {'z' * 900}"), ("LPS", "L" * 900)),
    "long-rule": lambda: extra(f"[RULES]\nRULE {'r' * 900}\nIF LINK {'q' * 900} STATUS IS OPEN\nTHEN LINK p2"),
    "rows-without-words": lambda: extra("[TAGS]\nNODE\n[REACTIONS]\nBULK\n[REPORT]\nNODES\n[ENERGY]\nPUMP"),
    "pressure-limits": lambda: extra("[OPTIONS]\nDEMAND MODEL PDA\nREQUIRED PRESSURE 0\nMINIMUM PRESSURE 100"),
    "undefined-pattern": lambda: edited((" day  0.6", " night  0.6")),
    "empty-pattern": lambda: extra("[PATTERNS]\n void"),
    "pattern-of-nothing": lambda: edited(("0.6 0.5 0.8 1.2 1.4 1.1", "one two 3..4")),
    "cyclic-rules": lambda: extra("[RULES]\n" + _RULES),
    "broken-rules": lambda: extra("[RULES]\nIF THEN ELSE\nRULE\nRULE x\nTHEN\nAND AND AND AND AND\nPRIORITY"),
    "rules-of-nothing": lambda: extra("[RULES]\nRULE 1\nIF TANK nil LEVEL > 1\nTHEN PUMP nil STATUS IS OPEN"),
    "cyclic-controls": lambda: extra(
        "[CONTROLS]\nLINK p6 CLOSED IF NODE tower ABOVE 3\nLINK p6 OPEN IF NODE tower BELOW 5"
    ),
    "broken-controls": lambda: extra("[CONTROLS]\nLINK\nLINK nil OPEN AT TIME x\nLINK p2 AJAR IF NODE nil OVER 3"),
    "pump-without-curve": lambda: edited(("HEAD  k", "SPEED 1"), base=PUMPED),
    "pump-curve-rises": lambda: edited((" k  20  40", " k  0  40\n k 10 50\n k 20 60"), base=PUMPED),
    "curve-goes-back": lambda: edited((" k  20  40", " k  20  40\n k 10 50\n k 5 60"), base=PUMPED),
    "valve-at-tank": lambda: extra("[VALVES]\n v  tower  c  200  PRV  30"),
    "valve-unknown": lambda: extra("[VALVES]\n v  b  d  200  XYZ  30"),
    "tank-levels": lambda: edited(("55  4  1  6", "55  9  7  6")),
    "tank-of-nothing": lambda: edited(("55  4  1  6  40  0", "55  4  1  6  0  0")),
    "energy-of-nothing": lambda: extra("[ENERGY]\nPUMP nil PRICE x"),
    "quality-of-nothing": lambda: extra("[QUALITY]\n nil x\n[SOURCES]\n nil x y z\n[MIXING]\n nil MIXED"),
    "report-elsewhere": lambda: extra("[REPORT]\nFILE /nonexistent/x\nNODES nil\nPAGE x"),
    "hydraulics-file": lambda: extra("[OPTIONS]\nHYDRAULICS USE nowhere.hyd"),
    "leakage-nonsense": lambda: extra("[LEAKAGE]\n nil 1 2\n p2 x y"),
    "parallel-1000": lambda: extra("[PIPES]\n" + "\n".join(f"q{k} a b 350 200 110" for k in range(1000))),
    "lines-of-10-6": lambda: TOWN.encode().replace(b"[END]", b"[JUNCTIONS]\n" + b" x 1 1\n" * 1_000_000),
    "all-closed": lambda: grid(20_000).replace(b" 10 300 120\n", b" 10 300 120 0 Closed\n"),
    "zigzag": lambda: grid(20_000).replace(b"1 10 0.001", b"1 900 0.001"),
    "all-crossing": lambda: stars(3_000),
    "street-of-2-10-5": lambda: grid(200_000).replace(b"p7 n6", b"p7 nil"),
}
