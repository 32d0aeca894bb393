"""Replies that may still come: over serial framing nothing tells them from the answer to the next request.

A serial frame bears a unit, a function code and a length, and no number. After a timeout the answer may be on its way
still; closing the port does not stop it, and an answer of the same form would be taken for that to a later request. A
device answers in the order in which it is asked, so a request of another form settles the matter: once its answer is
there, no older one can come.
"""

from __future__ import annotations

from collections.abc import Iterator

from scada.frames import FUNCTION_OF

__all__ = ["LATEST_S", "LateReplies"]

LATEST_S = 30.0  # no serial device or modem answers later
_MAX_REGISTERS = 125
_MAX_BITS = 2000


class LateReplies:
    """Forms of the replies that may still come, by unit."""

    def __init__(self) -> None:
        self._forms: dict[int, dict[tuple[int, int], float]] = {}

    def expect(self, unit: int, table: str, count: int, now_s: float) -> None:
        """Remember that a request was given up unanswered."""
        self._forms.setdefault(unit, {})[_form(table, count)] = now_s + LATEST_S

    def forget(self, unit: int) -> None:
        """Nothing older can come: a reply of another form has come from `unit`."""
        self._forms.pop(unit, None)

    def may_be(self, unit: int, table: str, count: int, now_s: float) -> bool:
        """Tell whether a late reply could pass for the answer to such a request."""
        forms = self._forms.get(unit)
        if forms is None:
            return False
        for form, until_s in list(forms.items()):
            if until_s <= now_s:
                del forms[form]
        if not forms:
            del self._forms[unit]
        return _form(table, count) in forms

    def counts(self, unit: int, table: str, count: int) -> Iterator[int]:
        """Yield counts whose replies cannot be mistaken, those within the request first."""
        step, most = (8, _MAX_BITS) if table in {"coil", "discrete"} else (1, _MAX_REGISTERS)
        for other in [*range(1, count, step), *range(count + step, min(count + 4 * step, most) + 1, step)]:
            if _form(table, other) not in self._forms.get(unit, {}):
                yield other


def _form(table: str, count: int) -> tuple[int, int]:
    """Return function code and bytes of a reply."""
    return FUNCTION_OF[table], (count + 7) // 8 if table in {"coil", "discrete"} else 2 * count
