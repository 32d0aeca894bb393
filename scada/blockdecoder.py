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
    """Neighbours of one type and byte order: their place among the sorted values and among the gathered words."""

    values: slice
    words: slice
    dtype: np.dtype[np.generic]
    is_wide: bool


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
    Planned once: values are sorted by type and byte order, so that at read time one gather brings all words into place,
    one view for each type and byte order turns them into numbers, and one more gather puts these into the order of the
    tags. There is no loop over tags. Swapping the bytes of each word is the same as reversing the words and reading the
    value with the other byte order, which costs nothing.
    """

    def __init__(self, tags: Sequence[Tag], start: int) -> None:
        self.names = tuple(tag.name for tag in tags)
        self._scale = np.array([tag.scale for tag in tags], dtype=np.float64)
        self._offset = np.array([tag.offset for tag in tags], dtype=np.float64)
        self._is_scaled = bool(np.any(self._scale != 1.0) or np.any(self._offset != 0.0))
        groups: dict[tuple[str, bool], list[int]] = {}
        bits: list[int] = []
        for position, tag in enumerate(tags):
            if tag.address < start:
                raise CodecError(f"tag {tag.name} at {tag.address} lies before the block at {start}")
            if tag.type in NUMBER_FORMATS:
                groups.setdefault((tag.type, tag.order in {"BADC", "DCBA"}), []).append(position)
            elif not tag.is_text:
                bits.append(position)
        gather: list[int] = []
        placed: list[int] = []
        self._runs: list[_Run] = []
        # wide types first: then every view begins at a multiple of its size
        for (kind, is_swapped), positions in sorted(groups.items(), key=lambda group: -NUMBER_FORMATS[group[0][0]][1]):
            words_at, values_at = len(gather), len(placed)
            for position in positions:
                first = tags[position].address - start
                gather.extend(first + offset for offset in _memory_words(kind, tags[position].order))
            placed.extend(positions)
            dtype = np.dtype(kind)
            run = _Run(
                slice(values_at, len(placed)),
                slice(words_at, len(gather)),
                dtype.newbyteorder() if is_swapped else dtype,
                kind in {"int64", "uint64"},
            )
            self._runs.append(run)
        self._bits = slice(len(placed), len(placed) + len(bits))
        self._bit_words = slice(len(gather), len(gather) + len(bits))
        gather.extend(tags[position].address - start for position in bits)
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
        words = block[self._gather]
        values = np.empty(len(self._tag_of) + 1)
        values[-1] = np.nan
        inexact: list[NDArray[np.intp]] = []
        with np.errstate(invalid="ignore"):  # a signalling NaN would warn when it is widened
            for run in self._runs:
                numbers = words[run.words].view(run.dtype)
                values[run.values] = numbers
                if run.is_wide:
                    rounded = _rounded(numbers, values[run.values])
                    inexact.append(self._tag_of[run.values][rounded])
        if len(self._masks):
            values[self._bits] = (words[self._bit_words] & self._masks) != 0
        lost = np.concatenate(inexact) if inexact else None
        in_order = values[:-1] if self._is_sorted else values[self._places]
        return Raw(in_order, lost if lost is not None and len(lost) else None)

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


def _memory_words(kind: str, order: str) -> tuple[int, ...]:
    """Return which words to gather for a view with this machine's byte order, or the other one if bytes are swapped."""
    offsets = word_offsets(kind, order)
    return offsets[::-1] if order in {"BADC", "DCBA"} else offsets


def _rounded(numbers: NDArray[np.generic], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which 64-bit integers are not exactly the float64 they became."""
    result = np.abs(values) >= _LARGEST_EXACT
    if not result.any():
        return result
    # exact if the bits between the first and the last that are set are no more than 53: the rest is a power of two
    native = numbers.astype(numbers.dtype.newbyteorder("="))[result]
    size = np.where(native < 0, -native.astype(np.uint64), native.astype(np.uint64))
    lowest = size & (~size + np.uint64(1))
    result[result] = size // np.maximum(lowest, np.uint64(1)) > np.uint64(_LARGEST_EXACT)
    return result


def _mask(tag: Tag) -> int:
    """Return which bits of the register make the tag true: any for bool, one for bit."""
    if tag.type == "bool":
        return 0xFFFF
    return 1 << (tag.bit ^ 8 if tag.order in {"BADC", "DCBA"} else tag.bit)
