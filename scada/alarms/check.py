"""What can be wrong with a list of alarms."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from scada.alarms.alarm import AWAY, KINDS, PRIORITIES, Alarm
from scada.alarms.causes import Wiring, complete, cycle_in, parents_of
from scada.errors import TagError
from scada.tag import Tag

__all__ = ["MODEL", "AlarmSurroundings", "check_alarms"]

MODEL = "model"
_SETTINGS = ("limit", "deadband", "window_s", "expected")
_LADDER = ("LL", "L", "H", "HH")
_BITS = {"bool", "bit"}

Finding = tuple[str, str, str]  # what, mend, severity


@dataclass(frozen=True, slots=True)
class AlarmSurroundings:
    """What an alarm table is checked against, beside itself.

    Attributes
    ----------
    tags : mapping of str to Tag or None
        The tags; None where any name will do.
    wiring : Wiring
        Devices and gateways, whose alarms may be named as causes though the table does not have them.
    sources : collection of str
        What may be expected beside the values of tags.
    """

    tags: Mapping[str, Tag] | None = None
    wiring: Wiring = field(default_factory=Wiring)
    sources: Collection[str] = (MODEL,)


def check_alarms(
    alarms: Sequence[Alarm],
    around: AlarmSurroundings | None = None,
    file: str = "",
    lines: Sequence[int] | None = None,
    others: Sequence[Alarm] = (),
) -> list[TagError]:
    """Return every mistake of a list of alarms, in the order of their lines.

    Parameters
    ----------
    alarms : sequence of Alarm
    around : AlarmSurroundings, optional
    file : str
        Named in the errors.
    lines : sequence of int, optional
        Line of each alarm in the file.
    others : sequence of Alarm
        Rows that could not be read whole: they may still be named as causes.
    """
    around = around or AlarmSurroundings()
    numbers = list(lines) if lines is not None else [0] * len(alarms)
    known = {alarm.id for alarm in complete([*alarms, *others], around.wiring)}
    errors: list[TagError] = []
    first: dict[str, int] = {}
    for alarm, line in zip(alarms, numbers, strict=True):
        checks = (_naming(alarm, around), _numbers(alarm), _settings(alarm), _watching(alarm, around), _texts(alarm))
        errors += [TagError(file, line, *finding) for check in checks for finding in check]
        errors += [TagError(file, line, *finding) for finding in _causes(alarm, known)]
        if alarm.id in first:
            what = f"alarm {alarm.id} is already on line {first[alarm.id]}"
            errors.append(TagError(file, line, what, "give one of them a name of its own"))
        first.setdefault(alarm.id, line)
    errors += [TagError(file, line, *finding) for line, finding in _ladders(alarms, numbers)]
    cycle = cycle_in({alarm.id: parents_of(alarm, around.wiring) for alarm in alarms})
    if cycle is not None:
        what = f"alarms are each other's cause: {' <- '.join(cycle)}"
        errors.append(TagError(file, first.get(cycle[0], 0), what, "take one out of suppressed_by"))
    return sorted(errors, key=lambda error: error.line)


def _naming(alarm: Alarm, around: AlarmSurroundings) -> Iterator[Finding]:
    if not alarm.tag:
        yield "the tag is empty", "name the tag that is watched", "error"
    if "/" in alarm.name or "|" in alarm.name or not (alarm.name.isprintable() and alarm.tag.isprintable()):
        yield f"name {alarm.name!r} has a stroke, a bar or an invisible character", "write a plain word", "error"
    if alarm.kind not in KINDS:
        yield f"kind '{alarm.kind}' is unknown", f"use one of {', '.join(KINDS)}", "error"
    if alarm.priority not in PRIORITIES:
        yield f"priority '{alarm.priority}' is unknown", f"use one of {', '.join(PRIORITIES)}", "error"
    if around.tags is None or not alarm.tag:
        return
    if alarm.kind == AWAY:
        devices = {*around.wiring.device_of.values(), *around.wiring.gateway_of.values()}
        if alarm.tag not in devices:
            yield f"device '{alarm.tag}' has no tags", "name a device or a gateway that is read", "error"
    elif alarm.tag not in around.tags:
        yield f"tag '{alarm.tag}' is unknown", "use a name of the tag table", "error"


def _numbers(alarm: Alarm) -> Iterator[Finding]:
    for name in ("deadband", "on_delay_s", "off_delay_s", "window_s"):
        value = getattr(alarm, name)
        if not (value >= 0.0 and math.isfinite(value)):
            yield f"{name} {value:g} is negative or endless", "write 0 or more", "error"
    if math.isinf(alarm.limit):
        yield "the limit is infinite", "write a number", "error"
    if not 0.0 < alarm.max_shelve_h <= 8760.0:
        yield f"max_shelve_h {alarm.max_shelve_h:g} is no time limit", "write hours above 0, a year at most", "error"


def _settings(alarm: Alarm) -> Iterator[Finding]:
    kind = KINDS.get(alarm.kind)
    if kind is None:
        return
    given = {name for name in _SETTINGS if _is_given(alarm, name)}
    for name in _SETTINGS:
        if name in kind.needs and name not in given:
            yield f"{alarm.kind} of {alarm.tag} has no {name}", f"write {name}", "error"
        elif name in given and name not in kind.needs | kind.takes:
            yield f"{name} has no meaning for {alarm.kind}", "leave it empty", "warning"
    if alarm.kind in {"rise", "fall", "rate", "deviation"} and "limit" in given and not alarm.limit > 0.0:
        yield f"limit {alarm.limit:g} of {alarm.kind} is not above 0", "write how far or how fast is too much", "error"
    elif alarm.kind in {"rise", "fall", "rate", "deviation"} and alarm.deadband >= alarm.limit:
        yield f"deadband {alarm.deadband:g} reaches beyond 0", "write one smaller than the limit", "error"


def _is_given(alarm: Alarm, name: str) -> bool:
    value = getattr(alarm, name)
    return not math.isnan(value) if name == "limit" else bool(value)


def _watching(alarm: Alarm, around: AlarmSurroundings) -> Iterator[Finding]:
    tag = around.tags.get(alarm.tag) if around.tags is not None else None
    if alarm.kind == "deviation" and alarm.expected == alarm.tag:
        yield f"{alarm.tag} is compared with itself", "name another tag", "error"
    if tag is None:
        return
    is_bit = tag.type in _BITS
    if tag.is_text and alarm.kind not in {"bad", "stale"}:
        yield f"{alarm.kind} is for numbers, {tag.name} is a text", "write bad or stale", "error"
    if alarm.kind in {"on", "off"} and not is_bit:
        yield f"{alarm.kind} is for bits, {tag.name} is a {tag.type}", "write a limit (L, H) instead", "error"
    elif is_bit and alarm.kind not in {"on", "off", "bad", "stale"}:
        yield f"{alarm.kind} is for numbers, {tag.name} is a bit", "write on or off", "error"
    if alarm.kind in _LADDER and (alarm.limit < tag.min or alarm.limit > tag.max):
        what = f"limit {alarm.limit:g} lies outside the tag's range {tag.min:g} to {tag.max:g}"
        yield what, "values beyond the range are not GOOD and raise no alarm; mend one of them", "error"
    if alarm.kind in KINDS and 0.0 < alarm.window_s < _least_window_s(alarm, tag):
        what = f"window_s {alarm.window_s:g} is too short for a tag that is read every {tag.interval_s:g} s"
        yield what, f"write at least {_least_window_s(alarm, tag):g}", "error"
    yield from _expecting(alarm, tag, around)


def _least_window_s(alarm: Alarm, tag: Tag) -> float:
    """A value is missed when two intervals have gone by; a rate needs one."""
    return {"stale": 2.0 * tag.interval_s, "deviation": 0.0}.get(alarm.kind, tag.interval_s)


def _expecting(alarm: Alarm, tag: Tag, around: AlarmSurroundings) -> Iterator[Finding]:
    if alarm.kind != "deviation" or not alarm.expected or alarm.expected in around.sources or around.tags is None:
        return
    other = around.tags.get(alarm.expected)
    if other is None:
        mend = f"use a name of the tag table{', or ' if around.sources else ''}{', '.join(around.sources)}"
        yield f"expected '{alarm.expected}' is unknown", mend, "error"
    elif other.unit != tag.unit:
        what = f"{tag.name} is in '{tag.unit}', {other.name} in '{other.unit}'"
        yield what, "compare tags of the same unit", "error"


def _texts(alarm: Alarm) -> Iterator[Finding]:
    for what, name in (("says what it is", "text"), ("says what to do", "action")):
        missing = [f"{name}_{language}" for language in ("uk", "en") if not getattr(alarm, f"{name}_{language}")]
        if missing:
            yield f"nothing {what} ({', '.join(missing)})", "an alarm without an answer is none; write it", "warning"


def _causes(alarm: Alarm, known: Collection[str]) -> Iterator[Finding]:
    for parent in alarm.suppressed_by:
        if parent == alarm.id:
            yield f"{alarm.id} suppresses itself", "take it out of suppressed_by", "error"
        elif parent not in known:
            yield f"cause '{parent}' is no alarm", "write tag/name of an alarm of this table", "error"


def _ladders(alarms: Sequence[Alarm], lines: Sequence[int]) -> Iterator[tuple[int, Finding]]:
    """Tell limits of one tag that are not in order LL < L < H < HH, or whose deadbands overlap."""
    rungs: dict[str, dict[str, tuple[Alarm, int]]] = {}
    for alarm, line in zip(alarms, lines, strict=True):
        if alarm.kind in _LADDER:
            rungs.setdefault(alarm.tag, {}).setdefault(alarm.kind, (alarm, line))
    for steps in rungs.values():
        present = [steps[kind] for kind in _LADDER if kind in steps]
        for (low, low_line), (high, high_line) in pairwise(present):
            line = max(low_line, high_line)
            if low.limit >= high.limit:
                what = f"{low.kind} {low.limit:g} of {low.tag} is not below {high.kind} {high.limit:g}"
                yield line, (what, "mend one of the limits", "error")
            elif low.kind == "L" and high.kind == "H" and low.limit + low.deadband > high.limit - high.deadband:
                what = f"the deadbands of L and H of {low.tag} overlap"
                yield line, (what, "no value would end both; write smaller ones", "error")
