"""Plots of pump schedules: electricity and its price by the hour, and what a power cut does."""

from __future__ import annotations

from umanflow.planner.pumpplan import PumpPlan
from umanflow.planner.report.plots import HALF, WIDE, axes_of, swatch
from umanflow.report.blocks import Figure, Legend
from umanflow.report.drawing import Picture
from umanflow.report.ground import line_icon
from umanflow.report.wording import Wording


def energy_plot(plan: PumpPlan, wording: Wording) -> Figure:
    """Electricity by hour of the clock, now and with the schedule."""
    picture = Picture(HALF, 200.0, wording.say("Electricity of the pumps by the hour"))
    axes = axes_of(picture, (0.0, 24.0), [0.0, *plan.before.energy_by_hour, *plan.after.energy_by_hour])
    axes.draw_scale(wording)
    axes.draw_ticks((float(hour), str(hour)) for hour in range(0, 25, 3))
    picture.text(2.0, 10.0, wording.say("kWh in each hour"), "soft small")
    for hour, energy in enumerate(plan.after.energy_by_hour.tolist()):
        axes.bar(hour + 0.5, 0.8, 0.0, energy, "fa")
    axes.steps(plan.before.energy_by_hour.tolist(), "lb")
    legend = (
        Legend(line_icon("curve lb"), wording.say("now")),
        Legend(swatch("fa"), wording.say("with the schedule")),
    )
    return Figure("plot-energy", picture.svg(), "", legend)


def price_plot(plan: PumpPlan, wording: Wording) -> Figure:
    """Price of electricity by hour of the clock."""
    picture = Picture(HALF, 200.0, wording.say("Price of electricity by the hour"))
    axes = axes_of(picture, (0.0, 24.0), [0.0, *plan.price])
    axes.draw_scale(wording)
    axes.draw_ticks((float(hour), str(hour)) for hour in range(0, 25, 3))
    picture.text(2.0, 10.0, wording.fill("{currency} for a kWh", currency=wording.currency_sign), "soft small")
    axes.steps(plan.price.tolist(), "la")
    return Figure("plot-price", picture.svg())


def cut_plot(plan: PumpPlan, wording: Wording) -> Figure:
    """Connections that a power cut leaves dry, by the hour at which it begins."""
    picture = Picture(WIDE, 200.0, wording.say("Connections without water by the hour at which the power is cut"))
    sets = {"lb": plan.cuts_before.cuts, "la": plan.cuts_after.cuts}
    axes = axes_of(picture, (0.0, 24.0), [0.0, *(cut.dry for cuts in sets.values() for cut in cuts)])
    axes.draw_scale(wording)
    axes.draw_ticks((float(hour), str(hour)) for hour in range(0, 25, 2))
    picture.text(2.0, 10.0, wording.say("connections without water at some time of the cut"), "soft small")
    for classes, cuts in sets.items():
        axes.line(sorted((float(cut.hour), cut.dry) for cut in cuts), classes)
        axes.dots([(float(cut.hour), cut.dry) for cut in cuts], f"dot f{classes[1]}")
    legend = (
        Legend(line_icon("curve lb"), wording.say("now")),
        Legend(line_icon("curve la"), wording.say("with the schedule")),
    )
    return Figure("plot-cuts", picture.svg(), wording.say("Below, the hour at which the cut begins."), legend)
