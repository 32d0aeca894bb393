"""Leak reports: files that other programs read, a page and a paper that people read."""

from umanflow.report.content import Content, SensorHealth, Summary, TrueLeak, summarise
from umanflow.report.errors import ReportError
from umanflow.report.files import read_leaks, write_leaks
from umanflow.report.gather import Findings, gather
from umanflow.report.row import CandidateRow, EvidenceRow, LeakRow, rows_of
from umanflow.report.site import Site, site_of
from umanflow.report.wording import Wording

__all__ = [
    "CandidateRow",
    "Content",
    "EvidenceRow",
    "Findings",
    "LeakRow",
    "ReportError",
    "SensorHealth",
    "Site",
    "Summary",
    "TrueLeak",
    "Wording",
    "gather",
    "read_leaks",
    "rows_of",
    "site_of",
    "summarise",
    "write_leaks",
]
