"""Which requests fetch a set of tags.

Tags that share device, table and interval travel together: reading a few registers nobody asked for is cheaper than
another round trip. A value of several words is never split, because the device may change it between two requests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from scada.errors import PlanError
from scada.tag import Tag

__all__ = ["BIT_TABLES", "MAX_BITS", "MAX_GAP", "MAX_REGISTERS", "Request", "plan", "refused_free", "request_for"]

MAX_REGISTERS = 125  # a reply holds at most 250 bytes of data (Modbus application protocol 1.1b3, 6.3)
MAX_BITS = 2000
MAX_GAP = 16
BIT_TABLES = frozenset({"coil", "discrete"})


@dataclass(frozen=True, slots=True)
class Request:
    """One read request.

    Attributes
    ----------
    device : str
    table : str
        coil, discrete, holding or input.
    start : int
        First address on the wire.
    count : int
        Registers, or bits of a coil or discrete table.
    tags : tuple of Tag
        What the reply holds, by address.
    """

    device: str
    table: str
    start: int
    count: int
    tags: tuple[Tag, ...]


def request_for(tags: Sequence[Tag]) -> Request:
    """Return the one request that spans `tags`, which share device and table and are sorted by address."""
    end = max(tag.address + tag.registers for tag in tags)
    start = tags[0].address
    return Request(tags[0].device, tags[0].table, start, end - start, tuple(tags))


def plan(
    tags: Iterable[Tag],
    max_registers: int = MAX_REGISTERS,
    max_bits: int = MAX_BITS,
    max_gap: int = MAX_GAP,
    refused: Mapping[str, Collection[int]] | None = None,
) -> list[Request]:
    """Return the fewest requests that fetch every tag.

    Parameters
    ----------
    tags : iterable of Tag
    max_registers : int
        Most registers the device answers at once.
    max_bits : int
        Most coils or discrete inputs at once.
    max_gap : int
        Longest run of unwanted addresses to read through.
    refused : mapping of str to collection of int, optional
        Addresses by table that no request may touch.

    Returns
    -------
    list of Request
        By device, table, interval and address.

    Raises
    ------
    PlanError
        A tag alone is longer than the device's maximum, or lies where the device refuses.

    Notes
    -----
    Taking tags from the lowest address on and closing a request only when the next tag does not fit is optimal for
    covering intervals on a line: whatever does not fit begins later and ends later than all that did, so that no tag
    behind it is lost by beginning anew.
    """
    groups: dict[tuple[str, str, int], list[Tag]] = {}
    for tag in tags:
        groups.setdefault((tag.device, tag.table, tag.interval_ms), []).append(tag)
    requests: list[Request] = []
    for (_, table, _), group in sorted(groups.items()):
        limit = max_bits if table in BIT_TABLES else max_registers
        no = (refused or {}).get(table, ())
        requests.extend(_cover(sorted(group, key=lambda tag: (tag.address, tag.bit)), limit, max_gap, no))
    return requests


def _cover(tags: list[Tag], limit: int, max_gap: int, refused: Collection[int]) -> list[Request]:
    requests: list[Request] = []
    block: list[Tag] = []
    end = 0
    for tag in tags:
        tag_end = tag.address + tag.registers
        if tag.registers > limit:
            raise PlanError(f"tag {tag.name} takes {tag.registers} registers, device {tag.device} answers {limit}")
        if refused and not refused_free(refused, tag.address, tag_end):
            raise PlanError(f"tag {tag.name} lies at an address that device {tag.device} refuses")
        if block and (
            tag.address - end > max_gap
            or max(end, tag_end) - block[0].address > limit
            or (refused and not refused_free(refused, end, tag.address))
        ):
            requests.append(request_for(block))
            block = []
        end = max(end, tag_end) if block else tag_end
        block.append(tag)
    if block:
        requests.append(request_for(block))
    return requests


def refused_free(refused: Collection[int], start: int, end: int) -> bool:
    """Tell whether no address from `start` up to `end` is refused."""
    return not any(address in refused for address in range(start, end))
