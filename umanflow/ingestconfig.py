"""Sections of the configuration that say how files and databases of other systems are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from scada.drops.localtime import zone_exists
from scada.drops.profile import Arrival, DateOrder, Layout, RepeatedHour
from scada.drops.source import SCHEMES, check_sql


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PointSection(_Section):
    """What a column, channel or point is called here; `unit`, `scale` and `offset` are of the number in the file."""

    tag: str = Field(min_length=1)
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0


class _ProfileKeys(_Section):
    """How a file, or the answer of a query, is written; see `scada.drops.profile.Profile`.

    Attributes
    ----------
    points
        Tag by column, channel or point; a tag's name or a table with unit, scale and offset.
    map
        The same as a CSV: point, tag, unit, scale, offset.
    quality
        Words of the file by what they mean: good, uncertain, bad, stale.
    """

    name: str = Field(min_length=1)
    layout: Layout = ""
    points: dict[str, str | PointSection] = {}
    map: str = ""
    ignore: tuple[str, ...] = ()
    time_columns: tuple[str, ...] = ()
    point_column: str = ""
    value_column: str = ""
    quality_column: str = ""
    reason_column: str = ""
    arrival_column: str = ""
    quality_suffix: str = ""
    quality: dict[Literal["good", "uncertain", "bad", "stale"], tuple[str, ...]] = {}
    decimal: Literal["", ".", ","] = ""
    missing: tuple[str, ...] = ()
    footers: tuple[str, ...] = ()
    time_format: str = ""
    date_order: DateOrder = ""
    zone: str = ""
    repeated_hour: RepeatedHour = "order"
    unit: str = ""

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value and not zone_exists(value):
            raise ValueError(
                f"no time zone '{value}'; use a name such as Europe/Kyiv, UTC, or an offset such as +02:00"
            )
        return value


class FilesSection(_ProfileKeys):
    """Files of one kind. `folder` is where they come, where that is not the section's."""

    pattern: str = "*"
    folder: str = ""
    columns: tuple[str, ...] = ()
    header_line: int = Field(default=0, ge=0)
    serial: str = ""
    encoding: str = ""
    delimiter: Annotated[str, Field(max_length=1)] = ""
    arrival: Arrival = "file"
    final_newline: bool = False

    @field_validator("serial")
    @classmethod
    def _is_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"serial is no regular expression: {error}; mend it") from error
        return value


class QuerySection(_ProfileKeys):
    """A question to another system's database.

    Attributes
    ----------
    overlap_s
        How far back it asks again for rows that come late or are changed, s.
    interval_s
        How often it asks, s.
    start
        Where it begins the first time.
    since_as
        What `:since` is: time, unix, unix-ms, or a format as of strftime.
    """

    url: str
    sql: str
    overlap_s: float = Field(default=86_400.0, ge=0)
    interval_s: float = Field(default=300.0, gt=0)
    start: str = "1970-01-01"
    since_as: str = "time"
    timeout_s: float = Field(default=60.0, gt=0)

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.url.partition(":")[0] not in SCHEMES:
            raise ValueError(
                f"'{self.name}': url is none of {', '.join(SCHEMES)}; write sqlite:///file.db, postgresql://…"
            )
        wrong = check_sql(self.sql)
        if wrong:
            raise ValueError(f"'{self.name}': {wrong}")
        if self.since_as not in {"time", "unix", "unix-ms"} and "%" not in self.since_as:
            raise ValueError(
                f"'{self.name}': since_as '{self.since_as}' is unknown; write time, unix, unix-ms or a format"
            )
        return self


class IngestSection(_Section):
    """Readings that come as files, or stand in another system's database (`umanflow ingest`).

    Attributes
    ----------
    folder
        Where files come.
    tags
        Table of tags that no register holds.
    state
        What was taken already.
    done, failed
        Folders within `folder` for files that were taken, and that could not be; empty leaves them where they are.
    rejects
        Folder for rows that were not taken; empty for beside their file.
    poll_s
        How often the folder is looked at, s.
    stable_s
        How long a file must not have changed to be whole, s; 0 where files are renamed into place.
    files, queries
    """

    folder: str = ""
    tags: str = ""
    state: str = "ingest.db"
    done: str = "done"
    failed: str = "failed"
    rejects: str = ""
    poll_s: float = Field(default=5.0, gt=0)
    stable_s: float = Field(default=10.0, ge=0)
    files: tuple[FilesSection, ...] = ()
    queries: tuple[QuerySection, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        """Take `[[ingest]]`: each is a kind of files, or a query where it has sql; common keys may stand in any."""
        if not isinstance(value, list):
            return value
        common: dict[str, Any] = {}
        files: list[dict[str, Any]] = []
        queries: list[dict[str, Any]] = []
        for given in value:
            if not isinstance(given, Mapping):
                raise ValueError("an entry is no table; write [[ingest]] and its keys")
            entry = dict(given)
            for key in ("tags", "state", "done", "failed", "rejects", "poll_s", "stable_s"):
                if key in entry and common.setdefault(key, entry.pop(key)) != given[key]:
                    raise ValueError(f"{key} differs between two [[ingest]]; state it once")
            (queries if "sql" in entry else files).append(entry)
        return {**common, "files": files, "queries": queries}

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [section.name for section in (*self.files, *self.queries)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"'{twice[0]}' stands twice; every profile needs its own name")
        return self

    @property
    def folders(self) -> tuple[str, ...]:
        """Every folder that is watched, once."""
        named = [section.folder or self.folder for section in self.files] or [self.folder]
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def is_watching(self) -> bool:
        """Whether there is anything that comes by itself."""
        return bool(self.folders or self.queries)
