"""A learner's browser on a frontend of another origin: upload, progress and scores, through a restart too."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from models.analysis_result import AnalysisResult
from models.script import Script
from models.user import User
from tests.browser.chromium import Page
from tests.browser.conftest import Frontend
from tests.standing_in import Control
from tests.waiting import until
from yousync.cli.service import Web

pytestmark = pytest.mark.browser

COMPLETED = 'watch.events.filter((event) => event.status === "completed").length'


async def upload(page: Page, service: Web, script: Script, token: str, pitch: int) -> dict[str, Any]:
    answer = await page.run("return upload(...arguments);", f"{service.url}/api", script.id, token, pitch)
    assert isinstance(answer, dict)
    return answer


async def follow(page: Page, service: Web, job_id: str) -> None:
    await page.run("follow(...arguments);", f"{service.url}/api", job_id)


def received(service: Web) -> list[str]:
    """The methods of all requests so far that concerned an upload, from the service's own log."""
    lines = [json.loads(line) for line in service.process.log.read_text().splitlines() if line.startswith("{")]
    return [line["method"] for line in lines if line.get("path", "").endswith("/upload-audio")]


async def test_a_recording_becomes_scores(
    page: Page, service: Web, frontend: Frontend, script: Script, token: str, learner: User, analysis: Control
) -> None:
    await page.open(frontend.listed)
    answer = await upload(page, service, script, token, 200)  # with a bearer, so after a preflight
    assert answer["status"] == 202
    job_id = answer["body"]["job_id"]
    assert answer["headers"]["location"] == f"/api/scripts/analysis-result/{job_id}"
    assert answer["headers"]["x-request-id"]
    await follow(page, service, job_id)
    await page.until(COMPLETED)
    events = await page.run("return watch.events;")
    assert {event["job_id"] for event in events} == {job_id}
    words = [word["word"] for word in events[-1]["result"]["result"]["word_analysis"]]
    assert words == script.script.split()
    assert [event["status"] for event in events] == ["processing"] * (len(events) - 1) + ["completed"]
    assert (await AnalysisResult.get(job_id=job_id)).user_id == learner.id
    address = f"{service.url}/api/tokens/analysis-result/{job_id}/"
    polled = await page.run("return seen(fetch(arguments[0]));", address)
    assert (polled["status"], polled["body"]["result"]) == (200, events[-1]["result"])
    assert await page.complaints() == []


async def test_a_visitor_needs_no_account(
    page: Page, service: Web, frontend: Frontend, script: Script, analysis: Control
) -> None:
    await page.open(frontend.listed)
    answer = await upload(page, service, script, "", 210)
    assert answer["status"] == 202
    await follow(page, service, answer["body"]["job_id"])
    await page.until(COMPLETED)
    assert await page.complaints() == []


async def test_a_page_can_read_why_it_was_refused(page: Page, service: Web, frontend: Frontend, script: Script) -> None:
    await page.open(frontend.listed)
    answer = await upload(page, service, script, "no.token.atall", 220)
    assert (answer["status"], answer["body"]["code"]) == (401, "token_invalid")
    unknown = await page.run("return seen(fetch(arguments[0]));", f"{service.url}/tokens/analysis-result/{'0' * 32}/")
    assert (unknown["status"], unknown["body"]["code"]) == (404, "job_not_found")


async def test_an_open_stream_survives_a_restart(
    page: Page, service: Web, frontend: Frontend, script: Script, token: str, analysis: Control
) -> None:
    await analysis.behave("never")
    await page.open(frontend.listed)
    job_id = (await upload(page, service, script, token, 230))["body"]["job_id"]
    await follow(page, service, job_id)
    await page.until("watch.events.some((event) => event.progress === 90)")
    before = service.process.pid
    assert before is not None
    os.kill(before, signal.SIGTERM)
    assert await service.process.wait() == 0
    await page.until("watch.errors > 0 && watch.state() === EventSource.CONNECTING")
    await service.start()
    assert service.process.pid != before
    await page.until("watch.opens > 1")
    await analysis.release()
    await page.until(COMPLETED)
    events = await page.run("return watch.events;")
    assert [event["status"] for event in events] == ["processing"] * (len(events) - 1) + ["completed"]
    progress = [event["progress"] for event in events]
    assert progress == sorted(progress)
    assert [word["word"] for word in events[-1]["result"]["result"]["word_analysis"]] == script.script.split()
    assert await page.run("return watch.state() === EventSource.CLOSED;")
    assert await AnalysisResult.filter(job_id=job_id, state="completed").count() == 1


async def test_a_page_of_another_origin_is_refused(
    page: Page, service: Web, frontend: Frontend, script: Script, token: str, analysis: Control
) -> None:
    await page.open(frontend.listed)
    job_id = (await upload(page, service, script, token, 240))["body"]["job_id"]
    await follow(page, service, job_id)
    await page.until(COMPLETED)

    await page.open(frontend.other)
    before = received(service)
    assert await upload(page, service, script, token, 250) == {"refused": "TypeError"}
    await until(lambda: received(service) != before)
    assert received(service)[len(before) :] == ["OPTIONS"], "its preflight was refused, so the recording stayed there"
    for path in ("/health", f"/api/scripts/analysis-result/{job_id}", "/nowhere"):
        assert await page.run("return seen(fetch(arguments[0]));", f"{service.url}{path}") == {"refused": "TypeError"}
    await follow(page, service, job_id)
    await page.until("watch.errors")
    assert await page.run("return [watch.opens, watch.events.length, watch.state()];") == [0, 0, 2]
    assert any("blocked by CORS policy" in complaint for complaint in await page.complaints())
