"""The configuration file `umanflow.toml`, read and validated in one place."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from scada.endpoint import parse_url
from scada.errors import ScadaError
from scada.historian import Retention, WriterSettings
from scada.reader import DeviceSettings
from scada.tls import TlsSettings
from umanflow.calendarsection import CalendarSection
from umanflow.errors import ConfigError
from umanflow.ingestconfig import IngestSection


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HistorianSection(_Section):
    """Where samples are kept.

    Attributes
    ----------
    url
        ``sqlite:///file.db`` or ``postgresql://user@host/database``.
    batch_s
        Longest time until a sample is on disk, s: what a crash may cost.
    batch_rows
        Samples that are written at once without waiting for more.
    spool
        Folder where samples wait while the database is away; beside a SQLite file by default.
    spool_mb
        Its bound, MB; 0 for none.
    when_full
        Which samples are lost at the bound: drop-oldest or keep-oldest.
    retention_days
        Age at which samples are deleted, days; never by default.
    tag_retention_days
        The same of single tags.
    """

    url: str = "sqlite:///history.db"
    batch_s: float = Field(default=1.0, gt=0)
    batch_rows: int = Field(default=50_000, ge=1)
    spool: str | None = None
    spool_mb: float = Field(default=1024.0, ge=0)
    when_full: Literal["drop-oldest", "keep-oldest"] = "drop-oldest"
    retention_days: float | None = Field(default=None, gt=0)
    tag_retention_days: dict[str, Annotated[float, Field(gt=0)]] = {}

    def settings(self) -> WriterSettings:
        """What the historian takes."""
        return WriterSettings(
            batch_s=self.batch_s,
            batch_rows=self.batch_rows,
            policy=self.when_full,
            retention=Retention(self.retention_days, self.tag_retention_days),
        )


class TagsSection(_Section):
    """The tag table."""

    file: str = "tags.csv"
    addressing: Literal["wire", "document", "modicon"] = "wire"


class AlarmsSection(_Section):
    """Alarms of the plant.

    Attributes
    ----------
    file
        The alarm table; without one there are no alarms.
    away_delay_s
        How long a device or a gateway may be silent before that is an alarm, s.
    """

    file: str = ""
    away_delay_s: float = Field(default=30.0, ge=0)


class _TlsKeys(_Section):
    """Files for Modbus Security, from the configuration's folder.

    Attributes
    ----------
    tls_ca
        Authorities that are believed, PEM; those of the system where not given.
    tls_certificate, tls_key
        Our own certificate and its private key, PEM.
    """

    tls_ca: str = ""
    tls_certificate: str = ""
    tls_key: str = ""

    def tls_files(self, folder: Path, server_name: str = "") -> TlsSettings:
        """What `scada` takes."""
        ca, certificate, key = (
            str(folder / name) if name else "" for name in (self.tls_ca, self.tls_certificate, self.tls_key)
        )
        return TlsSettings(ca, certificate, key, server_name)


class DeviceSection(_TlsKeys):
    """One Modbus unit; `tls_server_name` is the name in its certificate where that is not the URL's host."""

    name: str = Field(min_length=1)
    url: str
    unit: int = Field(default=1, ge=0, le=255)
    timeout_s: float = Field(default=1.0, gt=0)
    max_registers: int = Field(default=125, ge=1, le=125)
    max_bits: int = Field(default=2000, ge=1, le=2000)
    max_gap: int = Field(default=16, ge=0, le=2000)
    request_delay_ms: int = Field(default=0, ge=0)
    wake_retries: int = Field(default=0, ge=0, le=10)
    reconnect_holdoff_s: float = Field(default=1.0, ge=0)
    socket_holdoff_s: float = Field(default=0.0, ge=0)
    heartbeat: str = ""
    tls_server_name: str = ""

    @model_validator(mode="after")
    def _fits_its_url(self) -> Self:
        try:
            endpoint = parse_url(self.url)
        except ScadaError as error:
            raise ValueError(str(error)) from error
        if endpoint.scheme != "tls" and (self.tls_ca or self.tls_certificate or self.tls_key or self.tls_server_name):
            raise ValueError(f"'{self.name}' has tls_ keys, but its url is no tls://; remove them or write tls://")
        if endpoint.framing == "rtu" and not 1 <= self.unit <= 247:
            raise ValueError(f"'{self.name}': unit {self.unit} is none of a serial line's; write 1..247")
        return self

    def settings(self, folder: Path = Path()) -> DeviceSettings:
        """What the reader takes; files are looked for in `folder`."""
        own = self.model_dump(exclude={"tls_ca", "tls_certificate", "tls_key", "tls_server_name"})
        is_tls = parse_url(self.url).scheme == "tls"
        return DeviceSettings(**own, tls=self.tls_files(folder, self.tls_server_name) if is_tls else None)


class AllowSection(_Section):
    """A tag that may be written, and what to it; in the tag's unit."""

    tag: str = Field(min_length=1)
    min: float = -math.inf
    max: float = math.inf
    max_change: float = Field(default=math.inf, gt=0)


class WritingSection(_Section):
    """Writing to the plant (`umanflow write`); off unless enabled.

    Attributes
    ----------
    audit
        The record of writes.
    settle_s
        How long a device may take until a value can be read back, s.
    """

    enabled: bool = False
    audit: str = "writes.jsonl"
    settle_s: float = Field(default=2.0, ge=0)
    allow: tuple[AllowSection, ...] = ()


class LoggersSection(_Section):
    """Simulated loggers that send files at their own pace (`umanflow plc`).

    Attributes
    ----------
    name
        With which their files begin.
    tags
        Names of their tags, with `*` and `?`.
    delivery_s
        How often they send, s of the city.
    late, gaps, revised
        How often a logger's part comes up to three deliveries late, has readings missing, or is sent again with other
        values; shares of deliveries.
    """

    name: str = Field(min_length=1, pattern=r"^[\w-]+$")
    tags: tuple[str, ...]
    delivery_s: float = Field(default=86_400.0, gt=0)
    late: float = Field(default=0.02, ge=0, le=1)
    gaps: float = Field(default=0.02, ge=0, le=1)
    revised: float = Field(default=0.01, ge=0, le=1)


class MetricsSection(_Section):
    """What polling tells of itself.

    Attributes
    ----------
    listen
        Where Prometheus fetches metrics: ``127.0.0.1:9464``, or ``:9464`` for the same; nowhere by default. Only who
        names another address is reached from elsewhere.
    status
        File that `umanflow poll --status` reads; empty for none.
    """

    listen: str | None = None
    status: str = "poll-status.json"

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            _, separator, port = value.rpartition(":")
            if not separator or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"'{value}' is no address and port; write 127.0.0.1:9464")
        return value

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port to listen on."""
        if self.listen is None:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]") or "127.0.0.1", int(port)


class PlcSection(_TlsKeys):
    """Simulated PLCs (`umanflow plc`).

    Attributes
    ----------
    speed
        Seconds of the city in a second of ours.
    step_s
        Hydraulic step, s of the city.
    seed
        Of the twin's mismatch and noise.
    faults
        Schedule of faults (see `scada.plc.faultfile`); read again whenever it is changed.
    loggers
        What sends files instead of being read.
    drops
        Folder of these files; the one that `[ingest]` watches by default.

    Notes
    -----
    Devices whose URL is ``tls://`` are served with `tls_certificate`; with `tls_ca` only to clients that show one.
    """

    speed: float = Field(default=1.0, gt=0)
    step_s: int = Field(default=60, ge=1)
    seed: int = 0
    faults: str = ""
    loggers: tuple[LoggersSection, ...] = ()
    drops: str = ""


class BalanceSection(_Section):
    """The water balance (`umanflow balance --config`): an input file with what no meter knows."""

    file: str = ""


class ReportSection(_Section):
    """Leak reports (`umanflow report`).

    Attributes
    ----------
    cost_per_m3, currency
        Variable cost of lost water and its ISO 4217 code; money is unknown without.
    units
        Of flows: m3/h or L/s.
    tables
        Folder with valves.csv, nodes.csv, pipes.csv of the INP where it is not called NAME.tables and beside NAME.inp.
    """

    cost_per_m3: float | None = Field(default=None, ge=0)
    currency: str = Field(default="UAH", pattern="^[A-Z]{3}$")
    units: Literal["m3/h", "L/s"] = "m3/h"
    tables: str = ""


class Config(_Section):
    """A whole configuration; paths are relative to the file's folder."""

    network: str
    crs: str | None = None
    timezone: str = "UTC"
    language: Literal["uk", "en"] = "en"
    historian: HistorianSection = HistorianSection()
    tags: TagsSection = TagsSection()
    devices: tuple[DeviceSection, ...] = ()
    plc: PlcSection = PlcSection()
    calendar: CalendarSection = CalendarSection()
    writing: WritingSection = WritingSection()
    alarms: AlarmsSection = AlarmsSection()
    metrics: MetricsSection = MetricsSection()
    balance: BalanceSection = BalanceSection()
    report: ReportSection = ReportSection()
    ingest: IngestSection = IngestSection()
    folder: Path = Path()

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no time zone '{value}'; use a name such as Europe/Kyiv")
        return value

    def path(self, name: str) -> Path:
        """A file that the configuration names."""
        return self.folder / name

    @property
    def network_path(self) -> str:
        """Catalogue name, or the INP's path from the configuration's folder."""
        beside = self.path(self.network)
        return str(beside) if beside.is_file() else self.network

    @property
    def historian_url(self) -> str:
        """The historian's URL with a relative SQLite file taken from the configuration's folder."""
        prefix = "sqlite:///"
        url = self.historian.url
        return f"{prefix}{self.path(url[len(prefix) :])}" if url.startswith(prefix) else url


def read_config(path: Path) -> Config:
    """Read a configuration.

    Raises
    ------
    ConfigError
        If the file is missing, is no TOML, or has an unknown key or a wrong value; one line names the key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if "folder" in table:
        raise ConfigError(f"{path}: folder: unknown key; remove it")
    try:
        config = Config(**table, folder=path.resolve().parent)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        words = "unknown key; remove it or mend its spelling" if first["type"] == "extra_forbidden" else first["msg"]
        raise ConfigError(f"{path}: {key}: {words}") from error
    names = [device.name for device in config.devices]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ConfigError(f"{path}: devices: '{sorted(twice)[0]}' stands twice; every device needs its own name")
    return config
