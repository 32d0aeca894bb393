"""A report as one page that opens without a network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from umanflow.report.blocks import Document
from umanflow.report.drawing import page_rules, variables


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("umanflow.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2")


@cache
def _script() -> str:
    folder = files("umanflow.report") / "templates"
    return "\n" + "".join((folder / name).read_text(encoding="utf-8") for name in ("map.js", "form.js"))


def render_html(document: Document) -> str:
    """Render a report as one self-contained page; the same document gives the same text.

    Its only scripts are those inside, let through by their checksum: a name of the network that looks like a script
    runs nowhere.
    """
    script = _script()
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _template().render(
        document=document,
        script=Markup(script),
        checksum=checksum,
        light=Markup(variables(is_dark=False)),
        dark=Markup(variables(is_dark=True)),
        rules=Markup(page_rules()),
        raw=Markup,
    )
