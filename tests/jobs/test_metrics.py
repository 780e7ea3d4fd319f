"""What the engine counts: each attempt by how it ended, each job by its end, each result by the way it came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client import generate_latest

from jobs.deps import Deps
from jobs.engine import Engine
from jobs.identity import Identity
from models.script import Script
from tests.jobs.conftest import Accept
from tests.jobs.test_actors import ended, worker
from tests.processes import WebProcess, WorkerProcess, died, terminate
from tests.scraping import Scrape, parsed, scrape
from tests.standing_in import Control, control
from tests.waiting import until
from tests.web.conftest import form, recording
from tests.web.following import follow
from yousync.local.program import Standin
from yousync.settings import Settings

ATTEMPTS = "yousync_stage_attempts_total"
REQUESTS = "yousync_http_requests_total"
RESULTS = "yousync_results_total"


def now() -> Scrape:
    return parsed(generate_latest().decode())


class Counted:
    """How far counters have come since this was made."""

    def __init__(self) -> None:
        self._before = now()

    def __call__(self, name: str, **labels: str) -> float:
        return now().sum(name, **labels) - self._before.sum(name, **labels)


async def test_the_straight_way(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    counted = Counted()
    async with worker(emptied, identity):
        assert (await ended(engine, await accept())).status == "completed"
        await until(lambda: counted("yousync_jobs_ended_total", state="completed", code="") == 1)
    assert counted("yousync_uploads_accepted_total", kind="script") == 1
    assert counted(ATTEMPTS, stage="upload", outcome="done") == counted(ATTEMPTS, stage="upload") == 1
    assert counted(ATTEMPTS, stage="submit") == counted("yousync_stage_duration_seconds_count", stage="submit") == 1
    assert counted(ATTEMPTS, stage="persist", outcome="done") == 1
    assert counted(RESULTS, source="webhook", delivery="delivered") == counted(RESULTS) == 1
    assert counted("yousync_job_duration_seconds_count", state="completed") == 1
    assert counted("yousync_storage_request_duration_seconds_count", operation="put", outcome="ok") == 1
    assert counted("yousync_analysis_request_duration_seconds_count", operation="ask", outcome="ok") == 1


async def test_the_same_upload_again_is_no_other_job(accept: Accept) -> None:
    counted = Counted()
    for _ in range(2):
        await accept(audio=b"the same" * 100)
    assert counted("yousync_uploads_accepted_total") == 1


async def test_a_reply_that_holds_the_result_counts_as_such(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    await analysis.behave("inline")
    counted = Counted()
    async with worker(emptied, identity):
        assert (await ended(engine, await accept())).status == "completed"
    assert counted(RESULTS, source="reply", delivery="delivered") == counted(RESULTS) == 1


async def test_a_result_that_had_to_be_asked_for_counts_as_such(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    await analysis.behave("lost")
    counted = Counted()
    status_url = emptied.settings.analysis_status_url
    async with worker(emptied, identity, analysis_wait_seconds=0.2, analysis_status_url=status_url):
        assert (await ended(engine, await accept())).status == "completed"
    assert counted(RESULTS, source="status", delivery="delivered") == counted(RESULTS) == 1
    assert counted("yousync_analysis_request_duration_seconds_count", operation="progress", outcome="ok") >= 1


@pytest.mark.parametrize(
    ("mode", "outcome", "state", "code"),
    [
        ("http_500", "parked", "parked", "analysis_error"),
        ("http_400", "failed", "failed", "analysis_rejected"),
    ],
)
async def test_an_attempt_that_fails_counts_for_what_it_led_to(
    emptied: Deps,
    engine: Engine,
    identity: Identity,
    accept: Accept,
    analysis: Control,
    mode: str,
    outcome: str,
    state: str,
    code: str,
) -> None:
    await analysis.behave(mode)
    counted = Counted()
    async with worker(emptied, identity, submit_tries=2, breaker_jobs=99):
        assert (await ended(engine, await accept())).status == "failed"
        await until(lambda: counted("yousync_jobs_ended_total", state=state, code=code) == 1)
    tries = 2 if outcome == "parked" else 1
    assert counted(ATTEMPTS, stage="submit", outcome=outcome) == 1
    assert counted(ATTEMPTS, stage="submit", outcome="retry") == tries - 1
    assert counted(ATTEMPTS, stage="submit") == tries
    assert counted("yousync_analysis_request_duration_seconds_count", operation="ask", outcome=code) == tries


async def test_a_server_that_is_away_counts_as_held(
    emptied: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control
) -> None:
    await analysis.behave("http_503", count=2)
    counted = Counted()
    async with worker(emptied, identity):
        assert (await ended(engine, await accept())).status == "completed"
    assert counted(ATTEMPTS, stage="submit", outcome="hold") == 2
    assert counted(ATTEMPTS, stage="submit", outcome="retry") == 0


@dataclass(frozen=True)
class Apart:
    """Web and worker as processes of their own."""

    web: WebProcess
    worker: WorkerProcess

    async def told(self) -> tuple[Scrape, Scrape]:
        return await scrape(f"{self.web.url}/metrics"), await scrape(self.worker.url)


@pytest_asyncio.fixture
async def apart(emptied: Deps, settings: Settings, tmp_path: Path) -> AsyncIterator[Apart]:
    made = Apart(WebProcess(settings, logs=tmp_path), WorkerProcess(settings, logs=tmp_path))
    try:
        await made.web.start()
        await made.worker.start()
        yield made
    finally:
        await made.worker.stop()
        await made.web.stop()


async def test_web_and_worker_apart_each_tell_their_part(apart: Apart, standin: Standin, script: Script) -> None:
    async with control(standin.url) as analysis, aiohttp.ClientSession(apart.web.url) as client:
        await analysis.behave("normal", delay_s=0.3)
        async with client.post(f"/scripts/{script.id}/upload-audio", data=form(recording())) as reply:
            assert reply.status == 202, await reply.text()
            job_id = (await reply.json())["job_id"]
        stream = await follow(client, job_id)
        assert stream.statuses[-1] == "completed"

    async def ended() -> bool:
        return (await scrape(apart.worker.url)).sum("yousync_jobs_ended_total") == 1

    await until(ended)  # clients learn it from the row, a moment before the worker has told all
    web, worker = await apart.told()
    for stage in ("upload", "submit", "persist"):
        assert worker.sum(ATTEMPTS, stage=stage) == 1
        assert web.sum(ATTEMPTS, stage=stage) == 0
    assert worker("yousync_jobs_ended_total", state="completed", code="") == 1
    assert worker("yousync_storage_request_duration_seconds_count", operation="put", outcome="ok") == 1
    assert worker("yousync_analysis_request_duration_seconds_count", operation="ask", outcome="ok") == 1
    upload = {"method": "POST", "route": "/scripts/{script_id}/upload-audio", "status": "202"}
    assert web(REQUESTS, **upload) == 1
    assert web("yousync_uploads_accepted_total", kind="script") == 1
    assert web(RESULTS, source="webhook", delivery="delivered") == 1
    assert web("yousync_event_lag_seconds_count") >= 1
    for process in (web, worker):
        assert process("yousync_database_query_duration_seconds_count", outcome="ok") >= 1
        assert process("process_resident_memory_bytes") > 0
        assert process("yousync_event_loop_lag_seconds_count") > 0
        assert 0 < process("yousync_valkey_memory_bytes") < process("yousync_valkey_memory_limit_bytes") == 2**30

    async def seen() -> bool:
        """Each tells what lies in Valkey; the worker reads it every few seconds."""
        told = await apart.told()
        return all((one("yousync_jobs", state="completed"), one("yousync_workers")) == (1, 1) for one in told)

    await until(seen, seconds=30)
    terminate(apart.worker)
    assert await died(apart.worker) == 0

    async def gone() -> bool:
        return (await scrape(f"{apart.web.url}/metrics"))("yousync_workers") == 0

    await until(gone)
