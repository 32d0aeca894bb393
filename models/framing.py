"""How a record becomes frames: gaps bridged, clocks put right, the model driven, residuals averaged over blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from hydro.phase import find_phase
from hydro.record import Record
from models.frame import PROBES, Frame, by_part, evened, typical_rows
from models.health_frames import clocks_of, leave_out
from models.hours_frames import HOUR, Simulated, as_known, has_hours, hourly

if TYPE_CHECKING:
    from models.watch import Watch


def framed(watch: Watch, record: Record, with_parts: bool, hours: Record | None) -> Iterator[Frame]:
    """Frames of a record, in order; see `models.watch.Watch.frames`."""
    step, block, per_block = watch.settings.step, watch.settings.block, watch.per_block
    n_picked = len(watch.channels.picked)
    fine = record.resampled(step)
    phase = find_phase(watch.model, fine, step)
    times = watch.model.intervals(fine, step)
    bridge = watch.bridge.by(max(1, round(HOUR / step)))
    bridged = watch.bridge.bridged(fine, times)
    for name, lost in zip(watch.model.flow_meters, bridged.flow.T, strict=True):
        watch.silences[name] = watch.silences.get(name, times[:0]).union(times[lost])
    drive = watch.model.drive(bridged.record, step, phase, per_block)
    measured = watch.measured(fine, drive)
    watched = watch.watched(measured, per_block)
    expected = np.hstack(watch.model.expect(drive, watched))
    clocks = watch.clocks[record.start] = clocks_of(watch, record.start)
    measured = clocks.retimed(measured, expected, drive.times)
    untrusted = leave_out(watch, measured, expected, bridged)
    nominal = watch.nominal(drive, phase)
    residual = watch.channels.residuals(measured, expected + watch.zeros, drive, nominal)
    residual[:, n_picked:][untrusted] = np.nan
    seen_by_hour = (
        (measured, residual)
        if hours is None or not has_hours(watch)
        else as_known(watch, hours, bridge, clocks, phase, Simulated(drive, watched, expected))
    )
    by_hour = hourly(watch, record, drive.times, *seen_by_hour)
    residual = evened(residual, per_block)
    for at in range(0, len(drive.times), per_block):
        part, start = slice(at, at + per_block), drive.times[at]
        of_hours = by_hour.of(start, block)
        drivable = at + np.flatnonzero(np.isfinite(expected[part]).all(axis=1))
        is_over = at + per_block <= len(drive.times)
        if not is_over or len(drivable) < max(PROBES, watched[part].sum() // 2):
            if with_parts and len(of_hours):
                nothing, none = np.full(len(watch.channels.names), np.nan), drive.rows(drivable[:0])
                yield Frame(start, start + block, nothing, none, expected[:0], hours=of_hours, is_whole=False)
            continue
        total = drive.demand[drivable].sum(axis=1)
        probes = typical_rows(total, drivable)
        seen = np.isfinite(residual[part]).mean(axis=0)
        seen = np.concatenate([seen, seen[n_picked + watch.channels.steady]])
        values = np.where(seen >= 0.5 * watch.pace, watch.mean(residual[part], nominal[part]), np.nan)
        parts = by_part(residual[drivable], total)
        yield Frame(start, start + block, values, drive.rows(probes), expected[probes], parts, of_hours)
