"""Short waits, so that what a crash leaves behind is found again quickly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from jobs.deps import open_deps
from tests.factories import make_script, make_user
from tests.faults.chance import ALL, SEED
from tests.faults.ground import SAID, Ground
from tests.standing_in import control
from yousync.local.program import Standin
from yousync.local.stack import Stack
from yousync.settings import Settings


@pytest_asyncio.fixture(scope="module")
async def ground(stack: Stack, settings: Settings, standin: Standin) -> AsyncIterator[Ground]:
    quick = settings.model_copy(
        update={
            "lease_seconds": 1.0,
            "analysis_wait_seconds": 3.0,
            "submit_timeout_seconds": 10.0,
            "drain_seconds": 0.2,
            "max_jobs_per_address": 1000,
            "preprocess_server_url": standin.url,
            "youtube_webhook_url": f"http://127.0.0.1:{settings.port}/youtube/webhook/process-complete",
            "preprocess_wait_seconds": 3.0,
            "preprocess_timeout_seconds": 10.0,
        }
    )
    async with open_deps(quick, application="tests") as deps, control(standin.url) as analysis:
        script, learner = await make_script(), await make_user()
        yield Ground(stack=stack, settings=quick, deps=deps, script=script, learner=learner, analysis=analysis)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test said goes with its report, which comes to the process that prints the table."""
    report = yield
    report.user_properties = [*report.user_properties, *(("said", line) for line in SAID.pop(item.nodeid, ()))]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The seed, and with FAULTS=all a table: how each test ended, how long it took, what it said."""
    here = f"{Path(__file__).parent.relative_to(terminalreporter.config.rootpath)}/"
    reports = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.getreports(outcome)
        if report.nodeid.startswith(here) and (report.when == "call" or outcome != "passed")
    ]
    if not reports:
        return
    terminalreporter.section("faults")
    terminalreporter.line(f"FAULTS_SEED={SEED} draws the same sample again")
    if not ALL:
        return
    for report in sorted(reports, key=lambda report: report.nodeid.partition("::")[0]):
        terminalreporter.line(f"{report.outcome:<8}{report.duration:6.1f} s  {report.nodeid.removeprefix(here)}")
        for name, line in report.user_properties:
            if name == "said":
                terminalreporter.line(f"{'':18}{line}")
