"""What can be wrong with the input of a water balance.

::

    BalanceError   everything that is wrong with an input, a line each
"""

from __future__ import annotations

from umanflow.errors import UserError


class BalanceError(UserError):
    """Inputs that cannot be; every mistake has a line, all are told at once.

    Attributes
    ----------
    lines
        What, where and how to mend, one mistake each.
    """

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = tuple(lines)
