"""Numbers with limits: a value and what each independent input contributes to its standard deviation.

Errors of inputs are independent and normal, and propagate to first order, so that variances add ("sums in
quadrature", AWWA M36, 4th ed., chapter on validation; JCGM 100:2008, 5.1.2). Every number remembers which input its
error comes from: a quantity that enters a result twice, such as the system input in the ratio of losses to input,
does not count as two.

A result that lacks an input is no number but a `Lack`, which says what is missing; it passes through arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

Z95 = 1.959963984540054  # of the standard normal distribution: 95 % lie within +-Z95


@dataclass(frozen=True, slots=True)
class Lack:
    """A result that cannot be computed.

    Attributes
    ----------
    names
        Keys of the inputs that are missing, in the order in which they were missed.
    """

    names: tuple[str, ...]

    def join(self, other: Lack) -> Lack:
        """What both lack."""
        return Lack(tuple(dict.fromkeys((*self.names, *other.names))))


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A number with its error.

    Attributes
    ----------
    value
        The best estimate.
    parts
        Input -> derivative by the input times the input's standard deviation.
    """

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return math.sqrt(sum(part * part for part in self.parts.values()))

    @property
    def half(self) -> float:
        """Half the width of the 95 % limits."""
        return Z95 * self.sd

    @property
    def low(self) -> float:
        """Lower 95 % limit."""
        return self.value - self.half

    @property
    def high(self) -> float:
        """Upper 95 % limit."""
        return self.value + self.half

    @property
    def shares(self) -> dict[str, float]:
        """Share of the variance by input, largest first; empty where nothing is uncertain."""
        total = self.sd**2
        if total <= 0.0:
            return {}
        found = {name: part * part / total for name, part in self.parts.items() if part != 0.0}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def covers(self, truth: float) -> bool:
        """Whether a value lies within the 95 % limits."""
        return self.low <= truth <= self.high

    def __add__(self, other: Uncertain | float) -> Uncertain:
        other = exact(other)
        return Uncertain(self.value + other.value, _mixed(self, 1.0, other, 1.0))

    def __radd__(self, other: float) -> Uncertain:
        return self + other

    def __sub__(self, other: Uncertain | float) -> Uncertain:
        other = exact(other)
        return Uncertain(self.value - other.value, _mixed(self, 1.0, other, -1.0))

    def __rsub__(self, other: float) -> Uncertain:
        return exact(other) - self

    def __neg__(self) -> Uncertain:
        return 0.0 - self

    def __mul__(self, other: Uncertain | float) -> Uncertain:
        other = exact(other)
        return Uncertain(self.value * other.value, _mixed(self, other.value, other, self.value))

    def __rmul__(self, other: float) -> Uncertain:
        return self * other

    def __truediv__(self, other: Uncertain | float) -> Uncertain:
        other = exact(other)
        ratio = self.value / other.value
        return Uncertain(ratio, _mixed(self, 1.0 / other.value, other, -ratio / other.value))

    def __rtruediv__(self, other: float) -> Uncertain:
        return exact(other) / self

    def __pow__(self, exponent: Uncertain | float) -> Uncertain:
        """Power of a positive number."""
        exponent = exact(exponent)
        value = self.value**exponent.value
        by_base = exponent.value * value / self.value
        return Uncertain(value, _mixed(self, by_base, exponent, value * math.log(self.value)))


Result = Uncertain | Lack


def exact(value: Uncertain | float) -> Uncertain:
    """A number without error, or the number itself."""
    return value if isinstance(value, Uncertain) else Uncertain(float(value))


def stated(name: str, value: float, half: float) -> Uncertain:
    """An input: its value and half the width of its 95 % limits; inputs of one name are one input."""
    return Uncertain(value, {name: half / Z95})


def total(numbers: list[Uncertain]) -> Uncertain:
    """Sum; 0 of none."""
    found = Uncertain(0.0)
    for number in numbers:
        found = found + number
    return found


def lacking(*results: Result | None) -> Lack | None:
    """Join what is missing among results; None where all are numbers."""
    lack: Lack | None = None
    for result in results:
        if isinstance(result, Lack):
            lack = result if lack is None else lack.join(result)
    return lack


def add(*results: Result) -> Result:
    """Sum of results, or what they lack."""
    return lacking(*results) or total([r for r in results if isinstance(r, Uncertain)])


def subtract(first: Result, *others: Result) -> Result:
    """One result less others, or what they lack."""
    if isinstance(first, Lack):
        return lacking(first, *others) or first
    rest = add(*others)
    return rest if isinstance(rest, Lack) else first - rest


def multiply(first: Result, second: Result | float) -> Result:
    """Product, or what is lacking."""
    if isinstance(first, Lack):
        return first.join(second) if isinstance(second, Lack) else first
    return second if isinstance(second, Lack) else first * second


def divide(first: Result, second: Result | float) -> Result:
    """Quotient, or what is lacking; a divisor of zero is lacking too."""
    if isinstance(first, Lack):
        return first.join(second) if isinstance(second, Lack) else first
    if isinstance(second, Lack):
        return second
    return first / second if exact(second).value != 0.0 else Lack(("divisor",))


def _mixed(first: Uncertain, by_first: float, second: Uncertain, by_second: float) -> dict[str, float]:
    parts = {name: by_first * part for name, part in first.parts.items()}
    for name, part in second.parts.items():
        parts[name] = parts.get(name, 0.0) + by_second * part
    return parts
