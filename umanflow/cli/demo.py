"""`umanflow demo`: the whole road on a simulated city."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from umanflow.demo.road import Outcome

_LEAST_DAYS = 12


def demo(
    seed: Annotated[int, typer.Option(help="Of leaks and noise.", min=0)] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("out/demo"),
    days: Annotated[int, typer.Option(help="Days of simulated polling.", min=_LEAST_DAYS)] = 28,
) -> None:
    """Simulate a city with PLCs on real sockets, poll it, find its leaks, write a report.

    Example: umanflow demo --seed 3 --out out/demo
    """
    from umanflow.cli.progress import progress_bar
    from umanflow.demo.page import write_page
    from umanflow.demo.road import run_demo

    with progress_bar() as move:
        outcome = run_demo(seed, out, days, move)
        page = write_page(outcome, out)
    _print(outcome, page)


def _print(outcome: Outcome, page: Path) -> None:
    from umanflow.cli.table import show

    score, registers = outcome.score, outcome.registers
    print(f"SYNTHETIC Uman, seed {outcome.seed}: leaks put in, and what became of them\n")
    show(
        [
            {
                "true pipe": row.drawn.leak.pipe,
                "kind": "abrupt" if row.drawn.leak.rise_ms == 0 else "growing",
                "began": _time(row.drawn.leak.start_ms),
                "found": row.event.detected.strftime("%m-%d %H:%M") if row.event else "MISSED",
                "reported pipe": row.event.pipe_best if row.event else None,
                "metres off": round(row.distance) if row.distance is not None else None,
                "within": round(row.reach),
                "m3/h found": round(3600.0 * row.event.flow_best, 2) if row.event else None,
                "m3/h true": round(3600.0 * row.flow, 2),
            }
            for row in score.rows
        ],
        as_json=False,
    )
    missed = sum(not row.found for row in score.rows)
    alarms = f"{len(score.false_alarms)} false alarms{':' if score.false_alarms else ''}"
    print(f"\n{len(score.rows) - missed} found, {missed} missed, {alarms}")
    for leak in score.false_alarms:
        flow = 3600.0 * leak.flow.flow
        print(f"  {leak.detected:%m-%d %H:%M}  {leak.pipe:<10} {flow:6.2f} m3/h  {leak.status}")
    print(f"\nregisters read {registers['read']:,}, lost {registers['lost']:,}, bad {registers['bad']:,}")
    print(f"{outcome.seconds:.0f} s; report: {page}")


def _time(ms: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(ms / 1000, UTC):%m-%d %H:%M}"
