"""EPANET's file of hydraulics as its results: what `EN_solveQ` does where no quality is traced, in numpy.

EPANET solves hydraulics into one file (demands, heads, flows, states and settings of every moment, float32) and copies
that into another, value by value, at the report times. For a long run the copy takes half as long as the solution. Here
the results are computed from the first file (formulas and their order as in EPANET's output.c, in float64 and rounded
to float32 as there); the caller compares the first step with one that EPANET wrote itself.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from wntr.epanet.util import QualType
from wntr.sim.results import SimulationResults

from hydro.library import LINK, NODE, OPTION
from hydro.simresults import Head, Reading, blocks_of, finish, note_warnings, read_head
from hydro.simtables import Values

Doubles = NDArray[np.float64]
Ints = NDArray[np.intp]

_HEAD = 32  # bytes: magic number, version, five counts, duration
_MISSING = -1e10
_TINY = 1e-6
_BLOCK = 40_000  # values of a variable at a time: what the processor keeps near

_FT = 0.3048
_PSI, _KPA, _BAR = 0.4333, 6.895, 0.068948
# EPANET's own constants, per cubic foot per second: CFS GPM MGD IMGD AFD LPS LPM MLD CMH CMD CMS
_FLOW = (1.0, 448.831, 0.64632, 0.5382, 1.9837, 28.317, 1699.0, 2.4466, 101.94, 2446.6, 0.028317)
_FIRST_METRIC = 5
_CLOSED, _PIPE, _PUMP, _GPV = 2, 1, 2, 8
_PRESSURE_VALVES, _FLOW_VALVE = (3, 4, 5), 6


@dataclass(frozen=True)
class Factors:
    """EPANET's factors from feet and cubic feet per second to the units of a file (`Ucf`, input1.c)."""

    flow: float
    length: float
    diameter: float
    pressure: float

    @classmethod
    def of(cls, flow_code: int, pressure_code: int, gravity: float, is_newest: bool) -> Factors:
        """Factors for EPANET's codes of the units.

        Parameters
        ----------
        flow_code, pressure_code
            As in the head of the results.
        gravity
            Specific gravity; 2.3 leaves it out of metres and feet.
        is_newest
            Whether the library is 2.3.
        """
        metric = flow_code >= _FIRST_METRIC
        if pressure_code == 2:
            pressure = _FT if is_newest else _FT * gravity
        else:
            units = {0: _PSI * gravity, 1: _KPA * _PSI * gravity, 3: _BAR * _PSI * gravity, 4: 1.0}
            pressure = units[pressure_code]
        return cls(
            flow=_FLOW[flow_code],
            length=_FT if metric else 1.0,
            diameter=1000.0 * _FT if metric else 12.0,
            pressure=pressure,
        )


def as_parsed(values: Doubles, factor: float) -> Doubles:
    """EPANET's internal value of a property, to the last bit, from what its toolkit gives back.

    EPANET divides the number in the file by a factor and multiplies again when asked, which may lose the last bit. The
    number in the file has at most 15 digits: rounding finds it again.
    """
    if factor == 1.0:
        return values
    written = np.array([float(f"{value:.15g}") for value in values.tolist()])
    return np.asarray(written / factor)


def read_values(epanet: Any, kind: str, name: str, count: int) -> Doubles:
    """One property of all nodes or links from the toolkit, in the file's units."""
    out = np.empty(count)
    code = (NODE if kind == "node" else LINK)[name]
    if hasattr(epanet.ENlib, f"EN_get{kind}values"):
        getattr(epanet.ENlib, f"EN_get{kind}values")(epanet._project, code, ctypes.c_void_p(out.ctypes.data))
        return out
    function, project, value = getattr(epanet.ENlib, f"EN_get{kind}value"), epanet._project, ctypes.c_double()
    pointer = ctypes.byref(value)
    for k in range(count):
        function(project, k + 1, code, pointer)
        out[k] = value.value
    return out


@dataclass(frozen=True)
class Elements:
    """What the results need of nodes and links, in feet.

    Attributes
    ----------
    elevation, quality
        float64 [n_nodes]; ft, and initial quality in the file's unit.
    length, diameter
        float64 [n_links], ft.
    start, end
        int [n_links], nodes from 0.
    types
        int32 [n_links], EPANET's codes.
    """

    elevation: Doubles
    quality: Doubles
    length: Doubles
    diameter: Doubles
    start: Ints
    end: Ints
    types: NDArray[np.int32]

    @classmethod
    def of(cls, epanet: Any, head: Head, factors: Factors) -> Elements:
        """Read from an open project."""
        n_nodes, n_links = len(head.nodes), len(head.links)
        return cls(
            elevation=as_parsed(read_values(epanet, "node", "elevation", n_nodes), factors.length),
            quality=read_values(epanet, "node", "initial_quality", n_nodes),
            length=as_parsed(read_values(epanet, "link", "length", n_links), factors.length),
            diameter=as_parsed(read_values(epanet, "link", "diameter", n_links), factors.diameter),
            start=head.ends[0].astype(np.intp) - 1,
            end=head.ends[1].astype(np.intp) - 1,
            types=head.link_types,
        )


class Copy:
    """Results of the moments in a file of hydraulics.

    Parameters
    ----------
    elements
        What the network is.
    factors
        Units of the results.
    """

    def __init__(self, elements: Elements, factors: Factors) -> None:
        self._of, self._to = elements, factors
        types = elements.types
        self._pipes = np.flatnonzero(types <= _PIPE)
        self._others = np.flatnonzero(types > _PIPE)
        self._pumps = np.flatnonzero(types == _PUMP)
        with np.errstate(divide="ignore"):
            self._per_area = np.pi * (elements.diameter * elements.diameter) / 4.0
            self._per_area[self._pumps] = np.inf  # no velocity
        self._fifth = np.array([diameter**5 for diameter in elements.diameter.tolist()])
        self._pressure_valves = np.flatnonzero(np.isin(types, _PRESSURE_VALVES))
        self._flow_valves = np.flatnonzero(types == _FLOW_VALVE)
        self._unset = np.flatnonzero(types == _GPV)

    def results(self, demand: Values, head: Values, flow: Values, state: Values, setting: Values) -> list[Values]:
        """Twelve arrays in the order of EPANET's results, float32 [n, n_nodes] and [n, n_links]."""
        of, to = self._of, self._to
        high, q = head.astype(np.float64), flow.astype(np.float64)
        drop = high[:, of.start]
        drop -= high[:, of.end]
        signed = drop[:, self._pumps]
        np.abs(drop, out=drop)
        lost, friction = self._headloss(drop, signed, state), self._friction(drop, q)
        pressure = high - of.elevation
        pressure *= to.pressure
        speed = np.abs(q)
        speed /= self._per_area
        speed *= to.length
        none = np.zeros((len(demand), len(of.types)), dtype=np.float32)
        return [
            self._times(demand, to.flow),
            self._times(head, to.length),
            pressure.astype(np.float32),
            np.broadcast_to(of.quality.astype(np.float32), demand.shape),
            self._times(flow, to.flow),
            speed.astype(np.float32),
            lost,
            none,
            state,
            self._settings(setting),
            none,
            friction,
        ]

    @staticmethod
    def _times(values: Values, factor: float) -> Values:
        if factor == 1.0:
            return values
        product: Values = np.multiply(values, factor, dtype=np.float64).astype(np.float32)
        return product

    def _headloss(self, drop: Doubles, signed: Doubles, state: Values) -> Values:
        """Per 1000 units of pipe; over others in units of length; none where closed."""
        of, pipes = self._of, self._pipes
        lost = 1000.0 * drop
        if len(pipes) == len(of.types):
            lost /= of.length
        else:
            lost[:, pipes] /= of.length[pipes]
            others = drop[:, self._others]
            lost[:, self._others] = others * self._to.length
            lost[:, self._pumps] = signed * self._to.length
        lost[state <= _CLOSED] = 0.0
        return lost.astype(np.float32)

    def _friction(self, drop: Doubles, flow: Doubles) -> Values:
        """Darcy-Weisbach's factor of a pipe: 2 g h d / (L u^2)."""
        factor = 39.725 * drop
        factor *= self._fifth
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            factor /= self._of.length
            factor /= flow * flow
            still = np.abs(flow) <= _TINY
            factor[still] = 0.0
            factor[:, self._others] = 0.0
            return factor.astype(np.float32)

    def _settings(self, setting: Values) -> Values:
        """Roughness, speed or setting; 0 where there is none."""
        out = setting.copy()
        out[:, self._pressure_valves] = self._times(setting[:, self._pressure_valves], self._to.pressure)
        out[:, self._flow_valves] = self._times(setting[:, self._flow_valves], self._to.flow)
        out[:, self._unset] = 0.0
        out[setting == np.float32(_MISSING)] = 0.0
        return out


def reported(
    path: Path, n_nodes: int, n_links: int, start: int, step: int, duration: int
) -> Iterator[NDArray[np.float32]]:
    """Records of a file of hydraulics at the report times, some at a time.

    A moment is reported if it is not before the next report time, which is then one step on (`runqual`, quality.c).

    Returns
    -------
    iterator of float32 [n, 2 + 2 n_nodes + 3 n_links]
        Time and step (as int32), demands, heads, flows, states, settings.
    """
    width = 2 + 2 * n_nodes + 3 * n_links
    at_once = max(1, _BLOCK // n_links)
    buffer = np.empty((at_once, width), dtype=np.float32)
    times = buffer.view(np.int32)
    due, is_over = start, False
    with path.open("rb") as file:
        file.seek(_HEAD)
        while not is_over:
            n = file.readinto(buffer.view(np.uint8).data) // (4 * width)
            rows = []
            for row, (now, ahead) in enumerate(zip(times[:n, 0].tolist(), times[:n, -1].tolist(), strict=True)):
                if now >= due:
                    rows.append(row)
                    due += step
                if ahead == 0 or now + ahead > duration:
                    is_over = True
                    break
            is_over = is_over or n < at_once
            if rows:
                yield buffer[rows[0] : rows[-1] + 1] if rows[-1] - rows[0] + 1 == len(rows) else buffer[rows]


def cut(record: NDArray[np.float32], n_nodes: int, n_links: int) -> list[Values]:
    """Demands, heads, flows, states and settings of records."""
    ends = np.cumsum([1, n_nodes, n_nodes, n_links, n_links, n_links])
    return np.split(record, ends, axis=1)[1:6]


class Shortcut:
    """A run's results from its hydraulics, where EPANET would do no more than copy them.

    Parameters
    ----------
    hydraulics, results
        EPANET's files.
    encoding
        Of the names.
    """

    def __init__(self, hydraulics: Path, results: Path, encoding: str) -> None:
        self._hydraulics, self._results, self._encoding = hydraulics, results, encoding
        self._head: Head | None = None
        self._copy: Copy | None = None

    def prepare(self, epanet: Any, is_newest: bool) -> bool:
        """Have EPANET write its first step and compute the same; say whether both agree in every bit.

        If not (another compiler, a unit that is not known here), EPANET has to write all of them.
        """
        epanet.ENopenQ()
        epanet.ENinitQ(1)
        epanet.ENrunQ()
        epanet.ENcloseQ()
        with self._results.open("rb") as file:
            head = read_head(file, self._encoding)
            if head.units.quality is not QualType.none or head.statistic or head.clock[0] > 0:
                return False
            theirs = next(iter(blocks_of(file, head, 1)))
        gravity = ctypes.c_double()
        epanet.ENlib.EN_getoption(epanet._project, OPTION["specific_gravity"], ctypes.byref(gravity))
        factors = Factors.of(head.units.flow_code, head.pressure_code, gravity.value, is_newest)
        self._head, self._copy = head, Copy(Elements.of(epanet, head, factors), factors)
        ours = next(self._blocks(head, self._copy))
        return all(np.array_equal(a[:1], b, equal_nan=True) for a, b in zip(ours, theirs, strict=True))

    def _blocks(self, head: Head, copy: Copy) -> Iterator[list[Values]]:
        n_nodes, n_links = len(head.nodes), len(head.links)
        for record in reported(self._hydraulics, n_nodes, n_links, *head.clock):
            yield copy.results(*cut(record, n_nodes, n_links))

    def read(self, reading: Reading, has_warned: bool) -> SimulationResults:
        """Read the results; see `simresults.finish`."""
        assert self._head is not None
        assert self._copy is not None
        if has_warned:
            note_warnings()
        return finish(self._head, self._blocks(self._head, self._copy), reading)
