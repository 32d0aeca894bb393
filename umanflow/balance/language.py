"""Words, numbers, dates and units of the reader's language."""

from __future__ import annotations

import datetime as dt
import gettext
import io
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from umanflow.balance.words import WORDS

Lang = Literal["uk", "en"]
FlowUnit = Literal["m3/h", "m3/d", "L/s"]
FLOW_FACTORS: dict[FlowUnit, float] = {"m3/h": 3_600.0, "m3/d": 86_400.0, "L/s": 1e3}
_LOCALES = {"uk": "uk_UA", "en": "en_GB"}
_MIDNIGHT = dt.time()


@cache
def translations(lang: Lang) -> gettext.NullTranslations:
    """The catalogue of a language, compiled from its .po; English needs none."""
    if lang == "en":
        return gettext.NullTranslations()
    data = files("umanflow").joinpath(f"locale/{lang}/LC_MESSAGES/balance.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(data), locale=lang, domain="balance"))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@dataclass(frozen=True, slots=True)
class Language:
    """How a document speaks.

    Attributes
    ----------
    lang
        uk or en.
    flow_unit
        Of flows: m3/h, m3/d or L/s.
    """

    lang: Lang = "en"
    flow_unit: FlowUnit = "m3/h"

    def word(self, key: str, **values: object) -> str:
        """A word or sentence by its key (`umanflow.balance.words`), with values put in."""
        text = translations(self.lang).gettext(WORDS[key])
        return text.format(**values) if values else text

    def may(self, key: str) -> str:
        """A word where there is one for the key, else the key itself."""
        return self.word(key) if key in WORDS else key

    def number(self, value: float, decimals: int = 0) -> str:
        """A number with grouped thousands; a lone minus sign before zero is dropped."""
        rounded = round(value, decimals) + 0.0
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return format_decimal(rounded, format=pattern, locale=_LOCALES[self.lang])

    def day(self, day: dt.date) -> str:
        """A date."""
        return format_date(day, format="medium", locale=_LOCALES[self.lang])

    def moment(self, moment: dt.datetime) -> str:
        """A date with its time of day, where that is not midnight."""
        if moment.time() == _MIDNIGHT:
            return self.day(moment.date())
        return format_datetime(moment, format="d MMM y, HH:mm", locale=_LOCALES[self.lang])

    @property
    def flow_factor(self) -> float:
        """Flows in m3/s are multiplied by this."""
        return FLOW_FACTORS[self.flow_unit]


def decimals_of(value: float, half: float, most: int = 3) -> int:
    """Decimals that show two digits of a number's limits; of the number itself, three, where it has none."""
    size = half if half > 0.0 else abs(value) / 10.0
    if size <= 0.0:
        return 0
    return min(most, max(0, 1 - math.floor(math.log10(size))))


def written_decimals(value: float) -> int:
    """Decimals with which somebody wrote a number, four at most."""
    return min(4, len(f"{value:.6g}".partition(".")[2].partition("e")[0]))
