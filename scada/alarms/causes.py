"""Which alarm is the cause of which, so that one cause makes one alarm.

Parents are configured (``suppressed_by``), and follow from the wiring: a device that gives no answer is the cause of
missing values of its tags, a gateway that of its devices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scada.alarms.alarm import AWAY, Alarm

__all__ = ["Wiring", "complete", "cycle_in", "parents_of"]

_MISSING = {"bad", "stale"}
_TEXTS = {
    "text_uk": "{} не відповідає",
    "text_en": "{} gives no answer",
    "cause_uk": "немає живлення або зв'язку, або програма контролера стоїть",
    "cause_en": "no power, no link, or the controller's program has stopped",
    "consequence_uk": "значення не надходять, станція працює без нагляду",
    "consequence_en": "no values come, the station works unwatched",
    "action_uk": "перевірити зв'язок і живлення; зателефонувати на об'єкт",
    "action_en": "check link and power; call the site",
}


@dataclass(frozen=True, slots=True)
class Wiring:
    """What hangs on what.

    Attributes
    ----------
    device_of : mapping of str to str
        Device of each tag.
    gateway_of : mapping of str to str
        Gateway of each device that shares one with others.
    away_delay_s : float
        How long a device or a gateway may be silent before it is an alarm, s; what follows from it waits for it.
    """

    device_of: Mapping[str, str] = field(default_factory=dict)
    gateway_of: Mapping[str, str] = field(default_factory=dict)
    away_delay_s: float = 30.0


def complete(alarms: Iterable[Alarm], wiring: Wiring) -> tuple[Alarm, ...]:
    """Return the alarms with one ``away`` for each device that they watch and for each of its gateways."""
    known = list(alarms)
    ids = {alarm.id for alarm in known}
    devices = dict.fromkeys(wiring.device_of[alarm.tag] for alarm in known if alarm.tag in wiring.device_of)
    devices.update(dict.fromkeys(alarm.tag for alarm in known if alarm.kind == AWAY and alarm.tag in _devices(wiring)))
    watched = Counter(wiring.gateway_of[device] for device in devices if device in wiring.gateway_of)
    # of a gateway with one device nothing is known that is not known of the device
    for name in [*(gateway for gateway, count in watched.items() if count > 1), *devices]:
        if f"{name}/{AWAY}" not in ids:
            texts = {key: text.format(name) for key, text in _TEXTS.items()}
            known.append(Alarm(name, AWAY, on_delay_s=wiring.away_delay_s, priority="high", **texts))  # type: ignore[arg-type]
    return tuple(known)


def _devices(wiring: Wiring) -> set[str]:
    return set(wiring.device_of.values()) | set(wiring.gateway_of)


def parents_of(alarm: Alarm, wiring: Wiring) -> list[str]:
    """Return the ids of an alarm's causes, those of its wiring first."""
    found: list[str] = []
    if alarm.kind in _MISSING and alarm.tag in wiring.device_of:
        found.append(f"{wiring.device_of[alarm.tag]}/{AWAY}")
    if alarm.kind == AWAY and alarm.tag in wiring.gateway_of:
        found.append(f"{wiring.gateway_of[alarm.tag]}/{AWAY}")
    return [*found, *(parent for parent in alarm.suppressed_by if parent not in found)]


def cycle_in(parents: Mapping[str, Iterable[str]]) -> list[str] | None:
    """Return alarms that are each other's cause, the first one at both ends, or None."""
    done: set[str] = set()
    for start in parents:
        path: list[str] = []
        stack = [(start, iter(parents.get(start, ())))]
        path.append(start)
        while stack:
            name, rest = stack[-1]
            following = next((p for p in rest if p not in done), None)
            if following is None:
                done.add(name)
                stack.pop()
                path.pop()
            elif following in path:
                return [*path[path.index(following) :], following]
            else:
                path.append(following)
                stack.append((following, iter(parents.get(following, ()))))
    return None
