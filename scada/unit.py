"""One device behind a connection: what it is asked and whether it answers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from scada.backoff import Backoff
from scada.behaviour import Memory
from scada.block import Block
from scada.device import DeviceSettings
from scada.errors import PlanError
from scada.heartbeat import Heartbeat, heartbeat_tag
from scada.plan import plan
from scada.status import ReaderStatus
from scada.tag import Tag

__all__ = ["RECHECK_MS", "Refusal", "Round", "Unit"]

RECHECK_MS = 600_000  # a refused tag is asked for again: the PLC may have got another program


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


@dataclass(slots=True)
class Round:
    """What is read from one unit at one interval.

    Attributes
    ----------
    unit : Unit
    interval_ms : int
    blocks : list of Block
        Changed when a refused address is isolated.
    refusals : list of Refusal
    """

    unit: Unit
    interval_ms: int
    blocks: list[Block]
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def registers(self) -> int:
        """Registers due in each slot."""
        return sum(block.registers for block in self.blocks) + sum(no.block.registers for no in self.refusals)


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
        self.heartbeat = Heartbeat(heartbeat_tag(tags, settings.heartbeat))
        if settings.heartbeat and tags and not self.heartbeat.tag:
            raise PlanError(f"device '{settings.name}' has no tag '{settings.heartbeat}' to be its heartbeat")
        self.backoff = Backoff(settings.reconnect_holdoff_s * 1000, rng)
        self.memory = Memory(len(tags))
        rounds: dict[int, list[Block]] = {}
        for request in plan(tags, settings.max_registers):
            rounds.setdefault(request.tags[0].interval_ms, []).append(Block(request, self.memory))
        self.rounds = [Round(self, interval, blocks) for interval, blocks in sorted(rounds.items())]
