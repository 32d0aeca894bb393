"""Rows of the table of districts."""

from __future__ import annotations

from collections.abc import Sequence

from networks import Network
from networks.dma import Dma

_MANY = 3  # names that a row of the printed table shows


def rows_of(network: Network, found: Sequence[Dma], as_json: bool) -> list[dict[str, object]]:
    """One row for each district; JSON has every name, a printed table the first few."""
    table = network.dmas
    zone = dict(zip(table["dma"], table["zone"], strict=True)) if table is not None else {}
    large = dict(zip(table["dma"], table["large_block"], strict=True)) if table is not None else {}
    return [
        {
            "dma": dma.name,
            "large block": large.get(dma.name),
            "zone": zone.get(dma.name),
            "inlets": list(dma.inlets) if as_json else _words(dma.inlets),
            "boundary valves": list(dma.boundary) if as_json else _words(dma.boundary),
            "km": round(dma.length / 1000.0, 2),
            "connections": dma.connections,
            "m3/d": round(dma.demand * 86_400.0, 1),
            "isolated": dma.is_isolated if as_json else _isolation(dma),
            **({"open unmetered links": list(dma.leaks)} if as_json else {}),
        }
        for dma in found
    ]


def _words(names: Sequence[str]) -> str | None:
    rest = len(names) - _MANY
    return " ".join(names[:_MANY]) + (f" +{rest}" if rest > 0 else "") or None


def _isolation(dma: Dma) -> str:
    if dma.is_isolated:
        return "yes"
    return f"no: {_words(dma.leaks)} is open" if dma.leaks else "no: no metered inlet"
