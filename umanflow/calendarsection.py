"""The part of the configuration that says on which days people use water differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from models.forecast import SpecialDays


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EventSection(_Section):
    """Some days that are like no others: a surge of people that is no leak.

    Attributes
    ----------
    name
        For a person.
    begins
        Rule of the first day: `MM-DD`, `YYYY-MM-DD`, or `easter`, `orthodox-easter` or `rosh-hashanah` with +N or -N
        days.
    days
        How many it lasts.
    night_share
        Most that its guests take in the quiet of the night, of their mean.
    """

    name: str = Field(min_length=1)
    begins: str
    days: int = Field(default=1, ge=1, le=60)
    night_share: float = Field(default=0.67, ge=0, lt=1)


class CalendarSection(_Section):
    """Days on which people use water differently, for forecasts.

    Attributes
    ----------
    country
        Whose public holidays are kept: UA, IT, PL; empty for none.
    holidays
        Rules of days that are like Sundays, beside the country's.
    events
        Named surges.
    """

    country: str = ""
    holidays: tuple[str, ...] = ()
    events: tuple[EventSection, ...] = ()

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.country or self.holidays or self.events:
            from models.errors import WrongRule

            try:
                self.special_days()
            except WrongRule as error:
                raise ValueError(str(error)) from error
        return self

    def special_days(self) -> SpecialDays:
        """What forecasts take."""
        from models.forecast import Event, Holiday, country_days

        events = tuple(Event(e.name, e.begins, e.days, e.night_share) for e in self.events)
        return country_days(self.country or None, tuple(Holiday(rule, rule) for rule in self.holidays), events)
