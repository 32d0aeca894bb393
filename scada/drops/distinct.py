"""Cells that say the same, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["codes"]


def codes(cells: Sequence[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """Number the distinct cells in the order they come.

    Returns
    -------
    int64 [n]
        The number of each cell.
    list
        The cells by their numbers.
    """
    import pandas as pd

    column = np.empty(len(cells), object)
    column[:] = cells
    rows, distinct = pd.factorize(column, use_na_sentinel=False)
    return rows.astype(np.int64), list(distinct)
