"""Every tag of a configuration: those that are polled, and those that loggers and other systems deliver."""

from __future__ import annotations

from scada.drops.tagtable import read_logger_tags
from scada.tag import TagTable
from scada.tags import read_tags
from umanflow.config import Config
from umanflow.errors import ConfigError


def tags_of(config: Config) -> TagTable:
    """Read the table of tags that are polled; every mistake in it is told at once."""
    path = config.path(config.tags.file)
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; [tags] file names the tag table")
    return read_tags(path, {device.name for device in config.devices}, config.tags.addressing)


def delivered_tags(config: Config) -> TagTable:
    """Read the table of tags that no register holds; without one there are none.

    Raises
    ------
    TagErrors
        With every mistake in it.
    """
    if not config.ingest.tags:
        return TagTable(())
    return read_logger_tags(config.path(config.ingest.tags))


def every_tag(config: Config) -> TagTable:
    """All of them.

    Raises
    ------
    TagErrors, ConfigError
        A table has mistakes, or both have a tag of one name.
    """
    delivered = delivered_tags(config)
    if delivered.tags and not config.path(config.tags.file).is_file():
        return delivered
    polled = tags_of(config)
    both = sorted(polled.by_name.keys() & delivered.by_name.keys())
    if both:
        names = f"{config.tags.file} and {config.ingest.tags}"
        raise ConfigError(f"{names} both have tag '{both[0]}'; rename one, or leave it out of the second")
    return TagTable((*polled.tags, *delivered.tags))
