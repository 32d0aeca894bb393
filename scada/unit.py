"""One device behind a connection: what it is asked and whether it answers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scada.backoff import Backoff
from scada.behaviour import Memory
from scada.block import Block, halves
from scada.device import DeviceSettings
from scada.errors import PlanError
from scada.events import DeviceLog
from scada.heartbeat import Heartbeat, heartbeat_tag
from scada.plan import BIT_TABLES, Request, plan
from scada.status import ReaderStatus
from scada.tag import Tag

__all__ = ["RECHECK_MS", "Known", "Refusal", "Round", "Unit"]

RECHECK_MS = 600_000  # a refused tag is asked for again: the PLC may have got another program
_FORGET_MS = 3_600_000  # what lies between tags is tried again more rarely: it costs the search, and brings no value


class Known:
    """What a device has been found to refuse beside its configured limits.

    Attributes
    ----------
    refused : dict of str to set of int
        Addresses by table that no request may touch.
    longest : dict of str to int
        Most addresses it answers at once by table, where it was less than configured.
    """

    def __init__(self) -> None:
        self.refused: dict[str, set[int]] = {}
        self.longest: dict[str, int] = {}
        self._forget_ms: int | None = None

    def refuse(self, table: str, addresses: Iterable[int]) -> None:
        """Remember addresses of a tag that was refused by itself."""
        self.refused.setdefault(table, set()).update(addresses)

    def accept(self, table: str, addresses: Iterable[int]) -> None:
        """Forget that they were refused."""
        self.refused.get(table, set()).difference_update(addresses)

    def seam(self, request: Request, now_ms: int) -> None:
        """Learn from a request that was refused whole though both its halves were answered.

        Then it is what lies between them; or, where they touch, the length. Where neither is, a whim.
        """
        first, second = halves(request)
        between = range(first.start + first.count, second.start)
        longest = max(first.count, second.count)
        if between:
            self.refuse(request.table, between)
        elif longest < request.count:
            self.longest[request.table] = longest
        self._forget_ms = now_ms + _FORGET_MS

    def turn_back(self, by_ms: int) -> None:
        """Forget when it would have been forgotten: the clock was set back."""
        if self._forget_ms is not None:
            self._forget_ms -= by_ms

    def forget_old(self, now_ms: int) -> bool:
        """Forget all after an hour, since a device that was just starting may have refused anything."""
        if self._forget_ms is None or now_ms < self._forget_ms:
            return False
        self._forget_ms = None
        self.refused.clear()
        self.longest.clear()
        return True


@dataclass(slots=True)
class Refusal:
    """A tag whose address the device refuses.

    Attributes
    ----------
    block : Block
        The tag alone.
    reason : str
    retry_ms : int
        When it is asked for again, UTC ms.
    """

    block: Block
    reason: str
    retry_ms: int

    @property
    def addresses(self) -> range:
        """Those of the tag."""
        request = self.block.request
        return range(request.start, request.start + request.count)


@dataclass(slots=True)
class Round:
    """What is read from one unit at one interval.

    Attributes
    ----------
    unit : Unit
    interval_ms : int
    tags : tuple of Tag
    blocks : list of Block
        Changed when a refused address is isolated.
    refusals : list of Refusal
    """

    unit: Unit
    interval_ms: int
    tags: tuple[Tag, ...]
    blocks: list[Block] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def registers(self) -> int:
        """Registers due in each slot."""
        return sum(block.registers for block in self.blocks) + sum(no.block.registers for no in self.refusals)

    def plan(self) -> None:
        """Make the fewest blocks of all tags that are not refused; those that stay the same stay themselves.

        Raises
        ------
        PlanError
            A tag is larger than the device's configured maximum.
        """
        settings, known = self.unit.settings, self.unit.known
        out = {tag.name for no in self.refusals for tag in no.block.request.tags}
        tables: dict[str, list[Tag]] = {}
        for tag in self.tags:
            if tag.name not in out:
                tables.setdefault(tag.table, []).append(tag)
        requests: list[Request] = []
        for table, tags in sorted(tables.items()):
            most = settings.max_bits if table in BIT_TABLES else settings.max_registers
            if table in known.longest:
                most = min(most, max(known.longest[table], *(tag.registers for tag in tags)))
            # a tag is asked for until it has been refused itself, whatever was found out about its neighbours
            wanted = {address for tag in tags for address in range(tag.address, tag.address + tag.registers)}
            refused = {table: known.refused.get(table, set()) - wanted}
            requests += plan(tags, most, most, settings.max_gap, refused)
        old = {block.request: block for block in self.blocks}
        self.blocks = [old.get(request) or Block(request, self.unit.memory) for request in requests]


class Unit:
    """One device and the state of talking to it.

    Parameters
    ----------
    settings : DeviceSettings
    tags : sequence of Tag
        Of this device.
    rng : random.Random
        Source of jitter.

    Raises
    ------
    PlanError
        A tag is larger than the device's maximum, or the heartbeat is no tag of the device.
    """

    def __init__(self, settings: DeviceSettings, tags: Sequence[Tag], rng: random.Random) -> None:
        self.settings = settings
        self.status = ReaderStatus(settings.name)
        self.log = DeviceLog(settings.name, settings.unit)
        self.heartbeat = Heartbeat(heartbeat_tag(tags, settings.heartbeat))
        if settings.heartbeat and tags and not self.heartbeat.tag:
            raise PlanError(f"device '{settings.name}' has no tag '{settings.heartbeat}' to be its heartbeat")
        self.backoff = Backoff(settings.reconnect_holdoff_s * 1000, rng)
        self.memory = Memory(len(tags))
        self.known = Known()
        groups: dict[int, list[Tag]] = {}
        for tag in tags:
            groups.setdefault(tag.interval_ms, []).append(tag)
        self.rounds = [Round(self, interval, tuple(group)) for interval, group in sorted(groups.items())]
        for entry in self.rounds:
            entry.plan()

    def turn_back(self, by_ms: int) -> None:
        """Let everything that waits for a time wait no longer for it than it would have: the clock was set back."""
        self.backoff.turn_back(by_ms)
        self.known.turn_back(by_ms)
        for entry in self.rounds:
            for refusal in entry.refusals:
                refusal.retry_ms -= by_ms

    def replan(self) -> None:
        """Plan all rounds anew from what is known."""
        for entry in self.rounds:
            entry.plan()
