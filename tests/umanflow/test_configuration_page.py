"""docs/configuration.md names every key that is read and every option of every command, and no other."""

import math
import re
import typing
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from scada import tagcells as tags
from scada.alarms import cells as alarms
from scada.plc import faultfile
from umanflow.cli.app import app
from umanflow.config import Config

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")


def sections_of(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in sections_of(part)]


def keys_read(model: type[BaseModel], path: str = "") -> dict[str, dict[str, FieldInfo]]:
    """Keys of a section and of those within it, by the section's path."""
    found: dict[str, dict[str, FieldInfo]] = {path: {}}
    for name, field in model.model_fields.items():
        inner = sections_of(field.annotation)
        if not inner:
            found[path][name] = field
        for section in inner:
            found |= keys_read(section, f"{path}.{name}".lstrip("."))
    return found


def keys_told() -> dict[str, dict[str, list[str]]]:
    """Rows of the page's tables by section and key."""
    found: dict[str, dict[str, list[str]]] = {}
    sections = PAGE.split("\n## ")[1]
    for part in sections.split("\n### ")[1:]:
        heading, _, body = part.partition("\n")
        for path in re.findall(r"`\[*([\w.]+)\]*`", heading):
            rows = [line for line in body.splitlines() if line.startswith("| `")]
            cells = [[cell.strip() for cell in re.split(r"(?<!\\) \| ", row.strip("| "))] for row in rows]
            told = found.setdefault("" if path == "umanflow.toml" else path, {})
            for row in cells:
                assert row[0].strip("`") not in told, f"{path}: {row[0]} stands twice"
                told[row[0].strip("`")] = row
    return found


READ = keys_read(Config)
READ[""].pop("folder")  # where the file is, which nobody may write


def test_every_section_is_told() -> None:
    assert keys_told().keys() == READ.keys()


@pytest.mark.parametrize("section", READ)
def test_every_key_is_told_with_its_default(section: str) -> None:
    told = keys_told()[section]
    assert told.keys() == READ[section].keys()
    for name, field in READ[section].items():
        assert len(told[name]) == 4, told[name]
        assert all(told[name]), told[name]
        assert told[name][2] == shown(field), f"{section}.{name}"


def shown(field: FieldInfo) -> str:
    """A default as the page writes it."""
    value = field.default
    if field.is_required():
        return "needed"
    if isinstance(value, float) and math.isinf(value):
        return "any"
    if value is None or value in ("", (), {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def commands_of(command: object, path: str = "umanflow") -> dict[str, set[str]]:
    """Options of every command."""
    inner = getattr(command, "commands", None)
    if inner is not None:
        return {k: v for name, one in inner.items() for k, v in commands_of(one, f"{path} {name}").items()}
    options = {option for one in command.params for option in one.opts if option.startswith("-")}  # type: ignore[attr-defined]
    return {path: options - {"--help"}}


def test_every_command_is_told_with_its_options() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| `umanflow ")]
    told = {row[0].strip("`"): set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", row[1])) for row in rows}
    assert told == commands_of(typer.main.get_command(app))
    assert all(len(row) == 3 and row[2] for row in rows)


def test_pages_that_it_names_are_there() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        name, _, anchor = target.partition("#")
        text = (DOCS / name).read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
            for line in text.splitlines()
            if line.startswith("#")
        }
        assert not anchor or anchor in headings, target


@pytest.mark.parametrize(
    ("page", "columns"),
    [("tags.md", tags.COLUMNS), ("alarms.md", alarms.COLUMNS), ("plc.md", sorted(faultfile.KEYS))],
)
def test_columns_of_tables_are_told(page: str, columns: tuple[str, ...]) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)`", text)) | set(re.findall(r"^(\w+) = ", text, re.MULTILINE))
    families = {f"{stem}_{language}" for stem in re.findall(r"`(\w+)_…`", text) for language in ("uk", "en")}
    assert set(columns) - told - families == set()
