"""A whole reply to engineering values at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scada.codec import NUMBER_FORMATS
from scada.errors import CodecError
from scada.tag import Tag

__all__ = ["BlockDecoder", "Raw", "word_offsets"]

_NONE = np.empty(0, dtype=np.intp)
_LARGEST_EXACT = 2.0**53  # every whole number up to it is a float64


def word_offsets(kind: str, order: str) -> tuple[int, ...]:
    """Return which word of a value, as it lies on the wire, comes first, second... in this machine's memory."""
    _, count = NUMBER_FORMATS[kind]
    offsets = range(count)
    # the wire has the most significant word first unless the order reverses it; little-endian memory has it last
    is_reversed = order in {"CDAB", "DCBA"}
    return tuple(reversed(offsets)) if is_reversed != (sys.byteorder == "little") else tuple(offsets)


@dataclass(frozen=True, slots=True)
class Raw:
    """What the registers of a block hold.

    Attributes
    ----------
    values : float64 [n_tags]
        Raw values in the order of the tags; NaN for text.
    inexact : intp [n] or None
        Tags whose 64-bit integer is no float64 and was rounded; None where there is none, which is nearly always.
    """

    values: NDArray[np.float64]
    inexact: NDArray[np.intp] | None


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbours of one type: their place among the sorted values and among the gathered bytes.

    `beyond` is the first float64 too large for a 64-bit integer type; 0 for the others, which are all exact.
    """

    values: slice
    data: slice
    dtype: np.dtype[np.generic]
    beyond: float


class BlockDecoder:
    """Decodes one block of registers into all its tags.

    Parameters
    ----------
    tags : sequence of Tag
        What the block holds; text tags give NaN.
    start : int
        Address of the block's first register.

    Notes
    -----
    Planned once: values are sorted by type, so that at read time one gather brings all bytes into place, whatever the
    orders, one view for each type turns them into numbers, and one more gather puts these into the order of the tags.
    There is no loop over tags.
    """

    def __init__(self, tags: Sequence[Tag], start: int) -> None:
        self.names = tuple(tag.name for tag in tags)
        self._scale = np.array([tag.scale for tag in tags], dtype=np.float64)
        self._offset = np.array([tag.offset for tag in tags], dtype=np.float64)
        self._is_scaled = bool(np.any(self._scale != 1.0) or np.any(self._offset != 0.0))
        groups: dict[str, list[int]] = {}
        bits: list[int] = []
        for position, tag in enumerate(tags):
            if tag.address < start:
                raise CodecError(f"tag {tag.name} at {tag.address} lies before the block at {start}")
            if tag.type in NUMBER_FORMATS:
                groups.setdefault(tag.type, []).append(position)
            elif not tag.is_text:
                bits.append(position)
        gather: list[int] = []
        placed: list[int] = []
        self._runs: list[_Run] = []
        # wide types first: then every view begins at a multiple of its size
        for kind, positions in sorted(groups.items(), key=lambda group: -NUMBER_FORMATS[group[0]][1]):
            data_at, values_at = len(gather), len(placed)
            for position in positions:
                gather.extend(_bytes(tags[position], start))
            placed.extend(positions)
            beyond = {"int64": 2.0**63, "uint64": 2.0**64}.get(kind, 0.0)
            run = _Run(slice(values_at, len(placed)), slice(data_at, len(gather)), np.dtype(kind), beyond)
            self._runs.append(run)
        self._bits = slice(len(placed), len(placed) + len(bits))
        self._bit_words = np.array([tags[position].address - start for position in bits], dtype=np.intp)
        placed.extend(bits)
        self._masks = np.array([_mask(tags[position]) for position in bits], dtype=np.uint16)
        self._gather = np.array(gather, dtype=np.intp)
        self._tag_of = np.array(placed, dtype=np.intp)
        # where each tag's value lies among the sorted ones; text takes the NaN at their end
        self._places = np.full(len(tags), len(placed), dtype=np.intp)
        self._places[self._tag_of] = np.arange(len(placed))
        self._is_sorted = len(placed) == len(tags) and bool((self._places == np.arange(len(tags))).all())

    def read(self, block: NDArray[np.uint16]) -> Raw:
        """Return the raw values.

        Parameters
        ----------
        block : uint16 [n_registers]
            Registers, or bits of a coil table as 0 and 1.
        """
        data = np.ascontiguousarray(block).view(np.uint8)[self._gather]
        values = np.empty(len(self._tag_of) + 1)
        values[-1] = np.nan
        inexact: list[NDArray[np.intp]] = []
        with np.errstate(invalid="ignore"):  # a signalling NaN would warn when it is widened
            for run in self._runs:
                numbers = data[run.data].view(run.dtype)
                values[run.values] = numbers
                if run.beyond:
                    rounded = _rounded(numbers, values[run.values], run.beyond)
                    if rounded is not None:
                        inexact.append(self._tag_of[run.values][rounded])
        if len(self._masks):
            values[self._bits] = (block[self._bit_words] & self._masks) != 0
        lost = np.concatenate(inexact) if inexact else _NONE
        in_order = values[:-1] if self._is_sorted else values[self._places]
        return Raw(in_order, lost if len(lost) else None)

    def raw(self, block: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Return the raw values alone, float64 [n_tags]; see :meth:`read`."""
        return self.read(block).values

    def engineering(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return raw x scale + offset, float64 [n_tags], each in its tag's unit."""
        if not self._is_scaled:
            return raw
        with np.errstate(over="ignore", invalid="ignore"):  # nonsense from the wire is judged, not warned about
            return raw * self._scale + self._offset

    def decode(self, block: NDArray[np.uint16]) -> NDArray[np.float64]:
        """Return the engineering values of a block, float64 [n_tags]; see :meth:`read`."""
        return self.engineering(self.raw(block))


def _bytes(tag: Tag, start: int) -> list[int]:
    """Return which bytes of a block, as it lies in memory, make the tag's value, in this machine's order."""
    is_swapped = int(tag.order in {"BADC", "DCBA"})
    words = [tag.address - start + offset for offset in word_offsets(tag.type, tag.order)]
    return [2 * word + (byte ^ is_swapped) for word in words for byte in (0, 1)]


def _rounded(numbers: NDArray[np.generic], values: NDArray[np.float64], beyond: float) -> NDArray[np.bool_] | None:
    """Tell which 64-bit integers are not exactly the float64 they became; None when all are."""
    if not (np.abs(values) >= _LARGEST_EXACT).any():
        return None
    # what rounds up to one more than the largest integer cannot be turned back
    rounded: NDArray[np.bool_] = (values.astype(numbers.dtype) != numbers) | (values >= beyond)
    return rounded


def _mask(tag: Tag) -> int:
    """Return which bits of the register make the tag true: any for bool, one for bit."""
    if tag.type == "bool":
        return 0xFFFF
    return 1 << (tag.bit ^ 8 if tag.order in {"BADC", "DCBA"} else tag.bit)
