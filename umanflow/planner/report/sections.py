"""The sections of a plan's report, in their order. A further one is a function of a `Story` and a name in this list."""

from __future__ import annotations

from umanflow.planner.report.assumptions import assumptions
from umanflow.planner.report.design import design
from umanflow.planner.report.diagnosis import diagnosis
from umanflow.planner.report.loggers import loggers
from umanflow.planner.report.programme import programme
from umanflow.planner.report.pumps import pumps
from umanflow.planner.report.renewal import renewal
from umanflow.planner.report.section import Maker
from umanflow.planner.report.setpoints import setpoints
from umanflow.planner.report.summary import summary

SECTIONS: tuple[Maker, ...] = (
    summary,
    diagnosis,
    design,
    setpoints,
    pumps,
    loggers,
    renewal,
    programme,
    assumptions,
)
