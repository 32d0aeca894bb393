"""A plan as a report: a page, a paper, a workbook and layers, in the reader's language."""

from umanflow.planner.report.files import FORMATS, plan_files, wordings

__all__ = ["FORMATS", "plan_files", "wordings"]
