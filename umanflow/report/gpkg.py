"""A leak report as layers for QGIS."""

from __future__ import annotations

from umanflow.report.case import Case
from umanflow.report.content import Content
from umanflow.report.layers import Layer, Points, Value, gpkg_of, line_of, point_of
from umanflow.report.site import Site

_TIME = "%Y-%m-%d %H:%M:%S"


def render_gpkg(content: Content, site: Site) -> bytes:
    """Write leaks, candidates, valves to shut, sensors and pipes as layers; the same content gives the same bytes.

    Coordinates are the model's, in its reference system; where that is unknown the layers say so.
    """
    layers = [
        _leaks(content, site),
        _candidates(content, site),
        _valves(content, site),
        _sensors(content, site),
        _pipes(site),
    ]
    return gpkg_of(layers, content.crs, content.period_end)


def _leaks(content: Content, site: Site) -> Layer:
    columns = (
        ("event", "INTEGER"),
        ("pipe", "TEXT"),
        ("status", "TEXT"),
        ("kind", "TEXT"),
        ("detected", "TEXT"),
        ("start", "TEXT"),
        ("ended", "TEXT"),
        ("flow_m3h", "REAL"),
        ("flow_low_m3h", "REAL"),
        ("flow_high_m3h", "REAL"),
        ("probability", "REAL"),
        ("search_80_m", "REAL"),
        ("lost_m3", "REAL"),
        ("lost_money", "REAL"),
        ("dma", "TEXT"),
        ("street", "TEXT"),
        ("valves", "TEXT"),
        ("customers", "INTEGER"),
    )
    cost = content.summary.cost_per_m3
    return Layer(
        "leaks",
        "LINESTRING",
        columns,
        tuple((line_of(site.topology, c.row.pipe_best), _leak(c, cost)) for c in content.cases),
    )


def _leak(case: Case, cost: float | None) -> tuple[Value, ...]:
    row, closure = case.row, case.closure
    return (
        row.event,
        row.pipe_best,
        row.status,
        row.kind,
        row.detected.strftime(_TIME),
        row.start.strftime(_TIME),
        None if row.ended is None else row.ended.strftime(_TIME),
        row.flow_best_m3h,
        row.flow_low_m3h,
        row.flow_high_m3h,
        row.probability_best,
        case.search[1].metres,
        case.lost_m3,
        None if cost is None else case.lost_m3 * cost,
        row.dma,
        case.place.street,
        None if closure is None else ", ".join(closure.valves),
        None if closure is None else closure.customers,
    )


def _candidates(content: Content, site: Site) -> Layer:
    rows = tuple(
        (line_of(site.topology, c.pipe), (case.row.event, rank, c.pipe, c.probability))
        for case in content.cases
        for rank, c in enumerate(case.row.candidates_best or case.row.candidates, start=1)
    )
    columns = (("event", "INTEGER"), ("rank", "INTEGER"), ("pipe", "TEXT"), ("probability", "REAL"))
    return Layer("candidates", "LINESTRING", columns, rows)


def _valves(content: Content, site: Site) -> Layer:
    """Valves of open events, each at the node where it stands."""
    rows: list[tuple[Points, tuple[Value, ...]]] = []
    if site.segments is not None:
        valves = site.segments.valves
        number = {name: k for k, name in enumerate(valves.names)}
        for case in content.open_cases:
            for name in case.closure.valves if case.closure is not None else ():
                node, link = int(valves.node[number[name]]), int(valves.link[number[name]])
                place = point_of(site.topology, site.topology.nodes[node])
                rows.append((place, (case.row.event, name, site.topology.links[link])))
    return Layer("valves", "POINT", (("event", "INTEGER"), ("valve", "TEXT"), ("pipe", "TEXT")), tuple(rows))


def _sensors(content: Content, site: Site) -> Layer:
    columns = (("sensor", "TEXT"), ("quantity", "TEXT"), ("received", "REAL"), ("status", "TEXT"))
    rows = tuple(
        (point_of(site.topology, h.sensor), (h.sensor, h.quantity, h.received, h.status)) for h in content.health
    )
    return Layer("sensors", "POINT", columns, rows)


def _pipes(site: Site) -> Layer:
    topology = site.topology
    rows = tuple(
        (
            line_of(site.topology, topology.links[k]),
            (topology.links[k], float(topology.length[k]), site.streets.get(topology.links[k])),
        )
        for k in topology.pipes.tolist()
    )
    return Layer("pipes", "LINESTRING", (("pipe", "TEXT"), ("length_m", "REAL"), ("street", "TEXT")), rows)
