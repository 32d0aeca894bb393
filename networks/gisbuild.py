"""The INP of complete layers, by way of WNTR's `from_gis`."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import wntr.gis
import wntr.network
from wntr.network.elements import LinkStatus

from networks.errors import GisError
from networks.export import model_bytes
from networks.inp.document import Document
from networks.inp.rewrite import rewrite

_BASE = ("OPTIONS", "TIMES", "PATTERNS", "CURVES")
# the model that WNTR makes of layers holds none of these
_AFTER = ("TITLE", "CONTROLS", "RULES", "DEMANDS", "ENERGY", "SOURCES", "QUALITY", "REACTIONS", "MIXING", "LABELS",
          "BACKDROP", "REPORT", "LEAKAGE")  # fmt: skip


def build(parts: dict[str, Any], units: str, headloss: str, rest: list[tuple[str, str]]) -> bytes:
    """Make an INP of layers and of the lines that no layer holds.

    Raises
    ------
    GisError
        If WNTR refuses them.
    """
    if not rest:
        rest = [("OPTIONS", f"UNITS {units}"), ("OPTIONS", f"HEADLOSS {headloss}")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = _model(parts, _text(rest, _BASE))
            text = model_bytes(model).decode("utf-8")
    except (ValueError, LookupError, RuntimeError, AttributeError, TypeError, AssertionError) as error:
        raise GisError(f"these layers make no network: {' '.join(str(error).split())}") from error
    return f"{text.rpartition('[END]')[0]}{_text(rest, _AFTER)}[END]\n".encode()


def _text(rest: list[tuple[str, str]], sections: tuple[str, ...]) -> str:
    parts = [f"[{name}]\n" + "\n".join(line for section, line in rest if section == name) for name in sections]
    return "\n".join(parts) + "\n"


def _model(parts: dict[str, Any], base: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="umanflow-") as folder:
        path = Path(folder) / "base.inp"
        path.write_text(rewrite(Document.of(base.encode())).text, "utf-8")
        model = wntr.network.WaterNetworkModel(str(path))
    gis = wntr.gis.WaterNetworkGIS({kind: _for_wntr(kind, frame) for kind, frame in parts.items()})
    model = wntr.network.from_gis(gis, append=model)
    for name, row in parts["pumps"].iterrows() if "pumps" in parts else ():
        _finish_pump(model.get_link(name), row)
    for name, row in parts["valves"].iterrows() if "valves" in parts else ():
        valve = model.get_link(name)
        valve.initial_status = LinkStatus[str(row["initial_status"])]
        if valve.valve_type == "GPV":
            valve.headloss_curve_name = row["headloss_curve_name"]
    for name, row in parts["junctions"].iterrows() if "junctions" in parts else ():
        if pd.notna(row.get("emitter_coefficient")):
            model.get_node(name).emitter_coefficient = float(row["emitter_coefficient"])
    return model


def _for_wntr(kind: str, frame: Any) -> Any:
    """Columns as WNTR's `from_dict` asks for them, which is not always as its `to_gis` calls them."""
    frame = frame.drop(columns=["emitter_coefficient"], errors="ignore")
    frame = frame.astype({column: object for column in frame.columns if column != "geometry"})
    frame = frame.where(frame.notna(), None)
    if kind == "junctions":
        return frame.rename(columns={"demand_pattern": "pattern_name"})
    if kind == "valves" and "headloss_curve_name" in frame:
        return frame.drop(columns="headloss_curve_name")
    return frame


def _finish_pump(pump: Any, row: Any) -> None:
    pump.initial_status = LinkStatus[str(row["initial_status"])]
    if pd.notna(row.get("initial_setting")):
        pump.initial_setting = float(row["initial_setting"])
