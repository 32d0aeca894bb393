"""Scorers: streams of many channels judged row by row, `score(state, frame) -> (state, scores)` for all."""

from models.scoring.balance import District, MassBalance
from models.scoring.contract import Alarms, Scorer, State
from models.scoring.covariance import Mahalanobis
from models.scoring.cusum import Cusum
from models.scoring.ewma import Ewma, EwmaChart
from models.scoring.expected import Expected
from models.scoring.forest import Forest
from models.scoring.instrument import FlatLine, Spike
from models.scoring.learned import RobustZ
from models.scoring.likelihood import Glr
from models.scoring.median import RollingMedian
from models.scoring.pagehinkley import PageHinkley
from models.scoring.probability import Calibrated, Isotonic, Platt, fit_isotonic, fit_platt
from models.scoring.weekly import WeeklyBand

__all__ = [
    "Alarms",
    "Calibrated",
    "Cusum",
    "District",
    "Ewma",
    "EwmaChart",
    "Expected",
    "FlatLine",
    "Forest",
    "Glr",
    "Isotonic",
    "Mahalanobis",
    "MassBalance",
    "PageHinkley",
    "Platt",
    "RobustZ",
    "RollingMedian",
    "Scorer",
    "Spike",
    "State",
    "WeeklyBand",
    "fit_isotonic",
    "fit_platt",
]
