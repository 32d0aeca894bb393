"""EPANET's binary results as WNTR's tables, block by block: no more memory than the tables take.

The file is EPANET's own (its manual, "Binary output file format"): a head, then for every report step four values of
each node and eight of each link, float32, in the units of the INP.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from wntr.epanet.util import MassUnits, QualType
from wntr.sim.results import ResultsStatus, SimulationResults

from hydro.simtables import LINK_ORDER, LINK_TABLES, NODE_TABLES, LinkConversion, Units, Values, node_si
from networks.inp.facts import FEET_OF_PRESSURE

Blocks = Iterable[list[Values]]

_STRINGS = 240 + 260 + 260  # three lines of title, names of INP and report
_NAME = 32
_FOOT = 0.3048
_PRESSURES = ("PSI", "KPA", "METERS", "BAR", "FEET")  # in the order of EPANET 2.3's codes
_EPILOG = 28  # four reaction rates, number of periods, warning flag, magic number
_FLOW, _STATE = 4, 8  # places among the twelve
_CLOSED, _OPEN = 2, 3
_AVERAGE, _MINIMUM, _RANGE = 1, 2, 4
_FAR = 1e10  # EPANET's "missing", where minima and maxima begin
_BLOCK = 1 << 20  # bytes read at a time, about

# where WNTR's reader says that EPANET warned
_log = logging.getLogger("wntr.epanet.io")


@dataclass(frozen=True)
class Head:
    """What stands before the results.

    Attributes
    ----------
    nodes, links
        Names in EPANET's order.
    link_types
        int32 [n_links], EPANET's codes.
    units
        Units that the results are in.
    times
        Report times, s; one where the results are a statistic.
    ends
        int32 [2, n_links], number of the first and the last node of each link, from 1.
    pressure_code
        EPANET's code of the unit of pressure.
    statistic
        EPANET's code of the statistic over time; 0 for none.
    clock
        First report, report step, duration, s.
    """

    nodes: list[str]
    links: list[str]
    link_types: NDArray[np.int32]
    units: Units
    times: NDArray[Any]
    ends: NDArray[np.int32]
    pressure_code: int
    statistic: int
    clock: tuple[int, int, int]

    @property
    def period(self) -> int:
        """Values of one report step."""
        return len(NODE_TABLES) * len(self.nodes) + len(LINK_TABLES) * len(self.links)


def _names(raw: bytes, encoding: str) -> list[str]:
    fields = (raw[k : k + _NAME] for k in range(0, len(raw), _NAME))
    return [field.split(b"\0", 1)[0].decode(encoding, "replace") for field in fields]


def report_times(statistic: int, start: Any, step: Any, duration: Any) -> NDArray[Any]:
    """Times of the results, s, as `wntr.epanet.io.BinFile` counts them.

    A statistic over the run is one row, at the first report after the start. BinFile knows that of all but AVERAGED,
    takes its one row for a run that was cut short, and fails.
    """
    if statistic:
        return np.array([start + step])
    return np.arange(start, duration + step - (duration % step), step)


def read_head(file: BinaryIO, encoding: str = "utf-8") -> Head:
    """Read what stands before the results; the file is then at the first of them."""
    prolog = np.frombuffer(file.read(60), dtype=np.int32)
    n_nodes, n_tanks, n_links, n_pumps = prolog[2:6].tolist()
    file.seek(_STRINGS, 1)
    _, quality_units = _names(file.read(2 * _NAME), "latin-1")
    mass = quality_units.split("/", 1)[0]
    units = Units(
        flow_code=int(prolog[9]),
        quality=QualType(int(prolog[7])),
        mass=MassUnits[mass] if mass in ("mg", "ug") else MassUnits.mg,
        pressure=FEET_OF_PRESSURE[_PRESSURES[int(prolog[10])]] * _FOOT,
    )
    nodes, links = (_names(file.read(_NAME * n), encoding) for n in (n_nodes, n_links))
    ends = np.frombuffer(file.read(8 * n_links), dtype=np.int32).reshape(2, n_links)
    types = np.frombuffer(file.read(4 * n_links), dtype=np.int32)
    file.seek(8 * n_tanks + 4 * n_nodes + 8 * n_links + 28 * n_pumps + 4, 1)
    start, step, duration = prolog[12:15].tolist()
    return Head(
        nodes,
        links,
        types,
        units,
        times=report_times(int(prolog[11]), *prolog[12:15]),
        ends=ends,
        pressure_code=int(prolog[10]),
        statistic=int(prolog[11]),
        clock=(start, step, duration),
    )


def blocks_of(file: BinaryIO, head: Head, n_steps: int) -> Iterator[list[Values]]:
    """Twelve arrays of some steps at a time; they share one buffer, which the next block overwrites."""
    at_once = max(1, min(n_steps, _BLOCK // (4 * head.period)))
    buffer = np.empty((at_once, head.period), dtype=np.float32)
    ends = np.cumsum([len(head.nodes)] * len(NODE_TABLES) + [len(head.links)] * len(LINK_TABLES))[:-1]
    for first in range(0, n_steps, at_once):
        block = buffer[: min(at_once, n_steps - first)]
        file.readinto(block.view(np.uint8).data)  # type: ignore[attr-defined]
        yield np.split(block, ends, axis=1)


def tables(head: Head, blocks: Blocks) -> tuple[SimulationResults, int]:
    """Make WNTR's results of EPANET's values; return them and the number of steps that there were.

    Parameters
    ----------
    head
        Names, types, units and times.
    blocks
        Twelve arrays of some steps at a time, float32 [n, n_nodes] and [n, n_links], in the units of the file.
    """
    n_steps = len(head.times)
    n_nodes, n_links = len(head.nodes), len(head.links)
    node = {name: np.empty((n_steps, n_nodes), dtype=np.float32) for name in NODE_TABLES}
    link = {name: np.empty((n_steps, n_links), dtype=np.float32) for name in LINK_TABLES}
    conversion, done = LinkConversion(head.link_types, head.units), 0
    for block in blocks:
        rows = slice(done, done + len(block[0]))
        for name, values in zip(NODE_TABLES, block, strict=False):
            node[name][rows] = node_si(name, values, head.units)
        for name, values in zip(LINK_TABLES, block[len(NODE_TABLES) :], strict=True):
            link[name][rows] = conversion.si(name, values)
        done = rows.stop
    results = SimulationResults()
    index = pd.Index(head.times[:done])
    of_nodes, of_links = (pd.Index(names, name="name") for names in (head.nodes, head.links))
    unnamed = of_links.rename(None)  # as WNTR leaves the tables that it computes by type of link
    results.node = {name: pd.DataFrame(node[name][:done], index, of_nodes, copy=False) for name in NODE_TABLES}
    results.link = {
        name: pd.DataFrame(
            link[name][:done], index, unnamed if name in ("headloss", "status", "setting") else of_links, copy=False
        )
        for name in LINK_ORDER
    }
    return results, done


@dataclass(frozen=True, slots=True)
class Reading:
    """What the file of results does not say, or says otherwise.

    Attributes
    ----------
    convergence_error
        Raise where the run was cut short, instead of warning and giving what there is.
    darcy_weisbach
        Whether roughness is a length.
    own_pressure
        Take pressure in the file's own unit, whichever that is; WNTR takes psi with US flows, else metres.
    statistic
        EPANET's code of the statistic over time to make of a series; 0 for none.
    """

    convergence_error: bool = False
    darcy_weisbach: bool = False
    own_pressure: bool = False
    statistic: int = 0


def _over_time(statistic: int, blocks: Blocks) -> list[Values]:
    """One statistic of a series, as `savetimestat` in EPANET's output.c: flows without sign, links open or closed.

    EPANET computes it through a file in the working directory.
    """
    lowest: list[Values] = []
    highest: list[Values] = []
    total: list[Values] = []
    n_steps = 0
    for block in blocks:
        values = list(block)
        values[_FLOW] = np.abs(values[_FLOW])
        values[_STATE] = (values[_STATE] >= _OPEN).astype(np.float32)
        if not total:
            total = [np.zeros(v.shape[1], dtype=np.float32) for v in values]
            lowest = [np.full(v.shape[1], _FAR, dtype=np.float32) for v in values]
            highest = [-low for low in lowest]
        for k, v in enumerate(values):
            lowest[k], highest[k] = np.minimum(lowest[k], v.min(axis=0)), np.maximum(highest[k], v.max(axis=0))
            for row in v:  # in this order, as float32 adds up otherwise in another
                total[k] += row
        n_steps += len(values[0])
    if statistic == _AVERAGE:
        found = [t / np.float32(n_steps) for t in total]
    elif statistic == _RANGE:
        found = [high - low for high, low in zip(highest, lowest, strict=True)]
    else:
        found = lowest if statistic == _MINIMUM else highest
    found[_STATE] = np.where(found[_STATE] < 0.5, np.float32(_CLOSED), np.float32(_OPEN))
    return [values[np.newaxis, :] for values in found]


def finish(head: Head, blocks: Blocks, reading: Reading) -> SimulationResults:
    """Make WNTR's results and say whether the run reached its end, as `EpanetSimulator` does.

    Raises
    ------
    RuntimeError
        If it did not and `reading.convergence_error` is set.
    """
    pressure = head.units.pressure if reading.own_pressure else None
    units = replace(head.units, darcy_weisbach=reading.darcy_weisbach, pressure=pressure)
    head = replace(head, units=units)
    if reading.statistic:
        start, step, _ = head.clock
        head = replace(head, times=report_times(reading.statistic, np.int32(start), np.int32(step), None))
        blocks = [_over_time(reading.statistic, blocks)]
    results, n_steps = tables(head, blocks)
    results.error_code = None
    if n_steps < len(head.times):
        seconds = int(head.times[n_steps])
        hours, rest = divmod(seconds, 3600)
        text = f"Simulation did not converge at time {hours:02}:{rest // 60:02}:{rest % 60:02}."
        if reading.convergence_error:
            raise RuntimeError(text)
        warnings.warn(text, stacklevel=4)
        results.error_code = ResultsStatus.error
    return results


def note_warnings() -> None:
    """Log, as WNTR's reader does, that EPANET warned."""
    _log.warning("Warnings were issued during simulation")


def read_results(path: Path, encoding: str, reading: Reading) -> SimulationResults:
    """Read EPANET's binary results; `encoding` is that of the names.

    Raises
    ------
    RuntimeError
        If the run was cut short and `reading.convergence_error` is set.
    """
    with path.open("rb") as file:
        head = read_head(file, encoding)
        left = path.stat().st_size - file.tell()
        n_steps = min(len(head.times), left // (4 * head.period))
        if left >= 4 * head.period * n_steps + _EPILOG:
            start = file.tell()
            file.seek(-_EPILOG, 2)
            if np.frombuffer(file.read(_EPILOG), dtype=np.int32)[5]:
                note_warnings()
            file.seek(start)
        return finish(head, blocks_of(file, head, n_steps), reading)
