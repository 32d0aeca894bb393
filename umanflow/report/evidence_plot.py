"""How far the instruments moved when an alarm was raised, as bars."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from umanflow.report.row import EvidenceRow
from umanflow.report.svg import new_figure, shorten, styled, to_svg

_MOST_LETTERS = 21


def draw_evidence(evidence: Sequence[EvidenceRow], prefix: str) -> Markup:
    """Bars of standard deviations, the furthest on top; empty where there is no evidence."""
    if not evidence:
        return Markup("")
    values = [row.sigmas for row in evidence]
    places = list(range(len(values)))
    with styled():
        figure = new_figure(5.4, 0.62 + 0.24 * len(values))
        axes = figure.add_axes((0.34, 0.44 / figure.get_figheight(), 0.62, 1.0 - 0.5 / figure.get_figheight()))
        axes.barh(places, values, height=0.66, color=["#b3261e" if v < 0.0 else "#1f6fb2" for v in values])
        axes.axvline(0.0, color="#444444", linewidth=0.8)
        axes.set_yticks(places, [shorten(row.channel, _MOST_LETTERS) for row in evidence])
        axes.tick_params(axis="y", length=0.0)
        axes.invert_yaxis()
        reach = 1.22 * max(max(abs(v) for v in values), 1.0)
        axes.set_xlim(-reach if min(values) < 0.0 else 0.0, reach if max(values) > 0.0 else 0.0)
        for place, value in zip(places, values, strict=True):
            axes.annotate(
                f"{value:+.1f}",
                (value, place),
                xytext=(3.0 if value >= 0.0 else -3.0, 0.0),
                textcoords="offset points",
                va="center",
                ha="left" if value >= 0.0 else "right",
                fontsize=8.0,
            )
        axes.set_xlabel("standard deviations from normal", fontsize=8.0, labelpad=2.0)
        return to_svg(figure, prefix, "Evidence: standard deviations of each instrument")
