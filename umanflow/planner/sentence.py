"""A sentence of a plan: English text for files and terminals, and what it was made of for a report in any language."""

from __future__ import annotations

Value = int | float | str | tuple[str, ...]


class Sentence(str):
    """A text with the numbers in it.

    Parameters
    ----------
    template
        English, marked for translation where it stands; `{name}` is where a value goes.
    values
        Numbers rounded as they are to be read, names, another sentence, or some of them: these stand one behind the
        other, parted by semicolons.
    """

    template: str
    values: dict[str, Value]

    def __new__(cls, template: str, **values: Value) -> Sentence:
        """Fill in the values."""
        made = super().__new__(cls, template.format(**{name: as_text(value) for name, value in values.items()}))
        made.template = template
        made.values = values
        return made

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Value]]:
        """What a copy is made from."""
        return (self.template,), self.values


def as_text(value: Value) -> int | float | str:
    """A value as it is put into English text."""
    return "; ".join(value) if isinstance(value, tuple) else value


def reason_of(error: Exception) -> str:
    """What an error says, still a sentence where it was raised with one."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, str) else str(error)
