"""Times of an INP: `6`, `6:30`, `30 MIN`, `6 PM`."""

from __future__ import annotations

from collections.abc import Sequence

from networks.inp.document import is_word

_UNITS = {"SEC": 1.0, "MIN": 60.0, "HOU": 3600.0, "DAY": 86400.0}


def seconds(words: Sequence[str]) -> int:
    """Seconds that one or two words stand for; EPANET's `hour`.

    Raises
    ------
    ValueError
        If they are no time.
    """
    value = _seconds(words[0])
    unit = words[1] if len(words) > 1 else ""
    if is_word(unit, "AM") or is_word(unit, "PM"):
        if value >= 13 * 3600:
            raise ValueError(f"'{' '.join(words)}' is no time of day")
        value = value % (12 * 3600) + (12 * 3600 if is_word(unit, "PM") else 0)
    elif unit:
        scale = next((s for key, s in _UNITS.items() if is_word(unit, key)), 0.0)
        if scale == 0.0:
            raise ValueError(f"'{unit}' is no unit of time")
        value = value / 3600.0 * scale if ":" not in words[0] else value
    return int(value + 0.5)


def _seconds(word: str) -> float:
    parts = word.split(":")
    if len(parts) == 1:
        return float(word) * 3600.0
    # EPANET 2.3 reads three parts and passes over further ones; 2.2 dies of them
    return sum(float(part) * scale for part, scale in zip(parts, (3600.0, 60.0, 1.0), strict=False))


def as_duration(total: int) -> str:
    """`H:MM:SS`."""
    return f"{total // 3600}:{total // 60 % 60:02d}:{total % 60:02d}"


def as_time_of_day(total: int) -> tuple[str, str]:
    """`h:mm:ss` and AM or PM."""
    total %= 86400
    hour = total // 3600
    return f"{(hour + 11) % 12 + 1}:{total // 60 % 60:02d}:{total % 60:02d}", "AM" if hour < 12 else "PM"
