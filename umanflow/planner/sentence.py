"""A sentence of a plan: English text for files and terminals, and what it was made of for a report in any language."""

from __future__ import annotations


class Sentence(str):
    """A text with the numbers in it.

    Parameters
    ----------
    template
        English, marked for translation where it stands; `{name}` is where a value goes.
    values
        Numbers rounded as they are to be read, or names.
    """

    template: str
    values: dict[str, int | float | str]

    def __new__(cls, template: str, **values: int | float | str) -> Sentence:
        """Fill in the values."""
        made = super().__new__(cls, template.format(**values))
        made.template = template
        made.values = values
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, int | float | str]]:
        """What a copy is made from."""
        return (self.template,), self.values
