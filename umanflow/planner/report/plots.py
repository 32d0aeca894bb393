"""Plots of a plan: the way of revenue water, what each part saves, money, set-points by the hour, loggers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from umanflow.planner.parts import Loggers
from umanflow.planner.pressurefacts import ValvePlan
from umanflow.planner.programme import Programme, Year
from umanflow.planner.renewal import Renewal
from umanflow.report.axes import Axes, Box
from umanflow.report.blocks import Figure, Legend
from umanflow.report.drawing import Picture, shorten
from umanflow.report.ground import icon, line_icon
from umanflow.report.wording import Wording

WIDE, HALF = 760.0, 440.0
_HEIGHT, _TALL = 230.0, 340.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 14.0, 24.0, 24.0
_MOST_YEARS = 11
_PANELS, _PANEL_W, _PANEL_H = 3, 252.0, 118.0
PANELS_A_SHEET = 6
_LEAST_SPAN = 10.0  # m
_LETTERS = 26


def axes_of(picture: Picture, across: tuple[float, float], values: Sequence[float]) -> Axes:
    """Axes that fill a picture but for its numbers."""
    box = Box(_LEFT, _TOP, picture.width - _LEFT - _RIGHT, picture.height - _TOP - _BOTTOM)
    return Axes(picture, box, across, values)


def _years(axes: Axes, years: Sequence[Year], middle: float = 0.0) -> None:
    step = next(n for n in (1, 2, 5, 10, 20, 50) if len(years) / n <= _MOST_YEARS)
    axes.draw_ticks((y.year + middle, str(y.year)) for k, y in enumerate(years) if k % step == 0)


def swatch(classes: str) -> str:
    """A filled sign of a legend."""
    return icon(f'<rect class="{classes}" x="3" y="1" width="16" height="10"/>')


def ratio_plot(programme: Programme, target: float, wording: Wording, name: str, width: float = WIDE) -> Figure:
    """Revenue water by year with its limits, beside doing nothing and the target."""
    years = programme.years
    picture = Picture(width, _TALL, wording.say("Revenue water by year, with the programme and without"))
    across = [float(y.year) for y in years]
    seen = [v for y in years for v in (y.ratio_low, y.ratio_high, y.ratio_nothing)]
    axes = axes_of(picture, (min(across) - 0.15, max(across) + 0.15), [*seen, target])
    axes.draw_scale(wording, 100.0, "\u00a0%")
    _years(axes, years)
    axes.band(across, [y.ratio_low for y in years], [y.ratio_high for y in years], "range")
    axes.line([(min(across) - 0.15, target), (max(across) + 0.15, target)], "target")
    lines = {
        "ln": ([y.ratio_nothing for y in years], wording.say("nothing is done")),
        "lb": ([y.ratio_without_renewal for y in years], wording.say("all measures but renewal")),
        "la": ([y.ratio for y in years], wording.say("with the programme")),
    }
    for classes, (values, _) in lines.items():
        axes.line(list(zip(across, values, strict=True)), classes)
    axes.dots([(y.year, y.ratio) for y in years], "dot fa")
    legend = [Legend(line_icon(f"curve {classes}"), text) for classes, (_, text) in reversed(lines.items())]
    legend.insert(1, Legend(swatch("range"), wording.say("90 % limits of the programme")))
    legend.append(Legend(line_icon("target"), wording.fill("target, {share}", share=wording.percent(target))))
    return Figure(name, picture.svg(), "", tuple(legend))


def parts_plot(programme: Programme, wording: Wording) -> Figure:
    """What each part takes off the leakage, stacked, by year."""
    words = {
        "finding": ("fa", wording.say("finding and repairing")),
        "pressure": ("fb", wording.say("pressure")),
        "renewal": ("fc", wording.say("renewal")),
    }
    years = programme.years
    picture = Picture(HALF, _HEIGHT, wording.say("Leakage that each part saves, by year"))
    total = [float(sum(max(values[k], 0.0) for values in programme.parts.values())) for k in range(len(years))]
    axes = axes_of(picture, (years[0].year - 0.5, years[-1].year + 0.5), [0.0, *total])
    axes.draw_scale(wording)
    _years(axes, years)
    picture.text(2.0, 10.0, wording.say("m³ a day less than by doing nothing"), "soft small")
    for k, year in enumerate(years):
        low = 0.0
        for name, (classes, _) in words.items():
            high = low + max(float(programme.parts.get(name, np.zeros(len(years)))[k]), 0.0)
            axes.bar(year.year, 0.7, low, high, classes)
            low = high
    legend = tuple(Legend(swatch(classes), text) for classes, text in words.values())
    return Figure("plot-parts", picture.svg(), "", legend)


def money_plot(programme: Programme, wording: Wording) -> Figure:
    """Money of each year and the discounted balance of all years until then, in millions."""
    years = programme.years
    picture = Picture(HALF, _HEIGHT, wording.say("Spent and saved by year, and the balance of all years until then"))
    values = [v / 1e6 for y in years for v in (y.saved, -y.cost, y.balance)]
    axes = axes_of(picture, (years[0].year - 0.5, years[-1].year + 0.5), [0.0, *values])
    axes.draw_scale(wording)
    _years(axes, years)
    picture.text(2.0, 10.0, wording.fill("million {currency}", currency=wording.currency_sign), "soft small")
    for year in years:
        axes.bar(year.year - 0.18, 0.34, -year.cost / 1e6, 0.0, "fb")
        axes.bar(year.year + 0.18, 0.34, 0.0, year.saved / 1e6, "fa")
    axes.line([(y.year, y.balance / 1e6) for y in years], "ink-line")
    axes.dots([(y.year, y.balance / 1e6) for y in years], "ink-dot")
    legend = (
        Legend(swatch("fb"), wording.say("spent in the year")),
        Legend(swatch("fa"), wording.say("saved in the year")),
        Legend(line_icon("curve ink-line"), wording.say("balance since the beginning, discounted")),
    )
    return Figure("plot-money", picture.svg(), "", legend)


def setpoint_plots(valves: Sequence[ValvePlan], wording: Wording) -> list[Figure]:
    """Pressure behind each valve by the hour, now and planned; so many valves in a picture as fit a sheet of paper."""
    legend = (
        Legend(line_icon("curve ln"), wording.say("pressure behind the valve now, m")),
        Legend(line_icon("curve la"), wording.say("set-point by the hour, m")),
        Legend(line_icon("target"), wording.say("one set-point that would do all day, m")),
    )
    figures = []
    span = max(_LEAST_SPAN, *(float(np.ptp([v.before, v.after])) for v in valves))
    for start in range(0, len(valves), PANELS_A_SHEET):
        some = valves[start : start + PANELS_A_SHEET]
        rows = -(-len(some) // _PANELS)
        picture = Picture(WIDE, rows * _PANEL_H + 4.0, wording.say("Set-points by the hour of the day"))
        for k, valve in enumerate(some):
            _panel(picture, valve, (k % _PANELS * (_PANEL_W + 2.0), k // _PANELS * _PANEL_H), span, wording)
        name = f"plot-setpoints-{start // PANELS_A_SHEET + 1}"
        figures.append(Figure(name, picture.svg(), "", legend if start + PANELS_A_SHEET >= len(valves) else ()))
    return figures


def _panel(picture: Picture, valve: ValvePlan, at: tuple[float, float], span: float, wording: Wording) -> None:
    """One valve; all have the same metres from bottom to top, each its own height."""
    box = Box(at[0] + 30.0, at[1] + 20.0, _PANEL_W - 40.0, _PANEL_H - 46.0)
    low = max(float(min(valve.before.min(), valve.after.min())) - 0.1 * span, 0.0)
    axes = Axes(picture, box, (0.0, 24.0), [low, low + 1.2 * span], 3)
    title = valve.zone if valve.is_new else f"{valve.zone}: {valve.valve}"  # a new one is called after its zone
    picture.text(at[0] + 30.0, at[1] + 12.0, shorten(title, _LETTERS), "bold small")
    axes.draw_scale(wording)
    axes.draw_ticks((float(hour), str(hour)) for hour in (0, 6, 12, 18, 24))
    axes.line([(0.0, valve.fixed), (24.0, valve.fixed)], "target")
    axes.steps(valve.before.tolist(), "ln")
    axes.steps(valve.after.tolist(), "la")


def promise_plots(loggers: Loggers, wording: Wording) -> tuple[Figure, Figure]:
    """How far from the leak a search begins, and which share of leaks is seen, by number of loggers."""
    numbers = sorted(loggers.promises)
    across = (0.0, numbers[-1] * 1.04)
    far = Picture(HALF, 190.0, wording.say("Expected distance to the leak by number of loggers"))
    distance = [(float(n), loggers.promises[n].distance) for n in numbers]
    axes = axes_of(far, across, [0.0, *(value for _, value in distance)])
    axes.draw_scale(wording)
    axes.draw_ticks((float(n), str(n)) for n in numbers)
    far.text(2.0, 10.0, wording.say("median distance to the leak, m"), "soft small")
    axes.line(distance, "la")
    axes.dots(distance, "dot fa")
    seen = Picture(HALF, 190.0, wording.say("Expected share of leaks seen and placed by number of loggers"))
    axes = axes_of(seen, across, [0.0, 1.0])
    axes.draw_scale(wording, 100.0, "\u00a0%")
    axes.draw_ticks((float(n), str(n)) for n in numbers)
    found = [(float(n), loggers.promises[n].detected) for n in numbers]
    placed = [(float(n), loggers.promises[n].within) for n in numbers]
    axes.line(found, "la")
    axes.line(placed, "lb")
    axes.dots(found, "dot fa")
    axes.dots(placed, "dot fb")
    legend = (
        Legend(line_icon("curve la"), wording.say("leaks that are seen")),
        Legend(line_icon("curve lb"), wording.say("leaks placed within 300 m")),
    )
    number = wording.say("Number of loggers below.")
    return Figure("plot-distance", far.svg(), number), Figure("plot-seen", seen.svg(), number, legend)


def caught_plot(renewal: Renewal, wording: Wording) -> Figure:
    """What the first pipes avoid and how many of the expected breaks lie on them, by their share of the length."""
    picture = Picture(HALF, 210.0, wording.say("What the first pipes of the ranking avoid"))
    along = np.concatenate(([0.0], np.cumsum(renewal.length) / renewal.length.sum()))
    lines = {
        "la": (renewal.avoided, wording.say("avoided money")),
        "lb": (renewal.rate * renewal.length, wording.say("next year's expected breaks")),
    }
    axes = axes_of(picture, (0.0, 1.0), [0.0, 1.0])
    axes.draw_scale(wording, 100.0, "\u00a0%")
    axes.draw_ticks((share, wording.percent(share)) for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
    few = np.unique(np.searchsorted(along, np.linspace(0.0, 1.0, 101)).clip(0, len(along) - 1))
    axes.line([(0.0, 0.0), (1.0, 1.0)], "target")
    for classes, (values, _) in lines.items():
        sums = np.concatenate(([0.0], np.cumsum(values) / max(float(values.sum()), 1e-12)))
        axes.line([(float(along[k]), float(sums[k])) for k in few.tolist()], classes)
    caption = wording.say("Share of the length below, in the order of the ranking; dotted: no ranking at all.")
    legend = tuple(Legend(line_icon(f"curve {classes}"), text) for classes, (_, text) in lines.items())
    return Figure("plot-caught", picture.svg(), caption, legend)


def steady_plot(steady: Sequence[tuple[str, float]], wording: Wording) -> Figure:
    """How much of the first fifth stays when an assumption is halved and doubled: a bar for each."""
    row, names = 17.0, 236.0
    picture = Picture(HALF, row * len(steady) + 24.0, wording.say("Share of the first fifth of the length that stays"))
    scale = HALF - names - 48.0
    for k, (name, kept) in enumerate(steady):
        y = 2.0 + row * k
        picture.text(names - 6.0, y + 11.5, shorten(name, 38), "small", "end")
        picture.rect(names, y + 2.0, scale * kept, row - 5.0, "fa")
        picture.text(names + scale * kept + 4.0, y + 11.5, wording.percent(kept), "small")
    picture.line([(names, 0.0), (names, row * len(steady) + 4.0)], "axis")
    return Figure("plot-steady", picture.svg())
