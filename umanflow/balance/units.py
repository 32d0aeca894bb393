"""Units in which a balance's input may be written, exactly to SI."""

from __future__ import annotations

from models.balance_indicators import DAY_S

VOLUMES = {"m3": 1.0, "1000 m3": 1e3, "ML": 1e3}
RATES = {"m3/d": 1.0 / DAY_S, "m3/h": 1.0 / 3600.0, "L/s": 1e-3, "m3/s": 1.0}
_SPELLINGS = {
    "м3": "m3", "м³": "m3", "m³": "m3", "тис. м3": "1000 m3", "тис. м³": "1000 m3", "thousand m3": "1000 m3",
    "м3/доб": "m3/d", "м³/доб": "m3/d", "m³/d": "m3/d", "м3/год": "m3/h", "м³/год": "m3/h", "m³/h": "m3/h",
    "л/с": "L/s",
}  # fmt: skip


def volume_factor(unit: str, duration: float) -> float:
    """What a number in a unit of volume, or of flow over a period of `duration` s, is multiplied by to be m3.

    Raises
    ------
    ValueError
        If the unit is none of these.
    """
    unit = _SPELLINGS.get(unit.strip(), unit.strip())
    if unit in VOLUMES:
        return VOLUMES[unit]
    if unit in RATES:
        return RATES[unit] * duration
    raise ValueError(f"unit '{unit}' is none of a volume; write {', '.join((*VOLUMES, *RATES))}")
