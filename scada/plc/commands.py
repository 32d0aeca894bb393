"""Which tags of a simulated PLC take commands."""

from __future__ import annotations

from scada.codec import NUMBER_FORMATS
from scada.tag import Tag

__all__ = ["is_command"]

_COMMANDED_BITS = ("in_automatic",)


def is_command(tag: Tag) -> bool:
    """Whether a tag may be written to: coils, numbers in holding registers that are setpoints, and the mode's bit."""
    if tag.table == "coil":
        return True
    if tag.table != "holding":
        return False
    if tag.type == "bit":
        return tag.name.rpartition(".")[2] in _COMMANDED_BITS
    return tag.quantity == "setpoint" and tag.type in NUMBER_FORMATS
