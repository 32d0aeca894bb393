"""A balance as one page that opens without a network."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from umanflow.balance.page import Page


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("umanflow.balance"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("balance.html.j2")


def render_html(page: Page) -> str:
    """Render a page; the same page gives the same text."""
    return _template().render(page=page)
