"""Sentences that are chosen by a key: reasons, causes, and what was not watched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache

from umanflow.report.case import StepPlan, Unwatched, Verdict
from umanflow.report.wording import Wording, mark

STATUS = {"open": mark("open"), "ended": mark("ended"), "withdrawn": mark("withdrawn")}
KIND = {"abrupt": mark("abrupt"), "growing": mark("growing"), "old": mark("old")}
HEALTH = {
    "good": mark("good"),
    "silent": mark("silent"),
    "flat": mark("flat"),
    "gap": mark("gap"),
    "stuck": mark("stuck"),
    "spike": mark("spikes"),
    "unit": mark("wrong unit"),
    "clock": mark("clock is wrong"),
    "offset": mark("offset"),
    "drift": mark("drifts"),
    "meter": mark("reads a share too much or too little"),
    "level": mark("level is wrong"),
}
CAUSE = {
    "meter": mark("Meter or logger fault"),
    "surge": mark("Surge of demand"),
    "operation": mark("Pump or valve action"),
}
FINDING = {
    "ruled out": mark("ruled out"),
    "unlikely": mark("unlikely"),
    "open": mark("not ruled out"),
    "unknown": mark("unknown"),
}
_VERDICT = {
    "many moved": mark("{n} instruments moved together by 3 standard deviations and more; none alone makes the alarm."),
    "some moved": mark("{n} instruments moved by 3 standard deviations and more, {channel} by far the most ({share})."),
    "one moved": mark("The alarm rests on {channel} ({share} of the evidence): check this instrument first."),
    "no evidence": mark("The detection kept no evidence for this event."),
    "night rose": mark(
        "The district's night flow rose by {rise} within {n} nights (leak: {flow}); a surge comes by day."
    ),
    "lasted": mark("{channel} stayed away from normal on {share} of {n} days after the alarm; a surge passes."),
    "too short": mark("Only {n} days have passed since the alarm."),
    "came and went": mark("{channel} stayed away from normal on only {share} of {n} days after the alarm."),
    "hidden": mark("Other leaks of the district began or ended in the same weeks and hide how long this one lasted."),
    "no days": mark("There are no days to compare before and after the alarm."),
    "balance rose": mark(
        "{channel} rose by {sigmas} standard deviations: water is missing, and pumping is measured and in the model."
    ),
    "pressures alone": mark("Pressures alone moved, no district's balance: ask whether a valve or a pump was touched."),
}
_PLAN = {
    "no candidates": mark("Not possible: the detection named no candidate pipes."),
    "narrow": mark(
        "Not needed: the candidates are close together, search them with a correlator or a listening stick."
    ),
    "closed": mark("Not needed: the event is no longer open."),
    "no valves": mark("Unknown: the network has no table of isolation valves."),
    "no inlet": mark("Not possible: the district has no metered inlet whose flow could be watched."),
    "behind the meter": mark("Not possible: all candidates lie in the segment right behind the inlet meter."),
    "no solution": mark("Not simulated: the model has no solution with these valves shut."),
}
_UNWATCHED = {
    "learning": mark("The first {n} days, until {until}: the detector learns from them and raises no alarm."),
    "no drive": mark("{n} of {of} intervals of {hours} h: an inlet flow, a pump flow or a tank level was missing."),
    "open district": mark("Balance of {names}: not everything that enters or leaves is metered."),
    "no district": mark(
        "{km} km of pipes ({n}, {share} of the length) in no metered district: only pressures watch them."
    ),
    "silent": mark("Instruments that sent nothing: {names}."),
    "flat": mark("Instruments that never moved: {names}."),
    "gaps": mark("Instruments with less than {share} of their values: {names}."),
    "too small": mark("Leaks below {low} to {high}, depending on the district, are not reported."),
    "no pressure": mark("Where a leak lies: there is no pressure sensor."),
}
# sentences of models/health_limits.py, and what can stand in them
LIMITS = (
    mark(
        "no pressure column: a leak shows in its district's night flow and balance alone; where in the district it is "
        "cannot be told"
    ),
    mark(
        "no flow column: no district has a balance and demand is the model's own; leaks show in pressures alone, and "
        "their size rests on the model"
    ),
    mark("no district is wholly measured: leaks show in pressures alone"),
    mark("district {name}: no balance, for lack of {lack}"),
    mark("district {name}: no pressure sensor in it; a leak there has no place"),
    mark("a flow meter at its boundary"),
    mark("the level of tank {tanks}"),
    mark("a meter behind {sources}"),
    mark("meters at all of its boundary"),
)
MISSING = {
    "valves": mark("Isolation valves: the network has no table of valves (valves.csv)."),
    "nodes": mark("Customers: the network has no table of nodes with connections (nodes.csv)."),
    "zones": mark("What zones lose at night: the detection kept none (zones.json); run umanflow detect again."),
    "days": mark("Night flows and daily health: the detection kept none (days.parquet); run umanflow detect again."),
    "crs": mark("Longitude and latitude: the coordinates' reference system is not stated (--crs, or crs in the file)."),
    "cost": mark("Money: the cost of a lost m³ is not stated (--cost, or [report] cost_per_m3 in the configuration)."),
}


def verdict_text(verdict: Verdict, wording: Wording) -> str:
    """The reason of a verdict."""
    texts: dict[str, str] = {}
    for name, value in verdict.values:
        if isinstance(value, str):
            texts[name] = channel_text(value, wording)
        elif name == "share":
            texts[name] = wording.percent(value)
        elif name in {"rise", "flow"}:
            texts[name] = wording.flow(value)
        else:
            texts[name] = wording.number(value, 1 if name == "sigmas" else 0)
    return wording.fill(_VERDICT[verdict.reason], **texts)


def channel_text(channel: str, wording: Wording) -> str:
    """A channel's name; a balance in the reader's language."""
    prefix = "balance of "
    if channel.startswith(prefix):
        return wording.fill("balance of {name}", name=channel.removeprefix(prefix))
    return channel


def meters_text(inlets: Sequence[tuple[str, int]]) -> str:
    """Meters of a district as a sum: those through which water leaves are taken away."""
    text = " ".join(f"{'+' if sign > 0 else '−'} {name}" for name, sign in sorted(inlets, key=lambda i: -i[1]))
    return text.removeprefix("+ ")


def plan_text(plan: StepPlan, wording: Wording) -> str:
    """Why there is no step test."""
    return wording.say(_PLAN[plan.reason])


def limit_text(limit: str, wording: Wording) -> str:
    """What the instruments do not allow; a sentence that is not known stays as the detection wrote it."""
    for template in LIMITS:
        found = _pattern(template).fullmatch(limit)
        if found:
            values = {name: limit_text(value, wording) for name, value in found.groupdict().items()}
            return wording.fill(template, **values)
    return limit


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """A sentence with names in it, as a pattern that finds them."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(template)))


def unwatched_text(unwatched: Unwatched, wording: Wording) -> str:
    """What was not watched, and why."""
    texts: dict[str, str] = {}
    for name, value in unwatched.values:
        if isinstance(value, str):
            texts[name] = value
        elif isinstance(value, datetime):
            texts[name] = wording.minute(value)
        elif name == "share":
            texts[name] = wording.percent(value, 0 if value >= 0.1 else 1)
        elif name in {"low", "high"}:
            texts[name] = wording.flow(value)
        else:
            texts[name] = wording.number(value, 1 if name == "km" else 0)
    return wording.fill(_UNWATCHED[unwatched.what], **texts)
