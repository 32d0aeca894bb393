"""A tag is a named register with its meaning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from scada.codec import register_count
from scada.quantity import QUANTITIES

__all__ = ["QUANTITIES", "Tag", "TagTable"]


@dataclass(frozen=True, slots=True)
class Tag:
    """A named register and what it measures. One row of ``tags.csv``.

    Attributes
    ----------
    name : str
        Unique name.
    device : str
        Device the register is in.
    table : str
        coil, discrete, holding or input.
    address : int
        Address on the wire, from 0.
    type : str
        bool, bit, int16, uint16, int32, uint32, int64, uint64, float32, float64 or stringN.
    order : str
        ABCD, CDAB, BADC or DCBA.
    bit : int
        For ``bit``: which one, 0 the least significant.
    scale, offset : float
        Engineering value = raw x scale + offset.
    unit : str
        Unit of the engineering value.
    interval_s : float
        How often it is read, s.
    element : str
        Element of the network it measures; may be empty.
    quantity : str
        pressure, flow, level, demand, status, speed, setpoint, power, energy, volume, time or other. A ``time`` is the
        device's clock (UTC since 1970): what is read in the same request carries its time.
    min, max : float
        Bounds of a plausible engineering value.
    bad_values : tuple of float
        Raw values by which the device says that it does not know.
    wrap : float or None
        Raw value at which a totaliser starts from zero again.
    deadband : float
        Change of the engineering value too small to matter; with one, a sample that does not differ by more from the
        last one stored is left out (:mod:`scada.deadband`).
    text_uk, text_en : str
        Description for the operator.
    """

    name: str
    device: str
    table: str
    address: int
    type: str
    order: str = "ABCD"
    bit: int = 0
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    interval_s: float = 60.0
    element: str = ""
    quantity: str = "other"
    min: float = -math.inf
    max: float = math.inf
    bad_values: tuple[float, ...] = ()
    wrap: float | None = None
    deadband: float = 0.0
    text_uk: str = ""
    text_en: str = ""

    @property
    def registers(self) -> int:
        """Registers (or bits of a coil table) it takes."""
        return register_count(self.type)

    @property
    def interval_ms(self) -> int:
        """How often it is read, ms."""
        return round(self.interval_s * 1000)

    @property
    def is_text(self) -> bool:
        """Whether it holds characters; its samples carry them as their reason."""
        return self.type.startswith("string")


@dataclass(frozen=True, slots=True)
class TagTable:
    """Tags in the order of their file.

    Attributes
    ----------
    tags : tuple of Tag
    by_device : dict of str to tuple of Tag
    by_name : dict of str to Tag
    """

    tags: tuple[Tag, ...]
    by_device: dict[str, tuple[Tag, ...]] = field(init=False, repr=False, compare=False)
    by_name: dict[str, Tag] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        devices: dict[str, list[Tag]] = {}
        for tag in self.tags:
            devices.setdefault(tag.device, []).append(tag)
        object.__setattr__(self, "by_device", {device: tuple(tags) for device, tags in devices.items()})
        object.__setattr__(self, "by_name", {tag.name: tag for tag in self.tags})

    def __iter__(self) -> Iterator[Tag]:
        return iter(self.tags)

    def __len__(self) -> int:
        return len(self.tags)

    def __getitem__(self, name: str) -> Tag:
        return self.by_name[name]
