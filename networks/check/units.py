"""What the numbers of an INP mean: units, head-loss law, times."""

from __future__ import annotations

import math
from dataclasses import dataclass

from networks.inp_text import InpText, Row

_FOOT = 0.3048
_PSI_M = 0.3048 / 0.4333  # EPANET's own constant
# m3/s per flow unit
FLOW = {
    "CFS": 0.0283168466, "GPM": 0.0000630901964, "MGD": 0.0438126364, "IMGD": 0.0526168042, "AFD": 0.0142764102,
    "LPS": 0.001, "LPM": 1.0 / 60000.0, "MLD": 1.0 / 86.4, "CMH": 1.0 / 3600.0, "CMD": 1.0 / 86400.0, "CMS": 1.0,
    "SI": 0.001,
}  # fmt: skip
_AMERICAN = {"CFS", "GPM", "MGD", "IMGD", "AFD"}
LAWS = {"H-W": "hazen_williams", "D-W": "darcy_weisbach_mm", "C-M": "chezy_manning"}
_HOURS = {"SEC": 1.0 / 3600.0, "MIN": 1.0 / 60.0, "HOU": 1.0, "DAY": 24.0}


@dataclass(frozen=True, slots=True)
class Units:
    """Factors from the file's units to SI.

    Attributes
    ----------
    flow, length, diameter, pressure
        m3/s, m, m and m of water per unit of the file.
    roughness
        mm per unit of Darcy-Weisbach roughness, 1 for the other laws.
    law
        "H-W", "D-W" or "C-M".
    length_name, diameter_name, flow_name, pressure_name
        The units' names, for reasons.
    """

    flow: float
    length: float
    diameter: float
    pressure: float
    roughness: float
    law: str
    length_name: str
    diameter_name: str
    flow_name: str
    pressure_name: str


def number(word: str) -> float | None:
    """A word as EPANET's `strtod` reads it; None where it is no number."""
    if "_" in word:  # Python takes 1_000
        return None
    try:
        return float(word)
    except ValueError:
        return None


def options(text: InpText) -> dict[str, Row]:
    """Rows of [OPTIONS] by their keyword in capitals; the last one counts, as in EPANET."""
    return {_keyword(row): row for row in text.rows("OPTIONS")}


_TWO_WORDS = {"DEMAND", "EMITTER", "SPECIFIC", "HYDRAULICS", "MINIMUM", "REQUIRED", "PRESSURE"}


def _keyword(row: Row) -> str:
    first = row.words[0].upper()
    if first in _TWO_WORDS and len(row.words) > 2:
        return f"{first} {row.words[1].upper()}"
    return first


def option_number(rows: dict[str, Row], key: str, otherwise: float) -> float:
    """The number of an option, or what holds without it."""
    row = rows.get(key)
    value = number(row.words[-1]) if row is not None and len(row.words) > 1 else None
    return otherwise if value is None or not math.isfinite(value) else value


def units_of(rows: dict[str, Row]) -> Units:
    """The file's units; EPANET's GPM and Hazen-Williams where they are missing or unknown."""
    flow = _word(rows, "UNITS")
    flow = flow if flow in FLOW else "GPM"
    law = next((law for law in LAWS if _word(rows, "HEADLOSS").startswith(law)), "H-W")
    american = flow in _AMERICAN
    length = _FOOT if american else 1.0
    pressure, pressure_name = (_PSI_M, "psi") if american else (1.0, "m")
    if _word(rows, "PRESSURE").startswith("KPA"):
        pressure, pressure_name = 0.101972, "kPa"
    return Units(
        flow=FLOW[flow],
        length=length,
        diameter=0.0254 if american else 0.001,
        pressure=pressure,
        # 0.001 ft or mm
        roughness=length if law == "D-W" else 1.0,
        law=law,
        length_name="ft" if american else "m",
        diameter_name="in" if american else "mm",
        flow_name=flow,
        pressure_name=pressure_name,
    )


def _word(rows: dict[str, Row], key: str) -> str:
    row = rows.get(key)
    return row.words[1].upper() if row is not None and len(row.words) > 1 else ""


def times(text: InpText) -> dict[str, tuple[float | None, Row]]:
    """Rows of [TIMES] by keyword ("DURATION", "HYDRAULIC", "PATTERN", "PATTERN START"…), seconds; None: unreadable."""
    found: dict[str, tuple[float | None, Row]] = {}
    for row in text.rows("TIMES"):
        key = row.words[0].upper()
        if len(row.words) > 1 and row.words[1].upper().startswith("START"):
            key += " START"
        if key != "STATISTIC":
            found[key] = (_seconds(row.words[1:]), row)
    return found


def _seconds(words: tuple[str, ...]) -> float | None:
    """Seconds of "24", "24:00", "30 MIN", "1:00 PM"."""
    if not words:
        return None
    last = words[-1]
    hours = _clock(last)
    if hours is None and len(words) > 1:
        hours = _clock(words[-2])
        unit = last.upper()
        if hours is None:
            return None
        if unit in ("AM", "PM"):
            hours = hours % 12.0 + (12.0 if unit == "PM" else 0.0)
        elif unit[:3] in _HOURS:
            hours *= _HOURS[unit[:3]]
        else:
            return None
    return None if hours is None else hours * 3600.0


def _clock(word: str) -> float | None:
    parts = [number(part) for part in word.split(":")]
    if len(parts) > 3 or any(part is None for part in parts):
        return None
    return sum(part / 60.0**k for k, part in enumerate(parts) if part is not None)
