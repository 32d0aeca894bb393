"""Tables beside an INP: what belongs to a network and has no place in the file itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from networks.errors import UnreadableNetwork
from networks.leakage import Leakage

if TYPE_CHECKING:
    import pandas as pd

# table: its key and the columns that it must have
COLUMNS = {
    "pipes": ("pipe", "material", "year", "breaks", "dma", "street"),
    "breaks": ("pipe", "month"),
    "nodes": ("node", "dma", "street", "connections", "storeys"),
    "valves": ("valve", "pipe", "node", "kind"),
    "hydrants": ("hydrant", "node", "street"),
    "dmas": ("dma", "large_block", "zone", "inlet", "prv", "critical_node"),
    "sensors": ("sensor", "quantity", "element", "dma", "delivery", "role"),
    "leakage": ("pipe", "area_mm2_per_100m", "expansion_mm2_per_m_per_100m"),
}
_WHOLE = {"year", "breaks", "connections", "storeys"}
_NUMBERS = {"area_mm2_per_100m", "expansion_mm2_per_m_per_100m"}


def read_table(folder: Path | None, name: str) -> pd.DataFrame | None:
    """Read one of the tables; None where there is none.

    Parameters
    ----------
    folder
        Where `<name>.csv` may be.
    name
        One of `COLUMNS`.

    Raises
    ------
    UnreadableNetwork
        If a column is missing or a number is none.
    """
    path = folder / f"{name}.csv" if folder is not None else None
    if path is None or not path.is_file():
        return None
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UnreadableNetwork(path, f"cannot be read as CSV: {str(error).splitlines()[0]}") from error
    missing = [c for c in COLUMNS[name] if c not in table.columns]
    if missing:
        raise UnreadableNetwork(path, f"has no column '{missing[0]}'; its header is {','.join(COLUMNS[name])}")
    for column in [c for c in table.columns if c in _WHOLE | _NUMBERS]:
        try:
            table[column] = table[column].astype(np.int64 if column in _WHOLE else np.float64)
        except ValueError as error:
            raise UnreadableNetwork(path, f"column '{column}': {error}") from error
    return table


def read_leakage(folder: Path | None) -> Leakage | None:
    """Read leakage.csv; None where there is none."""
    table = read_table(folder, "leakage")
    if table is None:
        return None
    return Leakage(
        tuple(table["pipe"]),
        table["area_mm2_per_100m"].to_numpy(dtype=np.float64),
        table["expansion_mm2_per_m_per_100m"].to_numpy(dtype=np.float64),
    )
