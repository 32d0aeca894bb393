"""Where on Earth the coordinates of a model lie."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyproj import Transformer
from pyproj.exceptions import ProjError

from umanflow.report.errors import ReportError

_LEAVE_OUT = "or leave it out: then no longitude and latitude is written"


class Earth:
    """From a model's coordinates to longitude and latitude.

    Parameters
    ----------
    crs
        Reference system of the coordinates ("EPSG:32636").

    Raises
    ------
    ReportError
        If there is none of that name.
    """

    def __init__(self, crs: str) -> None:
        self.crs = crs
        try:
            self._transformer = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        except ProjError as error:
            raise ReportError(
                f"no coordinate reference system '{crs}'", "crs", f"write it as EPSG:32636, {_LEAVE_OUT}"
            ) from error

    def place(self, x: float, y: float) -> tuple[float, float] | None:
        """Longitude and latitude of a point, degrees; None where it does not lie in the reference system."""
        lon, lat = self._transformer.transform(x, y)
        is_there = math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180.0 and abs(lat) <= 90.0
        return (float(lon), float(lat)) if is_there else None

    def geometry(self, points: Sequence[tuple[float, float]], name: str) -> dict[str, object] | None:
        """Make a GeoJSON Point or LineString; None for no points.

        Raises
        ------
        ReportError
            If a point does not lie in the reference system; `name` says what it belongs to.
        """
        if not points:
            return None
        places = []
        for x, y in points:
            place = self.place(x, y)
            if place is None:
                raise ReportError(
                    f"the coordinates of {name} do not lie in {self.crs}", "crs", f"correct `crs`, {_LEAVE_OUT}"
                )
            places.append([round(place[0], 8), round(place[1], 8)])
        if len(places) == 1:
            return {"type": "Point", "coordinates": places[0]}
        return {"type": "LineString", "coordinates": places}
