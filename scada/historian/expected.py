"""How often values of a tag are due."""

from __future__ import annotations

import json
from collections.abc import Sequence

from scada.historian.engine import Engine

__all__ = ["expected_ms"]


def expected_ms(engine: Engine, tags: Sequence[str] | None, interval_s: float | None) -> dict[str, float]:
    """Return the interval of tags, ms: one for all where it is given, else each one's own, of those that have one."""
    if interval_s is not None and tags is not None:
        return dict.fromkeys(tags, interval_s * 1000.0)
    configs = engine.current_configs()
    wanted = list(configs) if tags is None else [tag for tag in tags if tag in configs]
    if interval_s is not None:
        wanted = sorted({*wanted, *engine.newest(None).names})
        return dict.fromkeys(wanted, interval_s * 1000.0)
    tables = {tag: json.loads(configs[tag] or "{}") for tag in wanted}
    return {tag: 1000.0 * table["interval_s"] for tag, table in tables.items() if table.get("interval_s")}
