"""Sixteen channels to an operation: loads and stores anywhere in a frame, and comparisons over all lanes.

Numba's own vectoriser checks at run time, in every row, whether any two of a kernel's arrays overlap, and gives up on
many; explicit vectors (`hydro.fast.lanes`) need neither. Products here are never fused with sums, so that a result
does not depend on what else is computed beside it, nor on the processor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hydro.fast.lanes import LANES, WIDTH, magnitude, root, splat, where_less
from models.scoring.compiled import Floats, kernel

__all__ = ["WIDTH", "any_less", "blocks", "fetch_early", "larger", "load", "magnitude", "padded", "product",
           "root", "smaller", "splat", "store", "tail", "where_finite", "where_less"]  # fmt: skip

_DOUBLE, _LONG = ir.DoubleType(), ir.IntType(64)
_DOUBLES = ir.VectorType(_DOUBLE, WIDTH)
_SINGLES = ir.VectorType(ir.FloatType(), WIDTH)
_LARGEST = float(np.finfo(np.float64).max)


def blocks(n_channels: int) -> int:
    """How many vectors hold so many channels."""
    return -(-n_channels // WIDTH)


def padded(n_channels: int, value: float = 0.0) -> Floats:
    """Return one number for every channel and every spare lane, float64 [n_blocks x WIDTH], aligned to cache lines."""
    n = blocks(n_channels) * WIDTH
    room = np.empty(n + 8)
    first = -room.ctypes.data // 8 % 8
    found = room[first : first + n]
    found[:] = value
    return found


def _pointer(context: Any, builder: Any, array: Any, value: Any, offset: Any, vector: Any) -> Any:
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def load(typing: Any, array: Any, offset: Any) -> Any:
    """Load WIDTH numbers of a contiguous array, from so many numbers after its beginning; singles are widened."""
    is_single = array.dtype == types.float32

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        where = context.cast(builder, args[1], sig.args[1], types.int64)
        vector, align = (_SINGLES, 4) if is_single else (_DOUBLES, 8)
        value = builder.load(_pointer(context, builder, sig.args[0], args[0], where, vector), align=align)
        return builder.fpext(value, _DOUBLES) if is_single else value

    return LANES(array, offset), emit


@intrinsic  # type: ignore[untyped-decorator]
def fetch_early(typing: Any, array: Any, offset: Any) -> Any:
    """Ask for WIDTH numbers that will be loaded soon, also where the array has ended."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        where = context.cast(builder, args[1], sig.args[1], types.int64)
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        ask = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0"
        )
        for line in (0, 8):
            at = builder.add(where, ir.Constant(_LONG, line))
            pointer = builder.bitcast(_pointer(context, builder, sig.args[0], args[0], at, _DOUBLES), byte)
            # to read, into the nearest cache, data
            builder.call(ask, [pointer, ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)])
        return context.get_dummy_value()

    return types.void(array, offset), emit


@intrinsic  # type: ignore[untyped-decorator]
def store(typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """Store WIDTH numbers in a contiguous float64 array."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        where = context.cast(builder, args[1], sig.args[1], types.int64)
        builder.store(args[2], _pointer(context, builder, sig.args[0], args[0], where, _DOUBLES), align=8)
        return context.get_dummy_value()

    return types.void(array, offset, LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def product(typing: Any, a: Any, b: Any) -> Any:
    """Multiply, rounded by itself."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fmul(args[0], args[1])

    return LANES(LANES, LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def where_finite(typing: Any, x: Any, then: Any, other: Any) -> Any:
    """`then` in the lanes where x is a finite number, else `other`."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        fabs = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_DOUBLES, [_DOUBLES]), f"llvm.fabs.v{WIDTH}f64"
        )
        largest = ir.Constant(_DOUBLES, [_LARGEST] * WIDTH)
        is_finite = builder.fcmp_ordered("<=", builder.call(fabs, [args[0]]), largest)
        return builder.select(is_finite, args[1], args[2])

    return LANES(LANES, LANES, LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def larger(typing: Any, a: Any, b: Any) -> Any:
    """The larger of two numbers in each lane; b where either is NaN."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return LANES(LANES, LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def smaller(typing: Any, a: Any, b: Any) -> Any:
    """The smaller of two numbers in each lane; b where either is NaN."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[0], args[1])

    return LANES(LANES, LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def any_less(typing: Any, a: Any, b: Any) -> Any:
    """Whether a < b in any lane."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        less = builder.fcmp_ordered("<", args[0], args[1])
        bits = builder.bitcast(less, ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(WIDTH), 0))

    return types.boolean(LANES, LANES), emit


@kernel
def tail(rows: Any, t: int, first: int, spare: Floats) -> None:
    """Copy the channels of a row that do not fill a vector to `spare`, float64 [WIDTH]; the rest of it stays."""
    n_channels = rows.shape[1]
    for c in range(first, n_channels):
        spare[c - first] = rows[t, c]
