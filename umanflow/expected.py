"""What the model expects a tag to read by the clock: the source of alarms that look at the deviation from the model."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hydro.engine import Engine
from networks import load
from scada.quantity import si_factor
from scada.tag import Tag

_DAY, _WEEK = 86_400, 7 * 86_400
_NODE, _LINK = ("pressure", "level"), ("flow", "status")


class ModelExpectation:
    """Values of tags by the time of the week, from one run of the configured network with its own patterns.

    The model's first day is a Monday by the clock of the zone; a model whose patterns repeat after a day gives the same
    day seven times. Eight days are run and the first is thrown away: tanks begin where somebody set them. Pressure and
    level of nodes, flow and status of links are expected; anything else is not known.

    Parameters
    ----------
    network
        Catalogue name or INP path.
    tags
        Those that may be asked for.
    timezone
        Of the model's clock.
    """

    def __init__(self, network: str, tags: Iterable[Tag], timezone: str) -> None:
        self._network, self._zone = network, ZoneInfo(timezone)
        self._tags = {tag.name: tag for tag in tags}
        self._times: list[int] = []
        self._values: dict[str, NDArray[np.float64]] = {}

    def prepare(self, names: Iterable[str]) -> None:
        """Run the model for some tags; takes some seconds.

        Raises
        ------
        HydraulicError, NetworkError
            If the model cannot be run.
        """
        with Engine(load(self._network)) as engine:
            columns = {name: place for name in names if (place := self._place(engine, self._tags[name])) is not None}
            rows: list[list[float]] = []
            engine.duration = _DAY + _WEEK
            engine.start()
            while True:
                now = engine.solve()
                if now >= _DAY:
                    read = {key: engine.read(*key) for key in {key for key, _, _ in columns.values()}}
                    self._times.append(now - _DAY)
                    rows.append([float(read[key][at]) * factor for key, at, factor in columns.values()])
                if engine.advance() <= 0:
                    break
        table = np.array(rows)
        self._values = {name: table[:, k] for k, name in enumerate(columns)}

    @property
    def known(self) -> frozenset[str]:
        """Tags that the model was found to know of."""
        return frozenset(self._values)

    def __call__(self, tag: str, time_ms: int) -> float:
        """What a tag should read, in its unit; NaN where the model does not know."""
        values = self._values.get(tag)
        if values is None:
            return math.nan
        local = datetime.fromtimestamp(time_ms / 1000.0, UTC).astimezone(self._zone)
        seconds = local.weekday() * _DAY + local.hour * 3600 + local.minute * 60 + local.second
        at = (seconds - _DAY) % _WEEK  # the run's first kept day is its second, a Tuesday
        return float(values[bisect_right(self._times, at) - 1])

    @staticmethod
    def _place(engine: Engine, tag: Tag) -> tuple[tuple[str, str], int, float] | None:
        """What to read for a tag: kind and quantity, the row, and what makes it the tag's unit of it."""
        factor = si_factor(tag.unit, tag.quantity)
        if not factor:
            return None
        if tag.quantity in _NODE and tag.element in engine.topology.node_index:
            return ("node", "pressure"), engine.topology.node(tag.element), 1.0 / factor
        if tag.quantity in _LINK and tag.element in engine.topology.link_index:
            return ("link", tag.quantity), engine.topology.link(tag.element), 1.0 / factor
        return None
