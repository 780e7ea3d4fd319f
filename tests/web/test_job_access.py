"""STRICT_JOB_ACCESS: a job is told to its learner, to operators, and to whoever has a ticket of theirs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import structlog
import time_machine

from models.script import Script
from models.session import end_session, open_session
from models.user import User, ensure_user
from tests.factories import bearer_of, make_attempt, make_user
from tests.standing_in import Control
from tests.web.conftest import form, recording
from tests.web.following import read_stream
from tests.web.test_google_sign_in import id_token, somebody
from web.routes import jobs
from yousync.identity import Caller, mint_ticket, verify
from yousync.local.stack import Stack
from yousync.settings import Settings

NOBODYS = "0" * 32
READS = [f"{noun}/analysis-{what}" for noun in ("/scripts", "/tokens") for what in ("result", "progress")]
_pitch = iter(range(400, 4000, 7))
Headers = dict[str, str]


@pytest.fixture(scope="module")
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"strict_job_access": True})


async def upload(client: aiohttp.ClientSession, script: Script, headers: Headers | None = None) -> str:
    data = form(recording(pitch=next(_pitch)))
    async with client.post(f"/scripts/{script.id}/upload-audio", data=data, headers=headers) as reply:
        assert reply.status == 202
        return str((await reply.json())["job_id"])


@pytest_asyncio.fixture(scope="module")
async def job_id(client: aiohttp.ClientSession, script: Script, bearer: Headers) -> str:
    """A job of `user`, completed."""
    made = await upload(client, script, bearer)
    async with client.get(f"/scripts/analysis-progress/{made}", headers=bearer) as reply:
        assert (await read_stream(reply)).statuses[-1] == "completed"
    return made


async def ticket_for(client: aiohttp.ClientSession, job_id: str, headers: Headers) -> dict[str, str]:
    async with client.post(f"/jobs/{job_id}/ticket", headers=headers) as reply:
        body = await reply.json()
        assert (reply.status, body["expires_in"], reply.headers["Cache-Control"]) == (200, 60, "no-store")
        return {"ticket": body["ticket"]}


async def read(client: aiohttp.ClientSession, path: str, **sent: Any) -> tuple[int, str]:
    """Status, and the problem's code where it is one; of a stream that begins no more than that."""
    async with client.get(path, **sent) as reply:
        problem = reply.content_type == "application/problem+json"
        return reply.status, (await reply.json())["code"] if problem else ""


@pytest.mark.parametrize("path", READS)
class TestReading:
    async def test_by_its_learner_an_operator_or_a_ticket(
        self, client: aiohttp.ClientSession, settings: Settings, bearer: Headers, job_id: str, path: str
    ) -> None:
        operator = await bearer_of(settings, await ensure_user("operator@example.com", admin=True))
        for headers in (bearer, operator):
            assert await read(client, f"{path}/{job_id}", headers=headers) == (200, "")
            assert await read(client, f"{path}/{job_id}", params=await ticket_for(client, job_id, headers)) == (200, "")

    async def test_by_anybody_else_is_as_if_there_was_no_such_job(
        self, client: aiohttp.ClientSession, settings: Settings, bearer: Headers, job_id: str, path: str
    ) -> None:
        stranger = await bearer_of(settings, await make_user())
        for asked in (job_id, NOBODYS, "no-id"):
            assert await read(client, f"{path}/{asked}", headers=stranger) == (404, "job_not_found")
            assert await read(client, f"{path}/{asked}") == (401, "token_missing")

    async def test_by_a_ticket_that_does_not_hold(
        self, client: aiohttp.ClientSession, settings: Settings, bearer: Headers, script: Script, job_id: str, path: str
    ) -> None:
        another = await upload(client, script, bearer)
        of_another = await ticket_for(client, another, bearer)
        assert await read(client, f"{path}/{job_id}", params=of_another) == (404, "job_not_found")
        user = await make_user()
        ended = Caller(user_id=user.id, session_id=await open_session(user.id), token_id="t")
        ticket = mint_ticket(settings, caller=ended, job_id=job_id)
        assert await read(client, f"{path}/{job_id}", params={"ticket": ticket}) == (404, "job_not_found")
        await end_session(ended.session_id)
        assert await read(client, f"{path}/{job_id}", params={"ticket": ticket}) == (401, "token_invalid")
        for nonsense in ("", "x.y.z", ticket[:-8]):
            assert await read(client, f"{path}/{job_id}", params={"ticket": nonsense}) == (401, "token_invalid")

    async def test_of_a_job_that_nobody_was_signed_in_for_takes_its_id(
        self, client: aiohttp.ClientSession, settings: Settings, script: Script, path: str
    ) -> None:
        job_id = await upload(client, script)
        assert await read(client, f"{path}/{job_id}") == (200, "")
        stranger = await bearer_of(settings, await make_user())
        assert await read(client, f"{path}/{job_id}", headers=stranger) == (200, "")


async def test_a_ticket_is_good_for_a_minute(
    client: aiohttp.ClientSession, settings: Settings, bearer: Headers, job_id: str
) -> None:
    caller = verify(settings, bearer["Authorization"].removeprefix("Bearer "))
    now = time.time()
    for age, answer in ((64, (200, "")), (66, (401, "token_expired"))):
        with time_machine.travel(now - age):
            ticket = mint_ticket(settings, caller=caller, job_id=job_id)
        assert await read(client, f"/scripts/analysis-progress/{job_id}", params={"ticket": ticket}) == answer


async def test_tickets_are_given_to_those_who_may_read(
    client: aiohttp.ClientSession, settings: Settings, user: User, job_id: str
) -> None:
    stranger = await bearer_of(settings, await make_user())
    for asked in (job_id, NOBODYS):
        async with client.post(f"/jobs/{asked}/ticket", headers=stranger) as reply:
            assert (reply.status, (await reply.json())["code"]) == (404, "job_not_found")
    async with client.post(f"/jobs/{job_id}/ticket") as reply:
        assert (reply.status, (await reply.json())["code"]) == (401, "token_missing")


async def test_each_kind_of_token_opens_its_own_door_only(
    client: aiohttp.ClientSession, stack: Stack, bearer: Headers, job_id: str
) -> None:
    tokens = {
        "access": bearer["Authorization"].removeprefix("Bearer "),
        "ticket": (await ticket_for(client, job_id, bearer))["ticket"],
        "google": await id_token(stack, somebody()),
    }
    doors: dict[str, Callable[[str], Any]] = {
        "access": lambda token: client.get("/auth/me", headers={"Authorization": f"Bearer {token}"}),
        "access, to refresh": lambda token: client.post("/auth/refresh", headers={"Authorization": f"Bearer {token}"}),
        "ticket": lambda token: client.get(f"/scripts/analysis-result/{job_id}", params={"ticket": token}),
        "google": lambda token: client.post("/auth/google", json={"id_token": token}),
    }
    for door, knock in doors.items():
        for kind, token in tokens.items():
            async with knock(token) as reply:
                refused = 400 if door == "google" else 401
                assert reply.status == (200 if door.startswith(kind) else refused), (kind, door)


async def test_a_ticket_is_written_down_nowhere(client: aiohttp.ClientSession, bearer: Headers, job_id: str) -> None:
    sent = await ticket_for(client, job_id, bearer)
    with structlog.testing.capture_logs() as lines:
        for path in READS:
            async with client.get(f"{path}/{job_id}", params=sent) as reply:
                assert reply.status == 200
                assert reply.headers["Referrer-Policy"] == "no-referrer"
        async with client.get(f"/scripts/analysis-result/{NOBODYS}", params=sent) as reply:
            assert sent["ticket"] not in await reply.text()
        async with client.get("/metrics") as reply:
            assert sent["ticket"] not in await reply.text()
    assert len([line for line in lines if line["event"] == "request"]) == 6
    assert sent["ticket"] not in json.dumps(lines, default=str)


async def test_a_stream_is_looked_at_anew_after_a_while(
    client: aiohttp.ClientSession,
    script: Script,
    bearer: Headers,
    analysis: Control,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jobs, "UNCHECKED_SECONDS", 0.4)
    await analysis.behave("never")
    job_id = await upload(client, script, bearer)
    async with asyncio.timeout(10), client.get(f"/scripts/analysis-progress/{job_id}", headers=bearer) as reply:
        told = await read_stream(reply)
    assert told.messages
    assert told.statuses[-1] == "processing", "a stream without an end is one to come back to"


async def test_a_result_is_for_its_reader_alone(
    client: aiohttp.ClientSession, bearer: Headers, user: User, job_id: str
) -> None:
    video = await make_attempt(user, kind="youtube", status="failed", state="failed")
    for path in (f"/tokens/batch-progress?job_ids={job_id}", f"/youtube/process-status/{video}"):
        async with client.get(path, headers=bearer) as reply:
            assert (reply.status, reply.headers["Cache-Control"]) == (200, "private, no-cache")
            assert "Authorization" in reply.headers["Vary"]
    async with client.get(f"/scripts/analysis-result/{job_id}", headers=bearer) as reply:
        assert reply.headers["Cache-Control"] == "private, no-cache"
        assert "Authorization" in reply.headers["Vary"]
        assert (await reply.json()).keys() == {
            "job_id", "token_id", "status", "progress", "result", "message", "created_at",
        }  # fmt: skip
