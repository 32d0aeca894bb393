"""Leak reports: files that other programs read, and a page that people read."""

from umanflow.report.content import Content, SensorHealth, Summary, TrueLeak, summarise
from umanflow.report.errors import ReportError
from umanflow.report.files import read_leaks, write_leaks
from umanflow.report.html import render_html, write_report
from umanflow.report.row import CandidateRow, EvidenceRow, LeakRow, rows_of

__all__ = [
    "CandidateRow",
    "Content",
    "EvidenceRow",
    "LeakRow",
    "ReportError",
    "SensorHealth",
    "Summary",
    "TrueLeak",
    "read_leaks",
    "render_html",
    "rows_of",
    "summarise",
    "write_leaks",
    "write_report",
]
