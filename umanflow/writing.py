"""Writing to a plant as the configuration allows."""

from __future__ import annotations

import asyncio
import getpass
import socket

from scada.audit import Audit
from scada.errors import WriteRefused
from scada.writer import Writer, WriteRule, Written
from umanflow.config import Config
from umanflow.errors import UserError
from umanflow.tagging import tags_of


def audit_of(config: Config) -> Audit:
    """The record of writes of a configuration."""
    return Audit(config.path(config.writing.audit))


def writer_of(config: Config, who: str) -> Writer:
    """A writer as the configuration allows; off where it does not say otherwise."""
    devices = {device.name: device.settings(config.folder) for device in config.devices}
    rules = {rule.tag: WriteRule(rule.tag, rule.min, rule.max, rule.max_change) for rule in config.writing.allow}
    section = config.writing
    table = tags_of(config)
    return Writer(devices, table.by_name, rules, audit_of(config), who, section.enabled, section.settle_s)


def write_value(config: Config, name: str, text: str, is_meant: bool, why: str) -> Written:
    """Write one value.

    Raises
    ------
    WriteRefused
        The configuration or the command does not ask for it, or the value is not allowed; nothing was sent.
    WriteFailed
        It was sent and does not stand in the device.
    UserError
        The text is no value.
    """
    if not config.writing.enabled:
        raise WriteRefused(name, "writing is off; set [writing] enabled = true in the configuration")
    if not is_meant:
        raise WriteRefused(name, "the command does not say that it is meant; add --write")
    tag = tags_of(config).by_name.get(name)
    value: float | str = text
    if tag is None or not tag.is_text:
        try:
            value = float(text)
        except ValueError as error:
            raise UserError(f"'{text}' is no number; write it like 42.5") from error
    return asyncio.run(writer_of(config, _who()).write(name, value, why))


def _who() -> str:
    """The user and the machine, for the record."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
