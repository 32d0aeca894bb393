"""What can be wrong with a list of tags."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from scada.address import TABLES
from scada.codec import NUMBER_FORMATS, ORDERS, is_type, raw_range
from scada.errors import TagError
from scada.quantity import QUANTITIES, TOTALS, UNITS, fits, si_factor
from scada.tag import Tag
from scada.taglayout import layout_findings

__all__ = ["Finding", "Surroundings", "check_tag", "check_tags"]

_LAST_ADDRESS = 65535
_LINKS = {"flow", "speed", "power", "energy", "volume", "status"}
_NODES = {"pressure", "level", "demand"}
_USED = {"pressure", "flow", "level", "demand"}  # by leak detection

Finding = tuple[str, str, str]  # what, mend, severity


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a tag table is checked against, beside itself.

    Attributes
    ----------
    devices : collection of str or None
        Names that are configured; None where any will do.
    registers : mapping of str to int
        Most registers a device answers at once.
    nodes, links : collection of str or None
        Elements of the network; None where it is not known.
    """

    devices: Collection[str] | None = None
    registers: Mapping[str, int] = field(default_factory=dict)
    nodes: Collection[str] | None = None
    links: Collection[str] | None = None


def check_tags(
    tags: Sequence[Tag],
    devices: Collection[str] | None = None,
    file: str = "",
    lines: Sequence[int] | None = None,
    around: Surroundings | None = None,
) -> list[TagError]:
    """Return every mistake of a list of tags, in the order of their lines.

    Parameters
    ----------
    tags : sequence of Tag
    devices : collection of str, optional
        Names that are configured; without it any device is accepted.
    file : str
        Named in the errors.
    lines : sequence of int, optional
        Line of each tag in the file.
    around : Surroundings, optional
        What else is known; goes before `devices`.
    """
    around = around or Surroundings(devices)
    numbers = list(lines) if lines is not None else [0] * len(tags)
    errors: list[TagError] = []
    first: dict[str, int] = {}
    folded: dict[str, str] = {}
    for tag, line in zip(tags, numbers, strict=True):
        errors.extend(TagError(file, line, *finding) for finding in check_tag(tag, around))
        if tag.name in first:
            what = f"tag {tag.name} is already on line {first[tag.name]}"
            errors.append(TagError(file, line, what, "rename one"))
        elif (other := folded.setdefault(tag.name.casefold(), tag.name)) != tag.name:
            what = f"tag {tag.name} differs from {other} on line {first[other]} by case alone"
            errors.append(TagError(file, line, what, "rename one", "warning"))
        first.setdefault(tag.name, line)
    errors.extend(TagError(file, line, *finding) for line, finding in layout_findings(tags, numbers))
    return sorted(errors, key=lambda error: error.line)


def check_tag(tag: Tag, around: Surroundings | None = None) -> list[Finding]:
    """Return what one tag shows by itself: what is wrong, how to mend it, and whether error or warning."""
    around = around or Surroundings()
    checks = (_naming(tag, around), _words(tag), _numbers(tag), _raw_values(tag), _placing(tag, around))
    return [finding for check in checks for finding in check] + [*_measuring(tag, around)]


def _naming(tag: Tag, around: Surroundings) -> Iterator[Finding]:
    if not tag.name:
        yield "the name is empty", "give the tag a name", "error"
    elif "," in tag.name or not tag.name.isprintable():
        yield f"name {tag.name!r} has a comma or an invisible character", "lists of names could not hold it", "warning"
    if not tag.device:
        yield f"tag {tag.name} has no device", "name the device it is read from", "error"
    elif around.devices is not None and tag.device not in around.devices:
        names = ", ".join(sorted(around.devices)[:20]) or "(none)"
        yield f"device '{tag.device}' is not configured", f"use one of {names}", "error"


def _words(tag: Tag) -> Iterator[Finding]:
    choices = (("table", tag.table, TABLES), ("order", tag.order, ORDERS), ("quantity", tag.quantity, QUANTITIES))
    for column, word, allowed in choices:
        if word not in allowed:
            yield f"{column} '{word}' is unknown", f"use one of {', '.join(allowed)}", "error"
    if not is_type(tag.type):
        mend = "use bool, bit, [u]int16/32/64, float32/64 or string1..string250"
        yield f"type '{tag.type}' is unknown", mend, "error"


def _numbers(tag: Tag) -> Iterator[Finding]:
    if not 0 <= tag.bit <= 15:
        yield f"bit {tag.bit} is outside the register", "use 0 (least significant) to 15", "error"
    elif tag.bit and tag.type != "bit":
        yield f"bit {tag.bit} has no meaning for type {tag.type}", "write type bit, or no bit", "error"
    if not math.isfinite(tag.interval_s) or tag.interval_ms < 1:
        yield f"interval_s {tag.interval_s:g} is no interval", "write seconds above 0", "error"
    if not math.isfinite(tag.scale) or tag.scale == 0.0 or not math.isfinite(tag.offset):
        what = f"scale {tag.scale:g} and offset {tag.offset:g} lose the value"
        yield what, "write finite numbers, scale not 0", "error"
    if not tag.min <= tag.max:
        yield f"min {tag.min:g} is above max {tag.max:g}", "exchange them", "error"
    if not tag.deadband >= 0.0 or math.isinf(tag.deadband):
        yield f"deadband {tag.deadband:g} is no width", "write 0 or more, in the tag's unit", "error"
    elif tag.deadband and tag.deadband >= tag.max - tag.min:
        yield f"deadband {tag.deadband:g} is as wide as min to max", "write a smaller one", "error"


def _raw_values(tag: Tag) -> Iterator[Finding]:
    if tag.type not in NUMBER_FORMATS:
        if tag.bad_values or tag.wrap is not None:
            yield f"bad_values and wrap have no meaning for type {tag.type}", "leave them empty", "warning"
        return
    low, high = raw_range(tag.type)
    for bad in tag.bad_values:
        if math.isfinite(bad) and not low <= bad <= high:
            yield f"bad value {bad:g} is no value of {tag.type}", f"write a raw value, {low:g} to {high:g}", "error"
    if tag.wrap is not None and not 0.0 < tag.wrap <= high + 1.0:
        mend = f"write the raw value that comes to be 0 again, at most {high + 1.0:.0f}"
        yield f"wrap {tag.wrap:g} is no count of {tag.type}", mend, "error"
    ends = sorted((low * tag.scale + tag.offset, high * tag.scale + tag.offset))
    if tag.scale and tag.min <= tag.max and (tag.min > ends[1] or tag.max < ends[0]):
        what = f"no raw value of {tag.type} lies in min {tag.min:g} to max {tag.max:g}"
        yield what, f"with this scale values run from {ends[0]:g} to {ends[1]:g}; mend one of them", "error"
    if tag.quantity in TOTALS and tag.wrap is None and not tag.type.startswith("float"):
        mend = f"write wrap {high + 1.0:.0f} if it counts that far, or the end of the display"
        yield f"totaliser {tag.name} has no wrap: at its end it would look like an exchanged meter", mend, "warning"


def _placing(tag: Tag, around: Surroundings) -> Iterator[Finding]:
    if not is_type(tag.type):
        return
    if tag.table in {"coil", "discrete"} and tag.type != "bool":
        yield f"type {tag.type} does not fit table {tag.table}, which holds single bits", "write type bool", "error"
    if not 0 <= tag.address <= _LAST_ADDRESS + 1 - tag.registers:
        yield f"address {tag.address} with type {tag.type} ends beyond {_LAST_ADDRESS}", "mend the address", "error"
    most = around.registers.get(tag.device)
    if most is not None and tag.registers > most:
        what = f"{tag.type} takes {tag.registers} registers, device {tag.device} answers {most} at once"
        yield what, "a value is never split: write a shorter type or raise max_registers", "error"


def _measuring(tag: Tag, around: Surroundings) -> Iterator[Finding]:
    if not fits(tag.unit, tag.quantity):
        units = UNITS[tag.quantity]
        mend = f"use one of {', '.join(units)}" if units else "leave it empty"
        yield f"unit '{tag.unit}' does not fit quantity {tag.quantity}", mend, "error"
    if tag.is_text and (tag.scale != 1.0 or tag.offset or tag.deadband or math.isfinite(tag.min + tag.max)):
        yield f"text tag {tag.name} has scale, range or deadband", "leave them empty", "warning"
    if tag.element and tag.quantity in _USED and fits(tag.unit, tag.quantity):
        if si_factor(tag.unit, tag.quantity) is None:
            what = f"{tag.quantity} in {tag.unit} says nothing to the network's model"
            yield what, "give a scale and a unit of length", "warning"
        elif not tag.unit:
            si = "m3/s" if tag.quantity in {"flow", "demand"} else "m"
            yield f"{tag.quantity} {tag.name} has no unit and is taken as {si}", "write the unit", "warning"
    if not tag.element or tag.quantity not in _NODES | _LINKS or around.nodes is None or around.links is None:
        return
    if tag.element not in around.nodes and tag.element not in around.links:
        yield f"element '{tag.element}' is not in the network", "mend its name or leave it empty", "warning"
    elif tag.quantity in _NODES and tag.element not in around.nodes:
        yield f"{tag.quantity} belongs to a node, '{tag.element}' is a link", "name a node", "warning"
    elif tag.quantity in _LINKS and tag.element not in around.links:
        yield f"{tag.quantity} belongs to a link, '{tag.element}' is a node", "name a link", "warning"
