"""What is usual: demand and readings to be expected by time of week, season, holidays and weather, with a band."""

from models.forecast.band import Band
from models.forecast.days import Abnormal, Days, to_days
from models.forecast.explain import Explanation, explain
from models.forecast.forecaster import Forecast, Forecaster, Score, Settings
from models.forecast.keep import restore, save
from models.forecast.special_days import Event, Holiday, SpecialDays, country_days
from models.forecast.stream import Expected, Stream

__all__ = [
    "Abnormal",
    "Band",
    "Days",
    "Event",
    "Expected",
    "Explanation",
    "Forecast",
    "Forecaster",
    "Holiday",
    "Score",
    "Settings",
    "SpecialDays",
    "Stream",
    "country_days",
    "explain",
    "restore",
    "save",
    "to_days",
]
