"""Leakage of whole pipes, area by area: EPANET 2.3's `[LEAKAGE]`, which WNTR's model cannot hold.

FAVAD: Q = Cd sqrt(2 g) (A0 h^0.5 + m h^1.5), half of a pipe's area at each of its end nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from networks.inp.document import Document
from networks.inp.facts import Facts

Floats = NDArray[np.float64]
_FOOT = 0.3048
NOT_IN_FILE = "Background leakage is not in this file: leakage.csv beside it holds it."  # an INP's title says so


@dataclass(frozen=True, eq=False)
class Leakage:
    """What leaks along pipes.

    Attributes
    ----------
    pipes
        Names, [n_pipes]; other pipes do not leak.
    area_mm2
        float64 [n_pipes], mm2 of opening per 100 m of pipe at no pressure.
    expansion_mm2
        float64 [n_pipes], mm2 by which that opens per metre of pressure head, per 100 m of pipe.
    """

    pipes: tuple[str, ...]
    area_mm2: Floats
    expansion_mm2: Floats

    discharge_coefficient: ClassVar[float] = 0.6
    """EPANET's own; areas for another coefficient have to be scaled."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not len(self.pipes) == len(self.area_mm2) == len(self.expansion_mm2):
            raise ValueError("leakage needs one area and one expansion for each pipe")
        if len(set(self.pipes)) < len(self.pipes):
            raise ValueError("leakage names a pipe twice")
        if not (np.all(self.area_mm2 >= 0.0) and np.all(self.expansion_mm2 >= 0.0)):  # NaN is refused too
            raise ValueError("areas and expansions of leakage must not be negative")

    def __len__(self) -> int:
        return len(self.pipes)


def leakage_of(document: Document) -> Leakage | None:
    """Read `[LEAKAGE]`; None where the file has none.

    Raises
    ------
    ValueError
        If a line is not a pipe, an area and an expansion.
    """
    if "[LEAK" not in document.text.upper():  # cutting a large file into lines takes long
        return None
    found: dict[str, tuple[float, float]] = {}
    for line in document.section("LEAKAGE"):
        try:
            pipe, area, expansion = line.words[:3]
            found[pipe] = float(area), float(expansion)
        except ValueError:
            raise ValueError(f"line {line.number} of [LEAKAGE] is not a pipe, an area and an expansion") from None
    if not found:
        return None
    # in US units EPANET 2.3.5 computes with 100 ft of pipe, yet with a metre of head (found by flow, as the text of its
    # header would have it per foot)
    foot = 1.0 if Facts(document).is_metric else _FOOT
    values = np.array(list(found.values()), dtype=np.float64)
    return Leakage(tuple(found), values[:, 0] / foot, values[:, 1] / foot)
