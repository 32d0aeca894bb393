"""A WNTR model as the INP that `EpanetSimulator` would have EPANET read: every number to the same digits, in less time.

`networks.export` writes a model with all its digits. Here the digits have to be those of WNTR's own writer, or results
would differ from `EpanetSimulator`'s; so this is WNTR's writer, with its slow sections vectorised and without what
EPANET makes no use of (coordinates, vertices, tags, labels, titles).
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from wntr.epanet.io import InpFile
from wntr.epanet.util import HydParam, from_si

from hydro.hydraulicsfile import hydraulics_option

_ENCODING = "utf-8"


class SimulationInp(InpFile):  # type: ignore[misc]
    """WNTR's writer for a file that nobody but EPANET reads.

    Parameters
    ----------
    hydraulics
        Where EPANET is to keep its hydraulics. Otherwise it makes a file of its own in the working directory.
    """

    def __init__(self, hydraulics: Path) -> None:
        super().__init__()
        self._hydraulics = hydraulics

    def _si(self, values: list[Any], kind: HydParam, darcy_weisbach: bool = False) -> list[float]:
        array = np.array(values, dtype=np.float64)
        converted: list[float] = from_si(self.flow_units, array, kind, darcy_weisbach=darcy_weisbach).tolist()
        return converted

    @staticmethod
    def _put(f: BinaryIO, section: str, form: str, columns: tuple[list[Any], ...]) -> None:
        """Write a section, all its lines in one formatting."""
        cells = [cell for row in zip(*columns, strict=True) for cell in row]
        f.write(f"[{section}]\n".encode(_ENCODING))
        f.write((f"{form}\n" * len(columns[0]) % tuple(cells)).encode(_ENCODING))
        f.write(b"\n")

    def _write_junctions(self, f: BinaryIO, wn: Any) -> None:
        default, names = wn.options.hydraulic.pattern, {}
        nodes, elevations, bases, patterns = [], [], [], []
        for name, junction in wn.junctions():
            demands = junction.demand_timeseries_list
            text, base = "", 0.0
            if demands:
                first = demands[0]
                base, key = first.base_value, first.pattern_name
                if key is not None:
                    if key not in names:
                        pattern = first.pattern
                        names[key] = "" if pattern is None or pattern == default else str(pattern)
                    text = names[key]
            nodes.append(name)
            elevations.append(junction.elevation)
            bases.append(base)
            patterns.append(text)
        heights, flows = self._si(elevations, HydParam.Elevation), self._si(bases, HydParam.Demand)
        self._put(f, "JUNCTIONS", " %s %.11g %.11g %s", (nodes, heights, flows, patterns))

    def _write_pipes(self, f: BinaryIO, wn: Any) -> None:
        is_length = wn.options.hydraulic.headloss == "D-W"
        pipes = [pipe for _, pipe in wn.pipes()]
        words: dict[int, str] = {}
        states = []
        for pipe in pipes:
            state = pipe.initial_status
            if int(state) not in words:
                words[int(state)] = str(state)
            states.append("CV" if pipe.check_valve else words[int(state)])
        columns = (
            [pipe.name for pipe in pipes],
            [pipe.start_node_name for pipe in pipes],
            [pipe.end_node_name for pipe in pipes],
            self._si([pipe.length for pipe in pipes], HydParam.Length),
            self._si([pipe.diameter for pipe in pipes], HydParam.PipeDiameter),
            self._si([pipe.roughness for pipe in pipes], HydParam.RoughnessCoeff, is_length),
            [pipe.minor_loss for pipe in pipes],
            states,
        )
        self._put(f, "PIPES", " %s %s %s %.11g %.11g %.11g %.11g %s", columns)

    def _write_demands(self, f: BinaryIO, wn: Any) -> None:
        known = frozenset(wn.pattern_name_list)
        lines = ["[DEMANDS]\n"]
        for name, junction in wn.junctions():
            demands = junction.demand_timeseries_list
            if len(demands) > 1:
                for demand in demands:
                    base = from_si(self.flow_units, demand.base_value, HydParam.Demand)
                    pattern = demand.pattern_name
                    lines.append(f"{name} {base} {pattern if pattern in known else ''}\n")
        f.write("".join([*lines, "\n"]).encode(_ENCODING))

    def _write_rules(self, f: BinaryIO, wn: Any) -> None:
        unnamed = [control for _, control in wn.controls() if control.name == ""]
        super()._write_rules(f, wn)
        for control in unnamed:  # WNTR's writer names the user's rules
            control._name = ""

    def _write_report(self, f: BinaryIO, wn: Any) -> None:
        buffer = BytesIO()
        super()._write_report(buffer, wn)
        lines = buffer.getvalue().splitlines(keepends=True)
        f.write(b"".join(line for line in lines if not line.startswith(b"FILE ")))

    def _write_options(self, f: BinaryIO, wn: Any, version: float = 2.2) -> None:
        super()._write_options(f, wn, version=version)
        if wn.options.hydraulic.hydraulics is None:
            f.write(hydraulics_option(self._hydraulics) + b"\n")

    def _write_nothing(self, f: BinaryIO, wn: Any) -> None:
        """Leave a section out."""

    _write_title = _write_tags = _write_coordinates = _write_vertices = _write_nothing
    _write_labels = _write_backdrop = _write_nothing


def write_model(wn: Any, path: Path, hydraulics: Path, version: float) -> None:
    """Write a `WaterNetworkModel` for one run of EPANET, with the digits of WNTR's own writer.

    Parameters
    ----------
    wn
        The model, which stays as it is.
    path
        The INP.
    hydraulics
        Where EPANET is to keep its hydraulics.
    version
        2.0 or 2.2, the form of the options.
    """
    writer = SimulationInp(hydraulics)
    if wn._inpfile is not None:  # the model does not know its unit of mass, the file that it came from does
        writer.mass_units, writer.flow_units = wn._inpfile.mass_units, wn._inpfile.flow_units
    writer.write(str(path), wn, units=wn.options.hydraulic.inpfile_units, version=version)
