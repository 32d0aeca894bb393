"""Replies that may still come: over serial framing nothing tells them from the answer to the next request.

A serial frame bears a unit, a function code and a length, and no number. After a timeout the answer may be on its way
still; closing the port does not stop it, and an answer of the same form would be taken for that to a later request. A
device answers in the order in which it is asked, so a request of another form settles the matter: once its answer is
there, no older one can come.
"""

from __future__ import annotations

from scada.frames import FUNCTION_OF

__all__ = ["LateReplies", "latest_s"]

_LATEST_S = 2.0  # what a 4G modem adds at most
_LATEST_PATIENCES = 10


def latest_s(timeout_s: float) -> float:
    """Return how late a reply can be, s: ten times the patience its device is given, and 2 s at least."""
    return max(_LATEST_S, _LATEST_PATIENCES * timeout_s)


class LateReplies:
    """Forms of the replies that may still come, by unit."""

    def __init__(self) -> None:
        self._forms: dict[int, dict[tuple[int, int], float]] = {}

    def expect(self, unit: int, table: str, count: int, until_s: float) -> None:
        """Remember that a request was given up unanswered, and may be answered until then."""
        self._forms.setdefault(unit, {})[_form(table, count)] = until_s

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

    def may_refuse(self, unit: int, table: str) -> bool:
        """Tell whether a refusal with the function code of `table` may be a late one."""
        return any(function == FUNCTION_OF[table] for function, _ in self._forms.get(unit, ()))

    def probes(self, unit: int, table: str, count: int) -> list[tuple[str, int, bool]]:
        """Return requests whose replies cannot be mistaken: table, count, and whether a refusal settles it too.

        A shorter piece of what was asked is known to any device. Another function code serves where there is none;
        even its refusal bears that code.
        """
        forms = self._forms.get(unit, {})
        step = 8 if table in {"coil", "discrete"} else 1
        shorter = [(table, other, False) for other in range(1, count, step) if _form(table, other) not in forms]
        functions = {function for function, _ in forms}
        others = [(other, 1, True) for other in FUNCTION_OF if FUNCTION_OF[other] not in functions]
        return [*shorter[:1], *others, *shorter[1:2]]


def _form(table: str, count: int) -> tuple[int, int]:
    """Return function code and bytes of a reply."""
    return FUNCTION_OF[table], (count + 7) // 8 if table in {"coil", "discrete"} else 2 * count
