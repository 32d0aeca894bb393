"""Plots: how far instruments moved, how a value went from day to day, when instruments were silent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

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


def nice_step(span: float, most: int) -> float:
    """Find the smallest of 1, 2, 5, 10, 20 ... that cuts a span into no more than so many parts."""
    least = span / most
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= least * (1.0 - 1e-9))


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
    low, high = min(*finite, 0.0), max(*finite, 0.0)
    step = nice_step(max(high - low, 1e-9), 4)
    low, high = step * math.floor(low / step), step * math.ceil(high / step)
    picture = Picture(WIDTH, _HEIGHT, label)
    span_x, span_y = WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def across(time: datetime) -> float:
        return _LEFT + span_x * ((time - first) / (last - first))

    def up(value: float) -> float:
        return _TOP + span_y * (high - value) / max(high - low, 1e-9)

    _draw_scales(picture, (first, last), (low, high, step), wording)
    picture.text(2.0, 10.0, unit, "soft small")
    taken = -math.inf
    for time, letter in sorted(marks):
        if first <= time <= last:
            x = across(time)
            picture.line([(x, _TOP - 2.0), (x, _HEIGHT - _BOTTOM)], "mark")
            place = max(x, taken + 11.0)
            taken = place
            picture.text(place, _TOP - 6.0, letter, "bold small", "middle")
    for curve, line in zip(_CURVES, series, strict=False):
        for run in _runs(line):
            points = [(across(t), up(v)) for t, v in run]
            if len(points) == 1:
                points = [(points[0][0] - 1.0, points[0][1]), (points[0][0] + 1.0, points[0][1])]
            picture.line(points, f"curve {curve}")
    return picture.svg()


def _draw_scales(
    picture: Picture, days: tuple[datetime, datetime], values: tuple[float, float, float], wording: Wording
) -> None:
    """Lines and numbers of the values (low, high, step), and days below."""
    low, high, step = values
    span_x, span_y = WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    for k in range(round((high - low) / step) + 1):
        value = low + k * step
        y = _TOP + span_y * (high - value) / max(high - low, 1e-9)
        picture.line([(_LEFT, y), (WIDTH - _RIGHT, y)], "axis" if abs(value) < step / 2.0 else "grid")
        picture.text(_LEFT - 5.0, y + 3.5, wording.number(value, digits), "soft small", "end")
    for day in _ticks(*days):
        x = _LEFT + span_x * ((day - days[0]) / (days[1] - days[0]))
        picture.line([(x, _HEIGHT - _BOTTOM), (x, _HEIGHT - _BOTTOM + 4.0)], "axis")
        picture.text(x, _HEIGHT - 5.0, wording.short_day(day), "soft small", "middle")


def _runs(series: Series) -> list[list[tuple[datetime, float]]]:
    runs: list[list[tuple[datetime, float]]] = [[]]
    for time, value in zip(series.times, series.values, strict=True):
        if math.isfinite(value):
            runs[-1].append((time, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


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
