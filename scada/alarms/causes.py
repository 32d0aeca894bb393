"""Which alarm is the cause of which, so that one cause makes one alarm.

Parents are configured (``suppressed_by``), and follow from the wiring: a device that gives no answer is the cause of
missing values of its tags, a gateway that of its devices, and what lies between us and all of them that of everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scada.alarms.alarm import AWAY, Alarm

__all__ = ["Wiring", "complete", "cycle_in", "parents_of"]

_MISSING = {"bad", "stale"}
_RETURN_S = 60.0  # devices behind a network that is back answer one by one: pauses of the reader grow to a minute
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
_NETWORK_TEXTS = {
    "text_uk": "не відповідає жоден пристрій",
    "text_en": "no device gives an answer",
    "cause_uk": "мережа між нами й об'єктами: комутатор, канал зв'язку, їхнє живлення",
    "cause_en": "the network between us and the sites: switch, link, their power",
    "consequence_uk": "значення не надходять звідусіль",
    "consequence_en": "no values come from anywhere",
    "action_uk": "перевірити мережу диспетчерської; зателефонувати постачальнику зв'язку",
    "action_en": "check the control room's network; call the provider",
}


@dataclass(frozen=True, slots=True)
class Wiring:
    """What hangs on what.

    Attributes
    ----------
    device_of : mapping of str to str
        Device of each tag.
    gateway_of : mapping of str to str
        Gateway of each device that shares one with others; and what lies above a gateway, or a device without one.
    away_delay_s : float
        How long a device or a gateway may be silent before it is an alarm, s; what follows from it waits for it.
    network : str
        The name in `gateway_of` that stands for the network between us and everything; empty for none.
    """

    device_of: Mapping[str, str] = field(default_factory=dict)
    gateway_of: Mapping[str, str] = field(default_factory=dict)
    away_delay_s: float = 30.0
    network: str = ""

    def above(self, name: str) -> list[str]:
        """Return what a device or a gateway hangs on, the nearest first."""
        found: list[str] = []
        while (name := self.gateway_of.get(name, "")) and name not in found:
            found.append(name)
        return found


def complete(alarms: Iterable[Alarm], wiring: Wiring) -> tuple[Alarm, ...]:
    """Return the alarms with one ``away`` for each device that they watch and for each of its gateways."""
    known = list(alarms)
    ids = {alarm.id for alarm in known}
    devices = dict.fromkeys(wiring.device_of[alarm.tag] for alarm in known if alarm.tag in wiring.device_of)
    devices.update(dict.fromkeys(alarm.tag for alarm in known if alarm.kind == AWAY and alarm.tag in _devices(wiring)))
    below: dict[str, set[str]] = {}
    for device in devices:
        name = device
        for gateway in wiring.above(device):
            below.setdefault(gateway, set()).add(name)
            name = gateway
    # of a gateway with one device nothing is known that is not known of the device
    for name in [*(gateway for gateway, members in below.items() if len(members) > 1), *devices]:
        if f"{name}/{AWAY}" not in ids:
            words = _NETWORK_TEXTS if name == wiring.network else _TEXTS
            texts = {key: text.format(name) for key, text in words.items()}
            return_s = _RETURN_S if name == wiring.network else 0.0
            delays = {"on_delay_s": wiring.away_delay_s, "off_delay_s": return_s}
            known.append(Alarm(name, AWAY, priority="high", **delays, **texts))  # type: ignore[arg-type]
    return tuple(known)


def _devices(wiring: Wiring) -> set[str]:
    return set(wiring.device_of.values()) | set(wiring.gateway_of)


def parents_of(alarm: Alarm, wiring: Wiring) -> list[str]:
    """Return the ids of an alarm's causes, those of its wiring first."""
    found: list[str] = []
    if alarm.kind in _MISSING and alarm.tag in wiring.device_of:
        found.append(f"{wiring.device_of[alarm.tag]}/{AWAY}")
    if alarm.kind == AWAY:
        found += [f"{gateway}/{AWAY}" for gateway in wiring.above(alarm.tag)]
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
