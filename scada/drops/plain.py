"""The body of a CSV without quotes: its columns are read in bulk, without an object for each cell."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PlainBody"]


class PlainBody:
    """Lines with an equal number of cells each, none of them quoted.

    Parameters
    ----------
    lines : list of str
    width : int
        Cells in each line.
    delimiter : str
    """

    def __init__(self, lines: list[str], width: int, delimiter: str) -> None:
        self.lines = lines
        self._width, self._delimiter = width, delimiter
        self._data = ("\n".join(lines) + "\n").encode() if lines else b""

    def column(self, place: int) -> list[str]:
        """Return the cells of a column."""
        cells: list[str] = self._parsed({place: "string"}).column(0).to_pylist() if self._data else []
        return cells

    def codes(self, place: int) -> tuple[NDArray[np.int64], list[str]]:
        """Number the distinct cells of a column; as :func:`scada.drops.distinct.codes`."""
        if not self._data:
            return np.array([], np.int64), []
        import pyarrow as pa

        coded = self._parsed({place: pa.dictionary(pa.int32(), pa.string())}).unify_dictionaries().column(0)
        rows = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in coded.chunks])
        return rows.astype(np.int64), coded.chunk(0).dictionary.to_pylist()

    def numbers(
        self, places: Sequence[int], decimal: str, missing: Collection[str]
    ) -> dict[int, NDArray[np.float64]] | None:
        """Read columns that hold nothing but plain numbers and words for no value.

        Parameters
        ----------
        places : sequence of int
        decimal : {'', '.', ','}
            Empty where it is not known: then what all cells agree to.
        missing : collection of str
            In small letters.

        Returns
        -------
        dict of int to float64 [n], or None
            NaN for no value. None where any cell holds something else, or where signs of decimals and of thousands
            would have to be told apart: that takes a closer look.
        """
        if not self._data or not places:
            return None
        tried = [decimal] if decimal else [".", ","] if self._delimiter in {";", "\t"} else ["."]
        words = sorted({form for word in missing for form in (word, word.upper(), word.capitalize())} | {"NaN"})
        for sign in tried:
            try:
                table = self._parsed(dict.fromkeys(places, "float64"), sign, words)
            except ValueError:  # of which Arrow's errors are
                continue
            found = {place: column.to_numpy() for place, column in zip(sorted(set(places)), table.columns, strict=True)}
            if not any(np.isinf(values).any() for values in found.values()):
                return found
        return None

    def _parsed(self, kinds: dict[int, Any], decimal: str = ".", missing: Sequence[str] = ()) -> Any:
        """Columns of the kinds asked for, by their places."""
        from pyarrow import csv

        places = sorted(kinds)
        return csv.read_csv(
            io.BytesIO(self._data),
            read_options=csv.ReadOptions(column_names=[str(k) for k in range(self._width)], use_threads=False),
            parse_options=csv.ParseOptions(delimiter=self._delimiter, quote_char=False, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types={str(place): kinds[place] for place in places},
                include_columns=[str(place) for place in places],
                null_values=list(missing),
                strings_can_be_null=False,
                decimal_point=decimal,
                check_utf8=False,
            ),
        )
