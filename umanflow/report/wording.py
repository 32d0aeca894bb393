"""How a report speaks: its language, and numbers, dates, money and units as that language writes them."""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Literal

from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, get_currency_name

from umanflow.report.errors import ReportError

LANGUAGES = ("uk", "en")
UNITS = ("m3/h", "L/s")
Units = Literal["m3/h", "L/s"]
NONE = "–"
_DAY = {"uk": "dd.MM.y", "en": "d MMM y"}
_SHORT_DAY = {"uk": "dd.MM", "en": "d MMM"}
_LOCALE = {"uk": "uk_UA", "en": "en_GB"}
_LPS_PER_M3H = 1.0 / 3.6
_NO_BREAK = "\u00a0"
_SHARED = "report"


def mark(text: str) -> str:
    """Mark a text of a table for translation; `Wording.say` translates it where it is used."""
    return text


_CUBIC_METRE, _METRE = mark("m³"), mark("m")


@cache
def _translations(language: str, domain: str) -> gettext.NullTranslations:
    """Translations of a language, from the text that translators edit: no compiled copy can grow stale.

    What a domain does not hold is looked for in `report`, the words that all reports share.
    """
    if language == "en":
        return gettext.NullTranslations()
    source = files("umanflow") / "locale" / language / "LC_MESSAGES" / f"{domain}.po"
    catalog = read_po(io.BytesIO(source.read_bytes()), locale=language, ignore_obsolete=True)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    found = gettext.GNUTranslations(compiled)
    if domain != _SHARED:
        found.add_fallback(_translations(language, _SHARED))
    return found


class Wording:
    """A language, and the units in which flows are told.

    Parameters
    ----------
    language
        "uk" or "en".
    units
        Of flows: "m3/h" or "L/s".
    currency
        ISO 4217 code.
    domain
        Of the texts: the name of a file in `locale/LANGUAGE/LC_MESSAGES`.

    Raises
    ------
    ReportError
        If there is no such language, unit or currency.
    """

    def __init__(self, language: str = "en", units: str = "m3/h", currency: str = "UAH", domain: str = _SHARED) -> None:
        if language not in LANGUAGES:
            raise ReportError(f"'{language}' is not spoken here", "--lang", f"there are {' and '.join(LANGUAGES)}")
        if units not in UNITS:
            raise ReportError(f"no unit of flow '{units}'", "--units", f"there are {' and '.join(UNITS)}")
        if len(currency) != 3 or not currency.isascii() or not currency.isupper():
            raise ReportError(f"no currency '{currency}'", "--currency", "write its ISO 4217 code, such as UAH")
        self.language = language
        self.units = units
        self.currency = currency
        self._locale = _LOCALE[language]
        self._texts = _translations(language, domain)

    # texts --------------------------------------------------------------------------------------------------------

    def say(self, text: str) -> str:
        """Translate a text."""
        return self._texts.gettext(text)

    def fill(self, text: str, /, **values: object) -> str:
        """Translate a text, then put values into it."""
        return self._texts.gettext(text).format(**values)

    def count(self, one: str, many: str, n: int, /, **values: object) -> str:
        """Translate a text for a number of things; `{n}` is the number."""
        return self._texts.ngettext(one, many, n).format(n=self.number(n), **values)

    def words(self, texts: Mapping[str, str], key: str) -> str:
        """Translate what a table holds for a key; the key itself where it holds nothing."""
        return self.say(texts[key]) if key in texts else key

    # numbers ------------------------------------------------------------------------------------------------------

    def number(self, value: float, digits: int = 0) -> str:
        """Write a number."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        # what rounds to nothing has no sign
        shown = 0.0 if round(float(value), digits) == 0.0 else float(value)
        return format_decimal(shown, format=pattern, locale=self._locale).replace(" ", _NO_BREAK)

    def signed(self, value: float, digits: int = 1) -> str:
        """Write a number with its sign."""
        text = self.number(value, digits)
        return f"+{text}" if round(value, digits) > 0.0 else text.replace("-", "\u2212")

    def percent(self, share: float, digits: int = 0) -> str:
        """Write a share in per cent."""
        return f"{self.number(100.0 * share, digits)}{_NO_BREAK}%"

    def money(self, value: float, digits: int = 0) -> str:
        """Write an amount."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "") + f"{_NO_BREAK}¤¤"
        text = format_currency(value, self.currency, format=pattern, locale=self._locale, currency_digits=False)
        return text.replace(self.currency, self.currency_sign).replace(" ", _NO_BREAK)

    def millions(self, value: float) -> str:
        """Write a large amount, in millions to three figures."""
        if abs(value) < 100_000.0:
            return self.money(value)
        digits = 2 if abs(value) < 9.995e6 else 1 if abs(value) < 99.95e6 else 0
        text = self.fill("{n} million {currency}", n=self.number(value / 1e6, digits), currency=self.currency_sign)
        return text.replace(" ", _NO_BREAK)

    @property
    def currency_sign(self) -> str:
        """The currency as it stands behind an amount."""
        return "грн" if self.language == "uk" and self.currency == "UAH" else self.currency

    @property
    def currency_name(self) -> str:
        """The currency in words."""
        return get_currency_name(self.currency, locale=self._locale)

    # units --------------------------------------------------------------------------------------------------------

    @property
    def flow_unit(self) -> str:
        """Unit of flows."""
        return self.say(mark("m³/h")) if self.units == "m3/h" else self.say(mark("L/s"))

    def flow_value(self, m3h: float) -> float:
        """A flow of m3/h in the unit in which it is told."""
        return m3h if self.units == "m3/h" else m3h * _LPS_PER_M3H

    def flow_digits(self, m3h: float) -> int:
        """Digits after the point that a flow is worth."""
        value = abs(self.flow_value(m3h))
        return 0 if value < 0.005 else 2 if value < 1.0 else 1

    def flow(self, m3h: float) -> str:
        """Write a flow with its unit."""
        return f"{self.bare_flow(m3h)}{_NO_BREAK}{self.flow_unit}"

    def bare_flow(self, m3h: float, like: float | None = None) -> str:
        """Write a flow without its unit, with the digits of another one where that is given."""
        return self.number(self.flow_value(m3h), self.flow_digits(m3h if like is None else like))

    def flow_interval(self, low: float, high: float) -> str:
        """Write an interval of flows."""
        return self.fill("{low} to {high}", low=self.bare_flow(low, high), high=self.flow(high))

    def volume(self, m3: float) -> str:
        """Write a volume."""
        return f"{self.number(m3, 1 if 0.05 <= abs(m3) < 10.0 else 0)}{_NO_BREAK}{self.say(_CUBIC_METRE)}"

    def metres(self, length: float) -> str:
        """Write a length of pipe."""
        return f"{self.number(length)}{_NO_BREAK}{self.say(_METRE)}"

    # time ---------------------------------------------------------------------------------------------------------

    def minute(self, time: datetime | None) -> str:
        """Write a time to the minute."""
        if time is None:
            return NONE
        near = time + timedelta(seconds=30)
        return f"{self.day(near)} {near:%H:%M}"

    def day(self, time: date | datetime) -> str:
        """Write a day."""
        return format_date(time, _DAY[self.language], locale=self._locale).replace(" ", _NO_BREAK)

    def short_day(self, time: date | datetime) -> str:
        """Write a day without its year, for an axis."""
        return format_date(time, _SHORT_DAY[self.language], locale=self._locale).replace(" ", _NO_BREAK)
