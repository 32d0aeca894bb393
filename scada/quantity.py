"""What a tag may measure, and in which units.

A unit is a line from itself to SI as the house has it (pressure in metres of water): ``si = value * factor + offset``.
"""

from __future__ import annotations

import math

__all__ = ["QUANTITIES", "TOTALS", "UNITS", "fits", "known_unit", "si_factor"]

_WATER = 1.0 / 9.80665  # m of water in a kPa

_PRESSURE = {
    "m": 1.0, "cm": 0.01, "mm": 0.001, "mbar": 0.1 * _WATER, "bar": 100.0 * _WATER, "Pa": 0.001 * _WATER, "kPa": _WATER,
    "MPa": 1000.0 * _WATER, "psi": 6.894757293168361 * _WATER, "atm": 101.325 * _WATER, "at": 10.0, "kgf/cm2": 10.0,
    "ft": 0.3048,
}  # fmt: skip
_FLOW = {
    "m3/s": 1.0, "m3/min": 1.0 / 60.0, "m3/h": 1.0 / 3600.0, "m3/d": 1.0 / 86400.0, "L/s": 1e-3, "L/min": 1e-3 / 60.0,
    "L/h": 1e-3 / 3600.0, "gpm": 3.785411784e-3 / 60.0,
}  # fmt: skip
_LEVEL = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "%": math.nan}  # of a height nobody states
_SPEED = {"Hz": 1.0, "rpm": 1.0 / 60.0, "1/s": 1.0, "%": 0.01}

# factor to SI by unit; an empty set takes no unit, None any
UNITS: dict[str, dict[str, float] | None] = {
    "pressure": _PRESSURE,
    "flow": _FLOW,
    "level": _LEVEL,
    "demand": _FLOW,
    "status": {},
    "speed": _SPEED,
    "setpoint": {**_FLOW, **_SPEED, **_LEVEL, **_PRESSURE, "s": 1.0, "min": 60.0, "h": 3600.0, "degC": 1.0},
    "power": {"W": 1.0, "kW": 1e3, "MW": 1e6},
    "energy": {"J": 1.0, "Wh": 3600.0, "kWh": 3.6e6, "MWh": 3.6e9},
    "volume": {"m3": 1.0, "L": 1e-3, "dm3": 1e-3, "ML": 1e3, "gal": 3.785411784e-3},
    "time": {"s": 1.0, "ms": 1e-3},
    "other": None,
}
QUANTITIES = tuple(UNITS)
TOTALS = frozenset({"volume", "energy"})  # only grow, but for a wrap or an exchanged meter

# how manuals and Ukrainian tables write them; compared without regard to case and blanks
_SPELLINGS = {
    "m": ("м", "mh2o", "mwc", "m.w.c.", "м.вод.ст.", "мвс", "м вод. ст."),
    "cm": ("см",),
    "mm": ("мм",),
    "mbar": ("мбар",),
    "bar": ("бар",),
    "Pa": ("Па",),
    "kPa": ("кПа",),
    "MPa": ("МПа",),
    "atm": ("атм",),
    "at": ("ат",),
    "kgf/cm2": ("кгс/см2", "кгс/см²", "kgf/cm²", "kg/cm2"),
    "m3/s": ("м3/с", "м³/с", "m³/s", "cms"),
    "m3/min": ("м3/хв", "м³/хв", "m³/min"),
    "m3/h": ("м3/год", "м³/год", "m³/h", "m3/hr", "m^3/h", "cmh", "м3/г", "куб.м/год"),
    "m3/d": ("м3/доб", "м³/доб", "m³/d", "m3/day", "cmd"),
    "L/s": ("л/с", "l/s", "lps"),
    "L/min": ("л/хв", "l/min", "lpm"),
    "L/h": ("л/год", "l/h"),
    "Hz": ("Гц",),
    "rpm": ("об/хв", "1/min", "r/min"),
    "1/s": ("об/с",),
    "W": ("Вт",),
    "kW": ("кВт",),
    "MW": ("МВт",),
    "Wh": ("Вт·год", "Вт*год"),
    "kWh": ("кВт·год", "кВт*год", "кВтг", "kW·h", "kW*h"),
    "MWh": ("МВт·год", "МВт*год"),
    "m3": ("м3", "м³", "m³", "куб.м", "m^3"),
    "L": ("л", "litre"),
    "dm3": ("дм3", "дм³"),
    "s": ("с", "sec"),
    "ms": ("мс",),
    "min": ("хв",),
    "h": ("год", "hr"),
    "A": ("А",),
    "V": ("В",),
    "degC": ("°C", "°С", "C°", "grad c"),
    "%": ("percent", "відс."),
}


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()


_CANONICAL = {_folded(spelling): unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}
# W and kW, Pa and MPa differ in case alone, so that these are matched as written first
_EXACT = {unit for units in UNITS.values() if units for unit in units} | set(_SPELLINGS)
_CANONICAL.update({_folded(unit): unit for unit in _EXACT if _folded(unit) not in {"mw", "mpa", "ml"}})
_EXACT_SPELLING = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}


def known_unit(text: str) -> str:
    """Return a unit as the house writes it, or the text itself when it is none of those known.

    Case decides where it has to: ``MW`` is a megawatt, ``mw`` stays as it is.
    """
    text = text.strip()
    if text in _EXACT:
        return text
    return _EXACT_SPELLING.get(text) or _CANONICAL.get(_folded(text), text)


def fits(unit: str, quantity: str) -> bool:
    """Tell whether a tag of this quantity may have this unit; an empty unit is SI, or none."""
    units = UNITS.get(quantity)
    return not unit or units is None or unit in units


def si_factor(unit: str, quantity: str) -> float | None:
    """Return what a value is multiplied by to be SI; None where nobody can tell."""
    units = UNITS.get(quantity)
    if not unit or units is None:
        return 1.0
    factor = units.get(unit, math.nan)
    return None if math.isnan(factor) else factor
