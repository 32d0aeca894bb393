"""How tags lie beside each other in the registers of a device: overlaps, odd places, clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from scada.codec import NUMBER_FORMATS, is_type
from scada.tag import Tag

__all__ = ["layout_findings"]

_FEW = 4  # values of several words; with fewer nothing is known of a device's habit
_RARE = 0.2  # of them may lie elsewhere before it is no habit

_Placed = tuple[int, int, int, Tag]  # start, end, line
_Found = tuple[int, tuple[str, str, str]]


def layout_findings(tags: Sequence[Tag], lines: Sequence[int]) -> Iterator[_Found]:
    """Yield the line and the finding (what, mend, severity) of everything wrong between tags."""
    groups: dict[tuple[str, str], list[_Placed]] = {}
    clocks: dict[tuple[str, str, int], Tag] = {}
    for tag, line in zip(tags, lines, strict=True):
        if is_type(tag.type):
            groups.setdefault((tag.device, tag.table), []).append((tag.address, tag.address + tag.registers, line, tag))
        if tag.quantity == "time":
            yield from _clock(tag, line, clocks)
    for placed in groups.values():
        placed.sort(key=lambda span: span[:3])
        yield from _overlaps(placed)
        yield from _unaligned(placed)


def _clock(tag: Tag, line: int, clocks: dict[tuple[str, str, int], Tag]) -> Iterator[_Found]:
    if tag.type not in NUMBER_FORMATS:
        yield line, (f"clock {tag.name} is a {tag.type}", "a clock is a number of seconds or milliseconds", "error")
    place = (tag.device, tag.table, 0 if tag.interval_s != tag.interval_s else round(min(tag.interval_s, 1e9) * 1000))
    other = clocks.setdefault(place, tag)
    if other is not tag:
        what = f"{tag.name} and {other.name} are clocks of the same registers"
        yield line, (what, "keep one for each device, table and interval", "error")


def _overlaps(placed: Sequence[_Placed]) -> Iterator[_Found]:
    # tags that reach beyond the start at hand; of two that may not share only the longer stays, which keeps it short
    reach: list[_Placed] = []
    for span in placed:
        start, end, line, tag = span
        reach = [other for other in reach if other[1] > start]
        clash = next((other for other in reach if not _may_share(tag, other[3])), None)
        if clash is None:
            reach.append(span)
            continue
        _, other_end, other_line, other = clash
        what = f"tags {other.name} and {tag.name} (line {min(line, other_line)}) overlap at {tag.table} {start}"
        mend = "mend an address or a type; only bits share a register"
        yield max(line, other_line), (what, mend, "error")
        if end > other_end:
            reach = [*(kept for kept in reach if kept is not clash), span]


def _may_share(one: Tag, other: Tag) -> bool:
    """Tell whether two tags may lie on one register: different bits of it, or a bit and the whole status word."""
    kinds = Counter((one.type, other.type))
    if kinds["bit"] == 2:
        return one.bit != other.bit
    return kinds["bit"] == 1 and kinds["uint16"] + kinds["int16"] == 1


def _unaligned(placed: Sequence[_Placed]) -> Iterator[_Found]:
    """Tell values of several words that begin where this device's others never do."""
    long = [(start, line, tag) for start, _, line, tag in placed if tag.type in NUMBER_FORMATS and tag.registers > 1]
    if len(long) < _FEW:
        return
    odd = sum(start % 2 for start, _, _ in long)
    rare = 1 if 2 * odd < len(long) else 0
    strays = [(line, tag) for start, line, tag in long if start % 2 == rare]
    if len(strays) > _RARE * len(long):
        return
    habit = "even" if rare else "odd"
    for line, tag in strays:
        what = f"{tag.type} {tag.name} at {tag.table} {tag.address} is unaligned"
        mend = f"the other {len(long) - len(strays)} long values of {tag.device} begin at {habit} addresses; look again"
        yield line, (what, mend, "warning")
