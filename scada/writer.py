"""Writing setpoints and commands: off unless asked for, within limits, read back, and on record.

Nothing here is used by the reader. A value goes out only if writing is enabled, the tag is on the list, the value is
within the list's and the tag's limits, the old value could be read, and the record of what is about to be done is on
the disk. It is sent once; whatever happens then, what stands in the device is read and recorded.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from scada.audit import Audit
from scada.codec import NUMBER_FORMATS, decode, encode, raw_range
from scada.device import DeviceSettings
from scada.endpoint import parse_url
from scada.errors import CodecError, ModbusExceptionReply, WireError, WriteFailed, WriteRefused
from scada.tag import Tag
from scada.writelink import WriteLink

__all__ = ["WriteRule", "Writer", "Written", "words_for"]

_LOOKS = 5  # at the register while the device takes the value over


@dataclass(frozen=True, slots=True)
class WriteRule:
    """What may be written to one tag.

    Attributes
    ----------
    tag : str
    min, max : float
        Bounds of the engineering value; the tag's own hold as well.
    max_change : float
        Largest difference to the value that stands in the device.
    """

    tag: str
    min: float = -math.inf
    max: float = math.inf
    max_change: float = math.inf


@dataclass(frozen=True, slots=True)
class Written:
    """A value that stands in the device.

    Attributes
    ----------
    tag : str
    old, new, read_back : float or str
        Engineering values; `new` as the registers hold it.
    """

    tag: str
    old: float | str
    new: float | str
    read_back: float | str


class Writer:
    """Writes to the tags of a list.

    Parameters
    ----------
    devices : mapping of str to DeviceSettings
    tags : mapping of str to Tag
    rules : mapping of str to WriteRule
        The list, by tag.
    audit : Audit
    who : str
        On whose behalf; stands in the record.
    is_enabled : bool
        Off by default: then everything is refused.
    settle_s : float
        How long the device may take until the value can be read back, s.
    """

    def __init__(
        self,
        devices: Mapping[str, DeviceSettings],
        tags: Mapping[str, Tag],
        rules: Mapping[str, WriteRule],
        audit: Audit,
        who: str,
        is_enabled: bool = False,
        settle_s: float = 2.0,
    ) -> None:
        self._devices = devices
        self._tags = tags
        self._rules = rules
        self._audit = audit
        self._who = who
        self._is_enabled = is_enabled
        self._settle_s = settle_s

    async def write(self, name: str, value: float | str, why: str = "") -> Written:
        """Write one value.

        Parameters
        ----------
        name : str
            Of the tag.
        value : float or str
            Engineering value; text for a text tag.
        why : str
            For the record.

        Raises
        ------
        WriteRefused
            Nothing was sent.
        WriteFailed
            It was sent, and the device refused it, holds something else, or does not say what it holds.
        AuditError
            The record cannot be kept. Before the write nothing was sent; after it the message says what stands there.
        """
        if not self._is_enabled:
            raise WriteRefused(name, "writing is off; set [writing] enabled = true in the configuration")
        asked = {"id": uuid.uuid4().hex, "who": self._who, "tag": name, "asked": value, "why": why}
        try:
            tag, device, words = self._checked(name, value)
        except WriteRefused as error:
            self._audit.append({**asked, "asked": str(value), "event": "refused", "result": str(error)})
            raise
        link = WriteLink(parse_url(device.url))
        try:
            return await self._carry_out(link, tag, device, words, asked)
        finally:
            link.close()
            await asyncio.sleep(0)  # lets the closed socket go

    def _checked(self, name: str, value: float | str) -> tuple[Tag, DeviceSettings, list[int]]:
        """Return what a write needs, or raise WriteRefused."""
        rule, tag = self._rules.get(name), self._tags.get(name)
        if rule is None:
            raise WriteRefused(name, "it is not on the list; add it to [[writing.allow]]")
        if tag is None:
            raise WriteRefused(name, "the tag table does not have it; mend [[writing.allow]] or the table")
        device = self._devices.get(tag.device)
        if device is None:
            raise WriteRefused(name, f"device {tag.device} is not configured")
        words = words_for(tag, value)
        if not isinstance(value, str):
            low, high = max(rule.min, tag.min), min(rule.max, tag.max)
            new = _value(tag, words)
            if isinstance(new, str) or not (low <= value <= high and low <= new <= high):
                raise WriteRefused(name, f"{value:g} {tag.unit} is outside {low:g} to {high:g}")
        return tag, device, words

    async def _carry_out(
        self, link: WriteLink, tag: Tag, device: DeviceSettings, words: list[int], asked: Mapping[str, object]
    ) -> Written:
        try:
            old_words = await _read(link, tag, device)
        except WireError as error:
            self._refuse(tag, asked, f"its present value cannot be read: {error}")
        old, new = _value(tag, old_words), _value(tag, words)
        most = self._rules[tag.name].max_change
        if isinstance(old, float) and isinstance(new, float) and not abs(new - old) <= most and most < math.inf:
            self._refuse(tag, asked, f"from {old:g} to {new:g} {tag.unit} is a change of more than {most:g}")
        where = {"device": device.name, "url": device.url, "unit": device.unit, "table": tag.table}
        what = {"address": tag.address, "words": words, "old": _plain(old), "new": _plain(new)}
        self._audit.append({**asked, "event": "intent", **where, **what})
        result, detail, read_back = "interrupted", "the program ended", math.nan
        seen: float | str = read_back
        try:
            result, detail = await _send(link, tag, device, words)
            seen_words = await self._look(link, tag, device, words)
            if seen_words is not None:
                seen = _value(tag, seen_words)
                if result != "refused":
                    is_there = _holds(tag, seen_words, words)
                    result = "written" if is_there else "mismatch"
                    detail = "" if is_there else f"the device holds {seen} and not {new}"
            elif result != "refused":
                result, detail = "unconfirmed", detail or "it cannot be read back"
        finally:
            self._audit.append(
                {"id": asked["id"], "who": self._who, "tag": tag.name, "event": "result", "result": result,
                 "detail": detail, "old": _plain(old), "new": _plain(new), "read_back": _plain(seen)}
            )  # fmt: skip
        if result != "written":
            raise WriteFailed(tag.name, result, detail)
        return Written(tag.name, old, new, seen)

    def _refuse(self, tag: Tag, asked: Mapping[str, object], why: str) -> NoReturn:
        error = WriteRefused(tag.name, why)
        self._audit.append({**asked, "event": "refused", "result": str(error)})
        raise error

    async def _look(self, link: WriteLink, tag: Tag, device: DeviceSettings, words: list[int]) -> list[int] | None:
        """Return what the device holds, as soon as it is what was written or the time is over; None when unknown."""
        found: list[int] | None = None
        for attempt in range(_LOOKS):
            if attempt:
                await asyncio.sleep(self._settle_s / (_LOOKS - 1))
            try:
                found = await _read(link, tag, device)
            except WireError:
                continue
            if _holds(tag, found, words):
                break
        return found


def words_for(tag: Tag, value: float | str) -> list[int]:
    """Return the registers that hold an engineering value.

    Raises
    ------
    WriteRefused
        The tag cannot be written, or the value does not fit its type, or means "not known".
    """
    if tag.table not in {"coil", "holding"}:
        raise WriteRefused(tag.name, f"table {tag.table} can only be read")
    if isinstance(value, str) != tag.is_text:
        raise WriteRefused(
            tag.name, f"'{value}' does not fit type {tag.type}; write a {'text' if tag.is_text else 'number'}"
        )
    try:
        if isinstance(value, str):
            return encode(value, tag.type, tag.order)
        if not math.isfinite(value):
            raise WriteRefused(tag.name, f"{value} is no number to write")
        raw: float = (value - tag.offset) / tag.scale
        if tag.type not in NUMBER_FORMATS:
            if raw not in {0.0, 1.0}:
                raise WriteRefused(tag.name, f"{value:g} is neither 0 nor 1")
            return encode(bool(raw), tag.type, tag.order, tag.bit)
        if not tag.type.startswith("float"):
            raw = round(raw)
        words = encode(raw, tag.type, tag.order)
    except CodecError as error:
        low, high = raw_range(tag.type)
        ends = sorted((low * tag.scale + tag.offset, high * tag.scale + tag.offset))
        raise WriteRefused(tag.name, f"{value} does not fit {tag.type}: {ends[0]:g} to {ends[1]:g}") from error
    if decode(words, tag.type, tag.order) in tag.bad_values:
        raise WriteRefused(tag.name, f"{value:g} is what the device shows for an unknown value")
    return words


async def _read(link: WriteLink, tag: Tag, device: DeviceSettings) -> list[int]:
    words = await link.read(device.unit, tag.table, tag.address, tag.registers, device.timeout_s)
    return [int(word) for word in words]


async def _send(link: WriteLink, tag: Tag, device: DeviceSettings, words: list[int]) -> tuple[str, str]:
    """Send the value once; return what is known of it then, and why."""
    try:
        if tag.table == "coil":
            await link.write_coil(device.unit, tag.address, bool(words[0]), device.timeout_s)
        elif tag.type == "bit":
            mask = encode(True, "bit", tag.order, tag.bit)[0]
            await link.write_bit(device.unit, tag.address, mask, bool(words[0]), device.timeout_s)
        else:
            await link.write_words(device.unit, tag.address, words, device.timeout_s)
    except ModbusExceptionReply as error:
        hint = (
            "; the device knows no mask write, use the whole register" if tag.type == "bit" and error.code == 1 else ""
        )
        return "refused", f"{error}{hint}"
    except WireError as error:  # it may have arrived: looking tells
        return "unconfirmed", str(error)
    return "sent", ""


def _value(tag: Tag, words: list[int]) -> float | str:
    raw = decode(words, tag.type, tag.order, tag.bit)
    return raw if isinstance(raw, str) else float(raw) * tag.scale + tag.offset


def _holds(tag: Tag, found: list[int], words: list[int]) -> bool:
    if tag.type in {"bool", "bit"}:
        return decode(found, tag.type, tag.order, tag.bit) == decode(words, tag.type, tag.order, tag.bit)
    return found == words


def _plain(value: float | str) -> float | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value
