"""Questions that take several steps: how often values are due, and what was newest at some time."""

from __future__ import annotations

import json
from collections.abc import Sequence

from scada.historian.engine import Engine, Period
from scada.historian.tables import newest_samples
from scada.sample import Sample

__all__ = ["expected_ms", "newest_known"]

_HOUR_MS = 3_600_000


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


def newest_known(engine: Engine, tags: Sequence[str] | None, known_ms: int) -> dict[str, Sample]:
    """Return the newest sample of each tag of what had arrived by `known_ms`."""
    found: dict[str, Sample] = {}
    span = engine.span()
    back_ms = _HOUR_MS
    # most tags have one in the last hour; those that have none are looked for further back
    while span is not None:
        low = known_ms - back_ms
        for name, sample in newest_samples(engine.select(Period.of(tags, low, None, known_ms))).items():
            found.setdefault(name, sample)
        if low <= span[0] or (tags is not None and len(found) == len(set(tags))):
            break
        back_ms *= 24
    return found
