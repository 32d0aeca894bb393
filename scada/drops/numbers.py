"""Numbers as loggers and spreadsheets write them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MISSING", "AmbiguousNumbers", "read_column", "recognise_decimal"]

Floats = NDArray[np.float64]
MISSING = frozenset(
    {"", "-", "--", "---", "----", "n/a", "na", "#n/a", "#nv", "nan", "null", "none", "nil", "no data", "nodata",
     "n.a.", "\\n", "*", "?", "н/д", "немає", "немає даних", "нема"}
)  # fmt: skip
_BLANKS = str.maketrans("", "", " \u00a0\u202f\u2009'\u2019")  # between thousands
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[ \u00a0\u202f\u2009'\u2019]\d{3})*(?:[.,]\d*)?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")
_PROVES_COMMA = re.compile(r"(?m)^\s*[+-]?(?:\d*,(?:\d{1,2}|\d{4,})|\d{4,},\d*|0\d*,\d+)\s*$")
_POINTS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")


class AmbiguousNumbers(Exception):
    """Decimal sign and thousands cannot be told apart; the text is what and mend."""

    def __init__(self, what: str, mend: str) -> None:
        self.what, self.mend = what, mend
        super().__init__(f"{what}; {mend}")


def recognise_decimal(columns: Iterable[Sequence[Any]], delimiter: str) -> str:
    """Return the decimal sign of a file.

    Parameters
    ----------
    columns : iterable of sequence of cells
    delimiter : str
        Between cells: with ``;`` and tabs goes the decimal comma.

    Raises
    ------
    AmbiguousNumbers
        The cells contradict each other, or 1,234 may be a thousand.
    """
    texts = ["\n".join(cell for cell in column if isinstance(cell, str)) for column in columns]
    if not any("," in text for text in texts):
        return "."
    proof = _proof(texts)
    comma = proof.get("comma") or proof.get("point groups")
    if comma and "point" in proof:
        what = f"'{comma}' has a decimal comma, '{proof['point']}' a decimal point"
        raise AmbiguousNumbers(what, 'state decimal = "," or "."')
    grouped = proof.get("may be groups")
    if grouped and not comma and "point" not in proof and delimiter not in {";", "\t"}:
        what = f"'{grouped}' may be a thousand or a decimal number, and no number of the file tells which"
        raise AmbiguousNumbers(what, 'state decimal = "," or "."')
    return "," if comma or (grouped and "point" not in proof) else "."


def _proof(texts: Iterable[str]) -> dict[str, str]:
    """Return the first cell that shows each thing; a text is a column."""
    proof: dict[str, str] = {}
    for text in texts:
        if "." not in text:  # the usual column, of any length
            found = _PROVES_COMMA.search(text)
            if found is not None:
                proof.setdefault("comma", found[0].strip())
                continue
        for cell in dict.fromkeys(text.split("\n")):
            kind = _shown(cell.strip())
            if kind:
                proof.setdefault(kind, cell.strip())
    if "point groups" not in proof and "may be point" in proof:
        proof.setdefault("point", proof["may be point"])
    return proof


def _shown(cell: str) -> str:
    """What a cell shows of its file's signs."""
    if "," in cell and "." in cell:
        return (
            "point groups"
            if cell.rindex(".") < cell.rindex(",") and _is_plain(cell.replace(".", ""), ",")
            else ("point" if _is_plain(cell.replace(",", ""), ".") else "")
        )
    if "," in cell:
        if _COMMA.fullmatch(cell):
            return "may be groups" if cell.count(",") == 1 else "point"
        return "comma" if _is_plain(cell, ",") else ""
    if "." in cell:
        if _POINTS.fullmatch(cell):
            return "may be point" if cell.count(".") == 1 else "point groups"
        return "point" if _is_plain(cell, ".") else ""
    return ""


def _is_plain(cell: str, sign: str) -> bool:
    """Whether a cell is a number with one decimal sign."""
    return cell.count(sign) == 1 and _NUMBER.fullmatch(cell.strip().translate(_BLANKS).replace(sign, ".")) is not None


def read_column(
    cells: Sequence[Any], decimal: str, missing: Collection[str] = MISSING
) -> tuple[Floats, NDArray[np.intp]]:
    """Read the numbers of a column.

    Parameters
    ----------
    cells : sequence
        Texts; or numbers and None.
    decimal : {'.', ','}
        The other one may stand between thousands; so may blanks and apostrophes.
    missing : collection of str
        Words that mean "no value", in small letters.

    Returns
    -------
    float64 [n]
        NaN where there is no value.
    intp [k]
        Rows that hold something else than a number.
    """
    try:
        values = np.array(list(map(float, _pointed(cells, decimal))), np.float64)
        if np.isfinite(values).all():
            return values, np.array([], np.intp)
    except (TypeError, ValueError, OverflowError):
        pass
    known: dict[Any, float | None] = {}
    values, wrong = np.full(len(cells), np.nan), []
    for row, cell in enumerate(cells):
        try:
            number = known[cell]
        except KeyError:
            number = known[cell] = _value(cell, decimal, missing)
        if number is None:
            wrong.append(row)
        else:
            values[row] = number
    return values, np.array(wrong, np.intp)


def _pointed(cells: Sequence[Any], decimal: str) -> Sequence[Any]:
    """The cells as Python reads them, where that is all they need."""
    if not cells or not isinstance(cells[0], str):
        return [_plain_number(cell) for cell in cells]
    text = "\n".join(cells)
    if "_" in text or (decimal == "," and "." in text) or (decimal == "." and "," in text):
        raise ValueError("not plain")
    if decimal == ",":
        text = text.replace(",", ".")
    parts = text.split("\n")
    if len(parts) != len(cells):
        raise ValueError("a cell has lines")
    return parts


def _plain_number(cell: Any) -> float:
    if isinstance(cell, bool) or not isinstance(cell, (int, float, Decimal)):
        raise TypeError("not plain")
    return float(cell)


def _value(cell: Any, decimal: str, missing: Collection[str]) -> float | None:
    """A cell's number, NaN for no value, None for something else."""
    if cell is None:
        return math.nan
    if not isinstance(cell, str):
        if not isinstance(cell, (int, float, Decimal)):  # a bool is an int: a state
            return None
        number = float(cell)
        return number if math.isfinite(number) else math.nan
    text = cell.strip()
    if text.casefold() in missing:
        return math.nan
    thousands = "." if decimal == "," else ","
    if thousands in text:
        whole, sign, rest = text.partition(decimal)
        groups = whole.lstrip("+-").split(thousands)
        if thousands in rest or not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]):
            return None
        text = whole.replace(thousands, "") + sign + rest
    elif text.translate(_BLANKS) != text:
        if not _GROUPED.fullmatch(text):
            return None
        text = text.translate(_BLANKS)
    text = text.replace(decimal, ".") if decimal != "." else text
    return float(text) if _NUMBER.fullmatch(text) and math.isfinite(float(text)) else None
