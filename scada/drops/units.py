"""From the unit of a file to that of a tag."""

from __future__ import annotations

import re

from scada.quantity import UNITS, fits, known_unit, si_factor
from scada.tag import Tag

__all__ = ["conversion", "split_unit"]

_IN_BRACKETS = re.compile(r"^(?P<name>.*?)\s*[\[(](?P<unit>[^\[\]()]{1,16})[\])]$")
_KNOWN = {unit for units in UNITS.values() if units for unit in units}


def split_unit(name: str) -> tuple[str, str]:
    """Split "Pressure [bar]" into name and unit; the unit is empty where the brackets hold none that is known."""
    found = _IN_BRACKETS.match(name.strip())
    if found is None or known_unit(found["unit"]) not in _KNOWN:
        return name.strip(), ""
    return found["name"], known_unit(found["unit"])


def conversion(unit: str, tag: Tag) -> float:
    """Return what a value in `unit` is multiplied by to be in the tag's.

    Raises
    ------
    ValueError
        The unit does not fit the tag's quantity, or is none that is known: what; mend.
    """
    unit = known_unit(unit)
    if not unit or unit == tag.unit:
        return 1.0
    units = UNITS.get(tag.quantity)
    if not units or not fits(unit, tag.quantity):
        allowed = f"write one of {', '.join(units)}" if units else f"leave it out, or write {tag.unit or 'none'}"
        raise ValueError(f"unit '{unit}' does not fit {tag.quantity} of tag {tag.name}; {allowed}")
    here, there = si_factor(unit, tag.quantity), si_factor(tag.unit, tag.quantity)
    if here is None or there is None or (tag.quantity == "setpoint" and not _is_alike(unit, tag.unit)):
        raise ValueError(f"unit '{unit}' cannot become {tag.unit or 'SI'} of tag {tag.name}; write it in that unit")
    return here / there


def _is_alike(one: str, other: str) -> bool:
    """Whether two units are of one quantity; a set-point may be of any."""
    return any(
        units and quantity != "setpoint" and one in units and other in units for quantity, units in UNITS.items()
    )
