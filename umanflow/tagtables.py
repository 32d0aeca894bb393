"""Tag tables against the configuration they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scada.errors import TagError
from scada.exchange import DeviceFound, format_ignition, format_telegraf
from scada.tag import Tag
from scada.tagfile import format_tags
from scada.tags import Surroundings
from scada.tagtoml import format_toml
from umanflow.config import Config, read_config
from umanflow.errors import UserError

_BY_ENDING = {".csv": "csv", ".toml": "toml", ".conf": "telegraf"}


def addressing_of(config: Path | None, stated: str | None) -> str:
    """How addresses are written: as stated, else as the configuration says, else from 0."""
    if stated is not None or config is None:
        return stated or "wire"
    return read_config(config).tags.addressing


def surroundings_of(path: Path | None) -> Surroundings:
    """What a configuration knows that tags can be checked against: devices and elements of the network."""
    if path is None:
        return Surroundings()
    config = read_config(path)
    nodes, links = _elements(config)
    registers = {device.name: device.max_registers for device in config.devices}
    return Surroundings(frozenset(registers), registers, nodes, links)


def _elements(config: Config) -> tuple[frozenset[str], frozenset[str]]:
    from hydro.engine import Engine
    from networks import load

    with Engine(load(config.network_path)) as engine:
        return frozenset(engine.topology.nodes), frozenset(engine.topology.links)


def format_table(
    tags: Sequence[Tag], target: str | None, out: Path, config: Path | None, is_zero_based: bool
) -> tuple[str, list[TagError]]:
    """Return a tag table as text, and what the other form cannot hold.

    Raises
    ------
    UserError
        Neither the ending nor anybody else says which form is wanted.
    """
    kind = target or _BY_ENDING.get(out.suffix.lower())
    if kind == "csv":
        return format_tags(tags), []
    if kind == "toml":
        return format_toml(tags), []
    if kind == "ignition":
        return format_ignition(tags, is_zero_based)
    if kind == "telegraf":
        settings = read_config(config).devices if config is not None else ()
        return format_telegraf(tags, {d.name: DeviceFound(d.name, d.url, d.unit) for d in settings})
    raise UserError(f"{out}: does not end in .csv, .toml or .conf; name the form with --format")
