"""Times of an INP: `6`, `6:30`, `30 MIN`, `6 PM`."""

from __future__ import annotations

from collections.abc import Sequence

from networks.inp.document import is_word

_UNITS = {"SEC": 1.0 / 3600.0, "MIN": 1.0 / 60.0, "HOU": 1.0, "DAY": 24.0}


def hours(words: Sequence[str]) -> float:
    """Hours that one or two words stand for; EPANET's `hour`.

    Raises
    ------
    ValueError
        If they are no time.
    """
    value = _hours(words[0])
    unit = words[1] if len(words) > 1 else ""
    if is_word(unit, "AM") or is_word(unit, "PM"):
        if value >= 13.0:
            raise ValueError(f"'{' '.join(words)}' is no time of day")
        return value % 12.0 + (12.0 if is_word(unit, "PM") else 0.0)
    if unit and ":" not in words[0]:
        scale = next((s for key, s in _UNITS.items() if is_word(unit, key)), 0.0)
        if scale == 0.0:
            raise ValueError(f"'{unit}' is no unit of time")
        value *= scale
    return value


def seconds(words: Sequence[str]) -> int:
    """Whole seconds, rounded as EPANET rounds those of `[TIMES]`."""
    return int(3600.0 * hours(words) + 0.5)


def control_seconds(words: Sequence[str]) -> int:
    """Whole seconds, cut off as EPANET does with those of `[CONTROLS]`."""
    return int(3600.0 * hours(words))


def _hours(word: str) -> float:
    parts = word.split(":")
    if len(parts) == 1:
        return float(word)
    # EPANET 2.3 reads three parts and passes over further ones; 2.2 dies of them
    return sum(float(part) / scale for part, scale in zip(parts, (1.0, 60.0, 3600.0), strict=False))


def for_control(total: int) -> str:
    """A time that EPANET's cutting off gives back as it was."""
    text = as_duration(total)
    return text if control_seconds((text,)) == total else f"{(total + 0.5) / 3600.0:.9f}"


def as_duration(total: int) -> str:
    """`H:MM:SS`."""
    return f"{total // 3600}:{total // 60 % 60:02d}:{total % 60:02d}"


def as_time_of_day(total: int) -> tuple[str, str]:
    """`h:mm:ss` and AM or PM."""
    total %= 86400
    hour = total // 3600
    return f"{(hour + 11) % 12 + 1}:{total // 60 % 60:02d}:{total % 60:02d}", "AM" if hour < 12 else "PM"
