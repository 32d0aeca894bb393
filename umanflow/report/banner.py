"""What must be said above all."""

from __future__ import annotations

from umanflow.report.wording import Wording


def synthetic(wording: Wording) -> str:
    """That a network is a made-up one."""
    return wording.say("SYNTHETIC: a made-up city, built from public facts and assumptions. No real network is shown.")
