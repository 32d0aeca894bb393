"""What can be wrong with a list of tags."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from scada.address import TABLES
from scada.codec import ORDERS, is_type
from scada.errors import TagError
from scada.tag import QUANTITIES, Tag

__all__ = ["check_tag", "check_tags"]

_LAST_ADDRESS = 65535


def check_tags(
    tags: Sequence[Tag], devices: Collection[str] | None = None, file: str = "", lines: Sequence[int] | None = None
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
    """
    numbers = list(lines) if lines is not None else [0] * len(tags)
    errors: list[TagError] = []
    first_line: dict[str, int] = {}
    for tag, line in zip(tags, numbers, strict=True):
        for what, mend in check_tag(tag, devices):
            errors.append(TagError(file, line, what, mend))
        if tag.name in first_line:
            errors.append(
                TagError(file, line, f"tag {tag.name} is already on line {first_line[tag.name]}", "rename one")
            )
        first_line.setdefault(tag.name, line)
    errors.extend(_overlaps(tags, numbers, file))
    return sorted(errors, key=lambda error: error.line)


def check_tag(tag: Tag, devices: Collection[str] | None = None) -> list[tuple[str, str]]:
    """Return the mistakes one tag shows by itself, as pairs of what is wrong and how to mend it."""
    return [*_naming(tag, devices), *_words(tag), *_numbers(tag), *_placing(tag)]


def _naming(tag: Tag, devices: Collection[str] | None) -> Iterator[tuple[str, str]]:
    if not tag.name:
        yield "the name is empty", "give the tag a name"
    if not tag.device:
        yield f"tag {tag.name} has no device", "name the device it is read from"
    elif devices is not None and tag.device not in devices:
        yield f"device '{tag.device}' is not configured", f"use one of {', '.join(sorted(devices)) or '(none)'}"


def _words(tag: Tag) -> Iterator[tuple[str, str]]:
    choices = (("table", tag.table, TABLES), ("order", tag.order, ORDERS), ("quantity", tag.quantity, QUANTITIES))
    for column, word, allowed in choices:
        if word not in allowed:
            yield f"{column} '{word}' is unknown", f"use one of {', '.join(allowed)}"
    if not is_type(tag.type):
        yield f"type '{tag.type}' is unknown", "use bool, bit, [u]int16/32/64, float32/64 or string1..string250"


def _numbers(tag: Tag) -> Iterator[tuple[str, str]]:
    if not 0 <= tag.bit <= 15:
        yield f"bit {tag.bit} is outside the register", "use 0 (least significant) to 15"
    if not math.isfinite(tag.interval_s) or tag.interval_ms < 1:
        yield f"interval_s {tag.interval_s:g} is no interval", "write seconds above 0"
    if not math.isfinite(tag.scale) or tag.scale == 0.0 or not math.isfinite(tag.offset):
        yield f"scale {tag.scale:g} and offset {tag.offset:g} lose the value", "write finite numbers, scale not 0"
    if not tag.min <= tag.max:
        yield f"min {tag.min:g} is above max {tag.max:g}", "exchange them"


def _placing(tag: Tag) -> Iterator[tuple[str, str]]:
    if not is_type(tag.type):
        return
    if tag.table in {"coil", "discrete"} and tag.type != "bool":
        yield f"type {tag.type} does not fit table {tag.table}, which holds single bits", "write type bool"
    if not 0 <= tag.address <= _LAST_ADDRESS + 1 - tag.registers:
        yield f"address {tag.address} with type {tag.type} ends beyond {_LAST_ADDRESS}", "mend the address"


def _overlaps(tags: Sequence[Tag], lines: Sequence[int], file: str) -> Iterator[TagError]:
    groups: dict[tuple[str, str], list[tuple[int, int, int, Tag]]] = {}
    for tag, line in zip(tags, lines, strict=True):
        if is_type(tag.type):
            spans = groups.setdefault((tag.device, tag.table), [])
            spans.append((tag.address, tag.address + tag.registers, line, tag))
    for spans in groups.values():
        spans.sort(key=lambda span: span[:3])
        reach: list[tuple[int, int, int, Tag]] = []
        for span in spans:
            start, _, line, tag = span
            reach = [other for other in reach if other[1] > start]
            for _, _, other_line, other in reach:
                if not _may_share(tag, other):
                    line_of, line_at = max(line, other_line), min(line, other_line)
                    what = f"tags {other.name} and {tag.name} (line {line_at}) overlap at {tag.table} {start}"
                    yield TagError(file, line_of, what, "mend an address or a type; only bits share a register")
                    break
            reach.append(span)


def _may_share(one: Tag, other: Tag) -> bool:
    """Tell whether two tags may lie on one register: different bits of it, or a bit and the whole status word."""
    kinds = Counter((one.type, other.type))
    if kinds["bit"] == 2:
        return one.bit != other.bit
    return kinds["bit"] == 1 and kinds["uint16"] + kinds["int16"] == 1
