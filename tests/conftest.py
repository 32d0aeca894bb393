"""With UMANFLOW_NOTHING_SKIPPED set, a run in which a test was skipped has failed."""

import os

import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("UMANFLOW_NOTHING_SKIPPED"):
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        reporter.write_line(f"{len(skipped)} tests were skipped where nothing may be", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
