"""Plots: how far instruments moved, how a value went from day to day, when instruments were silent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from umanflow.report.axes import Axes, Box
from umanflow.report.case import Series
from umanflow.report.content import SensorHealth
from umanflow.report.drawing import Picture, num, shorten, width_of
from umanflow.report.row import EvidenceRow
from umanflow.report.wording import Wording

WIDTH = 440.0
_NAMES = 150.0
_ROW = 17.0
_LETTERS = 22
_BEYOND = 3.0  # times the next longest bar
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 24.0, 22.0
_HEIGHT = 170.0
_CURVES = ("la", "lb", "lc")
_GOOD, _POOR = 0.92, 0.5
_STRIP = 11.0
_STRIP_WIDTH = 760.0


def draw_evidence(evidence: Sequence[EvidenceRow], wording: Wording) -> str:
    """Bars of standard deviations, the furthest first; empty where there is no evidence."""
    if not evidence:
        return ""
    values = [row.sigmas for row in evidence]
    height = _ROW * len(values) + 24.0
    label = wording.say("Evidence: standard deviations of each instrument from normal, at the alarm")
    picture = Picture(WIDTH, height, label)
    room = WIDTH - _NAMES - 10.0
    # one that is far beyond the others is cut off, so that the others are seen
    reach = max([1.0, *(_BEYOND * abs(v) for v in sorted(values, key=abs)[-2:-1] if abs(v) >= 1.0)])
    reach = max(abs(v) for v in values) if len(values) < 2 or reach == 1.0 else reach
    labels = 58.0
    cut = [min(max(v, -reach), reach) for v in values]
    low, high = min(*cut, 0.0), max(*cut, 0.0)
    scale = (room - labels * ((low < 0.0) + (high > 0.0))) / max(high - low, reach * 1e-6)
    zero = _NAMES + (labels if low < 0.0 else 0.0) - low * scale
    for k, row in enumerate(evidence):
        y = 2.0 + _ROW * k
        picture.text(_NAMES - 6.0, y + 11.5, shorten(row.channel, _LETTERS), "small", "end")
        end = zero + cut[k] * scale
        picture.rect(min(zero, end), y + 2.0, abs(end - zero), _ROW - 5.0, "bar-up" if row.sigmas > 0.0 else "bar-down")
        side = 1.0 if row.sigmas >= 0.0 else -1.0
        text = wording.signed(row.sigmas, 1 if abs(row.sigmas) < 1000.0 else 0)
        text = text if cut[k] == row.sigmas else f"»\u00a0{text}" if side > 0.0 else f"{text}\u00a0«"
        picture.text(end + 4.0 * side, y + 11.5, text, "small", "start" if side > 0.0 else "end")
    picture.line([(zero, 0.0), (zero, _ROW * len(values) + 4.0)], "axis")
    picture.text(_NAMES, height - 5.0, wording.say("standard deviations from normal"), "soft small")
    return picture.svg()


def draw_days(
    series: Sequence[Series],
    marks: Sequence[tuple[datetime, str]],
    unit: str,
    label: str,
    wording: Wording,
) -> str:
    """Lines over days.

    Parameters
    ----------
    series
        Up to three; days without a value interrupt a line.
    marks
        Moments with the letter that the legend explains.
    unit
        Of the values.
    label
        What the plot shows.
    """
    finite = [v for s in series for v in s.values if math.isfinite(v)]
    times = [t for s in series for t in s.times]
    if not finite or not times:
        return ""
    first, last = min(times), max(times)
    last = max(last, first + timedelta(days=1))
    picture = Picture(WIDTH, _HEIGHT, label)
    box = Box(_LEFT, _TOP, WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM)
    axes = Axes(picture, box, (0.0, _days(first, last)), (*finite, 0.0))
    axes.draw_scale(wording)
    axes.draw_ticks((_days(first, day), wording.short_day(day)) for day in _ticks(first, last))
    picture.text(2.0, 10.0, unit, "soft small")
    taken = -math.inf
    for time, letter in sorted(marks):
        if first <= time <= last:
            x = axes.x(_days(first, time))
            picture.line([(x, _TOP - 2.0), (x, _HEIGHT - _BOTTOM)], "mark")
            place = max(x, taken + 11.0)
            taken = place
            picture.text(place, _TOP - 6.0, letter, "bold small", "middle")
    for curve, one in zip(_CURVES, series, strict=False):
        axes.line([(_days(first, t), v) for t, v in zip(one.times, one.values, strict=True)], curve)
    return picture.svg()


def _days(first: datetime, time: datetime) -> float:
    return (time - first) / timedelta(days=1)


def _ticks(first: datetime, last: datetime) -> list[datetime]:
    days = max(1, (last - first).days)
    step = next((n for n in (1, 2, 5, 7, 14, 30, 61, 122, 365) if days / n <= 6.0), 730)
    start = datetime(first.year, first.month, first.day) + timedelta(days=0 if first.hour == 0 else 1)  # noqa: DTZ001 a clock's own hands
    found = [start + timedelta(days=step * k) for k in range(days // step + 1)]
    return [day for day in found if first <= day <= last - (last - first) * 0.03]


def curve_icon(number: int) -> str:
    """The sign of a line in a legend."""
    return (
        f'<svg viewBox="0 0 22 10" width="22" height="10"><path class="curve {_CURVES[number]}" d="M1 5L21 5"/></svg>'
    )


def draw_health(health: Sequence[SensorHealth], wording: Wording) -> str:
    """A strip for each instrument, a mark for each day or days: what arrived; empty where it was not kept."""
    kept = [h for h in health if h.daily]
    if not kept:
        return ""
    first, last = kept[0].daily[0][0], max(h.daily[-1][0] for h in kept)
    n_days = (last - first).days + 1
    names = min(_NAMES, 8.0 + max(width_of(shorten(h.sensor, _LETTERS), 9.5) for h in kept))
    per_day = (_STRIP_WIDTH - names - 8.0) / n_days
    picture = Picture(_STRIP_WIDTH, _STRIP * len(kept) + 24.0, wording.say("Share of values that arrived, by day"))
    for k, sensor in enumerate(kept):
        y = _STRIP * k + _STRIP / 2.0
        picture.text(names - 4.0, y + 3.5, shorten(sensor.sensor, _LETTERS), "small", "end")
        for classes, path in _strips(sensor, first, names, per_day, y):
            picture.add(f'<path class="strip {classes}" d="{path}"/>')
    bottom = _STRIP * len(kept)
    for day in _ticks(first, last + timedelta(days=1)):
        x = names + per_day * (day - first).days
        picture.line([(x, bottom), (x, bottom + 4.0)], "axis")
        picture.text(x, bottom + 16.0, wording.short_day(day), "soft small", "middle" if x > names + 20.0 else "start")
    return picture.svg()


def _strips(sensor: SensorHealth, first: datetime, left: float, per_day: float, y: float) -> list[tuple[str, str]]:
    """Runs of days of one class as a path each."""
    runs: dict[str, list[tuple[int, int]]] = {"h-good": [], "h-some": [], "h-bad": []}
    shares = np.zeros((sensor.daily[-1][0] - first).days + 1)
    for day, share in sensor.daily:
        shares[(day - first).days] = share
    for number, share in enumerate(shares.tolist()):
        found = runs["h-good" if share >= _GOOD else "h-some" if share >= _POOR else "h-bad"]
        if found and found[-1][1] == number:
            found[-1] = (found[-1][0], number + 1)
        else:
            found.append((number, number + 1))
    return [
        (
            classes,
            "".join(f"M{num(left + per_day * a)} {num(y)}H{num(left + per_day * b)}" for a, b in found),
        )
        for classes, found in runs.items()
        if found
    ]
