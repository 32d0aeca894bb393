"""What can be wrong with a simulated PLC, on demand and by schedule.

=========== ===================================================================================================
kind        what happens
=========== ===================================================================================================
slow        replies come `delay_s` late, and up to `spread_s` more
silent      no reply
refuse      the port is closed: no connection can be made, and those that stand break
drop        the connection breaks in the middle of a reply
wrong-unit  replies bear another unit's number
exception   replies are the Modbus exception `code`
garbage     noise instead of the reply, before it, or (serial frames) flipped bits in it
half        the first half of a reply, and no more
restart     as refuse, and then the heartbeat begins at zero and written commands are forgotten
frozen      values stay as they were when it began; without `tags` the heartbeat too, as when the program stops
nan         float32 and float64 show NaN, other numbers their first bad value
drift       values run away by `rate` (engineering units an hour)
word-swap   the words of a value change places, as after an exchange of the device
=========== ===================================================================================================

On a serial line nobody can refuse or hang up: refuse and restart are silence there, drop is half a reply.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from scada.errors import ScadaError
from scada.tag import Tag

__all__ = ["KINDS", "Fault", "Faults", "Misconduct", "Spoiler"]

_PORT = ("refuse", "restart")
_WIRE = ("slow", "silent", "drop", "wrong-unit", "exception", "garbage", "half")
_VALUES = ("frozen", "nan", "drift", "word-swap")
KINDS = (*_WIRE, *_PORT, *_VALUES)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one device, once or again and again.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    device : str
        Device it strikes; empty for all. What strikes a port (refuse, restart) strikes all devices behind it.
    tags : tuple of str
        Names of the tags whose values it spoils, ``*`` and ``?`` standing for anything; empty for all.
    start_ms : int
        When it begins, in the time of the process.
    lasts_ms : int or None
        How long it lasts; None for ever.
    every_ms : int or None
        How long after its beginning it begins again; None for once.
    share : float
        Share of the requests that it strikes, 0 to 1.
    delay_s, spread_s : float
        Of slow: least delay, and how much longer it may be, s of real time.
    code : int
        Of exception.
    rate : float
        Of drift, engineering units an hour.
    """

    kind: str
    device: str = ""
    tags: tuple[str, ...] = ()
    start_ms: int = 0
    lasts_ms: int | None = None
    every_ms: int | None = None
    share: float = 1.0
    delay_s: float = 2.0
    spread_s: float = 0.0
    code: int = 4
    rate: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.kind not in KINDS:
            raise ScadaError(f"no fault '{self.kind}'; there are {', '.join(KINDS)}")
        if self.tags and self.kind not in _VALUES:
            raise ScadaError(f"fault '{self.kind}' strikes the device, not single tags; leave out tags")
        if not 0.0 < self.share <= 1.0:
            raise ScadaError(f"fault '{self.kind}': share {self.share:g} is not above 0 and up to 1")
        if not 1 <= self.code <= 255:
            raise ScadaError(f"fault '{self.kind}': code {self.code} is not within 1..255")
        if min(self.delay_s, self.spread_s) < 0 or (self.lasts_ms is not None and self.lasts_ms <= 0):
            raise ScadaError(f"fault '{self.kind}': a time in it is negative, or it lasts no time")
        if self.every_ms is not None and (self.lasts_ms is None or self.every_ms <= self.lasts_ms):
            raise ScadaError(f"fault '{self.kind}' has to end before it comes again; make 'every' longer than 'for'")

    def onset_ms(self, t_ms: int) -> int | None:
        """Return when it began, if it is on at `t_ms`."""
        since_ms = t_ms - self.start_ms
        if since_ms < 0:
            return None
        if self.every_ms is not None:
            since_ms %= self.every_ms
        return None if self.lasts_ms is not None and since_ms >= self.lasts_ms else t_ms - since_ms

    def strikes(self, device: str) -> bool:
        """Whether it is a fault of `device`."""
        return self.device in {"", device}

    def spoils(self, tag: Tag) -> bool:
        """Whether it changes the value of `tag`."""
        if self.kind not in _VALUES or not self.strikes(tag.device):
            return False
        return not self.tags or any(fnmatchcase(tag.name, pattern) for pattern in self.tags)


@dataclass(frozen=True, slots=True)
class Misconduct:
    """How one reply goes wrong.

    Attributes
    ----------
    delay_s : float
    kind : str
        silent, drop, wrong-unit, exception, garbage, half, or empty when it is only late.
    code : int
        Of the exception.
    """

    delay_s: float = 0.0
    kind: str = ""
    code: int = 0


@dataclass(slots=True)
class _Spoilt:
    """A value fault at work on the tags of one image."""

    onset_ms: int
    tags: tuple[Tag, ...]
    held: dict[str, float] = field(default_factory=dict)


class Faults:
    """The faults of one or more simulated PLCs, and the time by which they come and go.

    Parameters
    ----------
    schedule : iterable of Fault
    seed : int
        Of everything that is drawn.

    Attributes
    ----------
    now_ms : int
        Time of the process.
    struck : dict of str to int
        Replies that went wrong, by kind.
    """

    def __init__(self, schedule: Iterable[Fault] = (), seed: int = 0) -> None:
        self._faults: list[Fault] = list(schedule)
        self._random = random.Random(seed)
        self.now_ms = 0
        self.struck: dict[str, int] = {}

    def advance(self, t_ms: int) -> None:
        """Bring the time to `t_ms`."""
        self.now_ms = t_ms

    def begin(self, fault: Fault) -> None:
        """Add a fault, on demand."""
        self._faults.append(fault)

    def end(self, fault: Fault) -> None:
        """Take a fault away; nothing happens where there is no such fault."""
        if fault in self._faults:
            self._faults.remove(fault)

    def clear(self) -> None:
        """Take all faults away."""
        self._faults.clear()

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._faults))

    def active(self, kinds: Sequence[str] = KINDS) -> Iterator[Fault]:
        """Yield the faults of the given kinds that are on."""
        for fault in self._faults:
            if fault.kind in kinds and fault.onset_ms(self.now_ms) is not None:
                yield fault

    def is_port_shut(self, devices: Iterable[str]) -> bool:
        """Whether the port of `devices` takes no connections now."""
        names = tuple(devices)
        return any(fault.strikes(name) for fault in self.active(_PORT) for name in names)

    def is_restarting(self, devices: Iterable[str]) -> bool:
        """Whether a PLC among `devices` is starting anew."""
        names = tuple(devices)
        return any(fault.strikes(name) for fault in self.active(("restart",)) for name in names)

    def misconduct(self, device: str) -> Misconduct | None:
        """Draw how the next reply of `device` goes wrong; None when it does not."""
        delay_s, kind, code = 0.0, "", 0
        for fault in self.active(_WIRE):
            if not fault.strikes(device) or (fault.share < 1.0 and self._random.random() >= fault.share):
                continue
            self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
            if fault.kind == "slow":
                delay_s += fault.delay_s + self._random.uniform(0.0, fault.spread_s)
            elif not kind:
                kind, code = fault.kind, fault.code
        return Misconduct(delay_s, kind, code) if kind or delay_s else None

    def noise(self, size: int) -> bytes:
        """Draw random bytes."""
        return self._random.randbytes(size)

    def below(self, bound: int) -> int:
        """Draw a whole number from 0 up to but not including `bound`."""
        return self._random.randrange(bound)


class Spoiler:
    """Applies the value faults to the tags of one register image.

    Parameters
    ----------
    faults : Faults
    tags : sequence of Tag
        Of the image.
    """

    def __init__(self, faults: Faults, tags: Sequence[Tag]) -> None:
        self._faults = faults
        self._tags = tuple(tags)
        self._at_work: dict[Fault, _Spoilt] = {}
        self._shown: dict[str, float] = {}

    def spoil(self, values: Mapping[str, float]) -> tuple[Mapping[str, float], frozenset[str]]:
        """Return the values to show and the names of the tags whose words change places."""
        now_ms = self._faults.now_ms
        active = {fault: fault.onset_ms(now_ms) for fault in self._faults.active(_VALUES)}
        self._at_work = {fault: work for fault, work in self._at_work.items() if active.get(fault) == work.onset_ms}
        for fault, onset_ms in active.items():
            if fault not in self._at_work and onset_ms is not None:
                tags = tuple(tag for tag in self._tags if fault.spoils(tag))
                self._at_work[fault] = _Spoilt(onset_ms, tags, {t.name: self._shown.get(t.name, 0.0) for t in tags})
        own = {tag.name: values[tag.name] for tag in self._tags if tag.name in values}
        for fault, work in self._at_work.items():
            for tag in work.tags:
                own[tag.name] = self._spoilt(fault, work, tag, own.get(tag.name, 0.0))
        self._shown.update(own)
        swaps = [work.tags for fault, work in self._at_work.items() if fault.kind == "word-swap"]
        return own, frozenset(tag.name for tags in swaps for tag in tags if tag.registers > 1 and not tag.is_text)

    def _spoilt(self, fault: Fault, work: _Spoilt, tag: Tag, value: float) -> float:
        if fault.kind == "frozen":
            return work.held[tag.name]
        if tag.type in {"bool", "bit"} or tag.is_text:
            return value
        if fault.kind == "nan":
            return float("nan")
        if fault.kind == "drift":
            return value + fault.rate * (self._faults.now_ms - work.onset_ms) / 3_600_000
        return value
