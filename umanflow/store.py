"""The configured historian, opened."""

from __future__ import annotations

from pathlib import Path

from scada.historian import Historian, open_historian
from umanflow.config import Config


def open_store(config: Config, may_be_away: bool = False) -> Historian:
    """Open the historian that a configuration names.

    Parameters
    ----------
    config
    may_be_away
        For a service that has to collect though the database does not answer yet.

    Raises
    ------
    HistorianError
        It cannot be opened.
    """
    section = config.historian
    spool = section.spool
    if spool is None and not section.url.startswith("sqlite:"):
        spool = "umanflow-spool"
    return open_historian(
        config.historian_url,
        section.settings(),
        spool=None if spool is None else config.path(spool),
        spool_bytes=round(section.spool_mb * 2**20),
        may_be_away=may_be_away,
    )


def waiting_alarms(config: Config) -> Path:
    """File of the alarms' journal for what the database has not confirmed: beside it, or beside the configuration."""
    prefix = "sqlite:///"
    url = config.historian_url
    return Path(f"{url[len(prefix) :]}.alarms") if url.startswith(prefix) else config.path("umanflow.alarms")
