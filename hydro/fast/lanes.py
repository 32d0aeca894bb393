"""Vectors of doubles in Numba: sixteen scenarios to an operation, without hoping that a loop gets vectorised.

A kernel that works on rows `x[i, :]` is written as if for one scenario: `put(x, i, row(x, j) * row(x, k))`. Numba's own
vectoriser would have to prove that rows of one array do not overlap, fails, and checks at run time in every little
loop; here each operation is one LLVM instruction on `<16 x double>`, which LLVM cuts to what the processor has
(AVX-512, AVX2, SSE, NEON). A product and a sum may fuse (`contract`), nothing else is relaxed: NaN goes through.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

WIDTH = 16

_DOUBLE, _LONG = ir.DoubleType(), ir.IntType(64)
_DOUBLES, _LONGS = ir.VectorType(_DOUBLE, WIDTH), ir.VectorType(_LONG, WIDTH)
_FUSED = ("contract",)
_ALIGN = 8
_MANTISSA, _ONE, _BIAS, _BITS = 0x000FFFFFFFFFFFFF, 0x3FF0000000000000, 1023, 52
# added and taken away again, rounds to an integer whose bits are then the lowest ones
_ROUNDER = 6755399441055744.0


class Lanes(types.Type):  # type: ignore[misc]
    """Numba's type of one number for each of `WIDTH` scenarios."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{WIDTH}")


LANES = Lanes()


@register_model(Lanes)
class _Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _DOUBLES)


class _Binary(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        if len(args) == 2 and all(isinstance(a, Lanes) for a in args):
            return signature(LANES, LANES, LANES)
        return None


def _define(function: Any, emit: Any) -> None:
    infer_global(function)(type(f"_{function.__name__}", (_Binary,), {}))

    @lower_builtin(function, Lanes, Lanes)  # type: ignore[untyped-decorator]
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return emit(builder, *args)


_define(operator.add, lambda b, x, y: b.fadd(x, y, flags=_FUSED))
_define(operator.sub, lambda b, x, y: b.fsub(x, y, flags=_FUSED))
_define(operator.mul, lambda b, x, y: b.fmul(x, y, flags=_FUSED))
_define(operator.truediv, lambda b, x, y: b.fdiv(x, y))


def _constant(value: float) -> Any:
    return ir.Constant(_DOUBLES, [value] * WIDTH)


def _whole(value: int) -> Any:
    return ir.Constant(_LONGS, [value] * WIDTH)


def _address(context: Any, builder: Any, array: Any, value: Any, index: Any) -> Any:
    struct = context.make_array(array)(context, builder, value)
    offset = builder.mul(index, ir.Constant(_LONG, WIDTH))
    return builder.bitcast(builder.gep(struct.data, [offset]), _DOUBLES.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def row(typing: Any, array: Any, index: Any) -> Any:
    """Row `index` of a C-contiguous float64 [n, WIDTH]."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        where = context.cast(builder, args[1], sig.args[1], types.int64)
        return builder.load(_address(context, builder, sig.args[0], args[0], where), align=_ALIGN)

    return LANES(array, index), emit


@intrinsic  # type: ignore[untyped-decorator]
def put(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write row `index` of a C-contiguous float64 [n, WIDTH]."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        where = context.cast(builder, args[1], sig.args[1], types.int64)
        builder.store(args[2], _address(context, builder, sig.args[0], args[0], where), align=_ALIGN)
        return context.get_dummy_value()

    return types.void(array, index, LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def splat(typing: Any, value: Any) -> Any:
    """The same number in every lane."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        first = builder.insert_element(ir.Constant(_DOUBLES, ir.Undefined), args[0], ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        return builder.shuffle_vector(first, ir.Constant(_DOUBLES, ir.Undefined), mask)

    return LANES(types.float64), emit


def _unary(name: str) -> Any:
    def typed(typing: Any, x: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_DOUBLES, [_DOUBLES]), f"llvm.{name}.v{WIDTH}f64"
            )
            return builder.call(function, args)

        return LANES(LANES), emit

    typed.__name__ = name
    return intrinsic(typed)


magnitude = _unary("fabs")
root = _unary("sqrt")


@intrinsic  # type: ignore[untyped-decorator]
def where_less(typing: Any, a: Any, b: Any, then: Any, other: Any) -> Any:
    """`then` in the lanes where a < b, else `other`."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return LANES(LANES, LANES, LANES, LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def fraction(typing: Any, x: Any) -> Any:
    """The mantissa of a positive normal number, 1 <= m < 2."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.bitcast(args[0], _LONGS)
        return builder.bitcast(builder.or_(builder.and_(bits, _whole(_MANTISSA)), _whole(_ONE)), _DOUBLES)

    return LANES(LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def exponent(typing: Any, x: Any) -> Any:
    """The exponent e of a positive normal number m 2^e, as a double."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.lshr(builder.bitcast(args[0], _LONGS), _whole(_BITS))
        return builder.sitofp(builder.sub(bits, _whole(_BIAS)), _DOUBLES)

    return LANES(LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def nearest(typing: Any, x: Any) -> Any:
    """The nearest integer, for |x| < 2^51."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fsub(builder.fadd(args[0], _constant(_ROUNDER)), _constant(_ROUNDER))

    return LANES(LANES), emit


@intrinsic  # type: ignore[untyped-decorator]
def times_power_of_two(typing: Any, x: Any, n: Any) -> Any:
    """Multiply: x 2^n for an integer n that keeps the result normal."""

    def emit(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        shift = builder.shl(builder.fptosi(args[1], _LONGS), _whole(_BITS))
        return builder.bitcast(builder.add(builder.bitcast(args[0], _LONGS), shift), _DOUBLES)

    return LANES(LANES, LANES), emit
