"""What each of WNTR's result tables is, and how EPANET's float32 values become SI in it.

Every conversion is WNTR's own function on float32 arrays: multiplying in another order, or in float64, would change the
last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from wntr.epanet.util import EN, FlowUnits, HydParam, MassUnits, QualParam, QualType

Values = NDArray[np.float32]
Columns = NDArray[np.intp]

NODE_TABLES = ("demand", "head", "pressure", "quality")
# in the order of EPANET's file, under WNTR's names
LINK_TABLES = (
    "flowrate", "velocity", "headloss", "quality", "status", "setting", "reaction_rate", "friction_factor",
)  # fmt: skip
# the order in which WNTR's reader fills its dictionary of links
LINK_ORDER = (
    "quality", "flowrate", "velocity", "headloss", "status", "setting", "friction_factor", "reaction_rate",
)  # fmt: skip

# EPANET's states of a link (XHEAD, TEMPCLOSED, CLOSED, OPEN, ACTIVE, XFLOW, XFCV, XPRESSURE, FILLING, EMPTYING) as
# WNTR's 0 closed, 1 open, 2 active
_STATUS = np.array([0, 0, 0, 1, 2, 1, 1, 1, 1, 1], dtype=np.float32)
_CUBIC_METRES_PER_SECOND = 10  # EPANET 2.3's code of a unit that WNTR does not know


@dataclass(frozen=True)
class Units:
    """Units of a file of results.

    Attributes
    ----------
    flow_code
        EPANET's code of the flow unit.
    quality
        What is traced.
    mass
        Unit of mass of a chemical.
    darcy_weisbach
        Whether roughness is a length.
    pressure
        Metres of water in the file's unit of pressure. None takes it from the flow unit alone, as WNTR does: psi with
        US flows, else metres.
    """

    flow_code: int
    quality: QualType
    mass: MassUnits
    darcy_weisbach: bool = False
    pressure: float | None = None

    @cached_property
    def system(self) -> FlowUnits:
        """A WNTR flow unit of the same system, US or metric."""
        return FlowUnits.CMH if self.flow_code == _CUBIC_METRES_PER_SECOND else FlowUnits(self.flow_code)

    def flow_si(self, values: Values, kind: HydParam = HydParam.Flow) -> Values:
        """Flow or demand, m3/s."""
        if self.flow_code == _CUBIC_METRES_PER_SECOND:
            return values
        return np.asarray(kind._to_si(self.system, values))

    def pressure_si(self, values: Values) -> Values:
        """Pressure, m."""
        if self.pressure is not None:
            return values * np.float32(self.pressure)
        return np.asarray(HydParam.Pressure._to_si(self.system, values))

    def quality_si(self, values: Values) -> Values:
        """Concentration, kg/m3; age, s; share of the traced node, %."""
        if self.quality is QualType.Chem:
            return np.asarray(QualParam.Concentration._to_si(self.system, values, mass_units=self.mass))
        if self.quality is QualType.Age:
            return np.asarray(QualParam.WaterAge._to_si(self.system, values, mass_units=self.mass))
        return values


def node_si(table: str, values: Values, units: Units) -> Values:
    """One table of nodes, float32 [n_steps, n_nodes], in SI."""
    if table == "demand":
        return units.flow_si(values, HydParam.Demand)
    if table == "head":
        return np.asarray(HydParam.HydraulicHead._to_si(units.system, values))
    if table == "pressure":
        return units.pressure_si(values)
    return units.quality_si(values)


class LinkConversion:
    """Tables of links in SI, which depend on what a link is.

    Parameters
    ----------
    types
        int32 [n_links], EPANET's codes: 0 pipe with check valve, 1 pipe, 2 pump, 3… valves.
    units
        Units of the file.
    """

    def __init__(self, types: NDArray[np.int32], units: Units) -> None:
        self._units = units
        self._others: Columns = np.flatnonzero(types >= EN.PUMP)
        self._pipes: Columns = np.flatnonzero(types == EN.PIPE)
        self._pressure_valves: Columns = np.flatnonzero(np.isin(types, (EN.PRV, EN.PSV, EN.PBV)))
        self._flow_valves: Columns = np.flatnonzero(types == EN.FCV)

    def si(self, table: str, values: Values) -> Values:
        """One table of links, float32 [n_steps, n_links], in SI."""
        units = self._units
        if table == "flowrate":
            return units.flow_si(values)
        if table == "velocity":
            return np.asarray(HydParam.Velocity._to_si(units.system, values))
        if table == "headloss":
            return self._headloss(values)
        if table == "quality":
            return units.quality_si(values)
        if table == "status":
            return _STATUS[values.astype(np.intp)]
        if table == "setting":
            return self._setting(values)
        if table == "reaction_rate":
            return np.asarray(QualParam.ReactionRate._to_si(units.system, values, units.mass))
        return values  # the friction factor has no unit

    def _headloss(self, values: Values) -> Values:
        """Per metre of pipe; over a pump or valve, m."""
        out: Values = HydParam.HeadLoss._to_si(self._units.system, values)
        others = self._others
        if len(others):
            out[:, others] = HydParam.Length._to_si(self._units.system, values[:, others])
        return out

    def _setting(self, values: Values) -> Values:
        """Roughness of a pipe, speed of a pump, setting of a valve."""
        units, out = self._units, values.copy()
        if units.darcy_weisbach:
            roughness = values[:, self._pipes]
            out[:, self._pipes] = HydParam.RoughnessCoeff._to_si(units.system, roughness, darcy_weisbach=True)
        if len(self._pressure_valves):
            out[:, self._pressure_valves] = units.pressure_si(values[:, self._pressure_valves])
        if len(self._flow_valves):
            out[:, self._flow_valves] = units.flow_si(values[:, self._flow_valves])
        return out
