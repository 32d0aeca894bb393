"""Tag tables of other programs: read row by row, nothing guessed, nothing dropped without a word."""

from __future__ import annotations

from scada.exchange.found import DeviceFound, Imported, ImportOptions
from scada.exchange.ignition import format_ignition, import_ignition
from scada.exchange.recognise import FORMATS, import_tags
from scada.exchange.telegraf import import_telegraf
from scada.exchange.telegrafout import format_telegraf

__all__ = [
    "FORMATS",
    "DeviceFound",
    "ImportOptions",
    "Imported",
    "format_ignition",
    "format_telegraf",
    "import_ignition",
    "import_tags",
    "import_telegraf",
]
