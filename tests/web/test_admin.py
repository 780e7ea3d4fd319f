"""Operators over HTTP: nobody else gets in, and what they do is done, with who and why in the log."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator
from redis.asyncio import Redis

from jobs import keys
from models.script import Script
from models.user import User, ensure_user
from tests.factories import bearer_of, make_script, make_user
from tests.processes import WebProcess, died, running, terminate
from tests.standing_in import Control
from tests.valkey_command import listeners
from tests.waiting import until
from tests.web.conftest import form, recording
from tests.web.following import read_stream
from web.contract import Endpoint
from web.routes import admin, admin_stages, admin_tail
from web.wiring import DEPS
from yousync.job import Stage
from yousync.local.port import free_port
from yousync.settings import Settings

ENDPOINTS = [*admin.routes.endpoints, *admin_stages.routes.endpoints, *admin_tail.routes.endpoints]
NOBODYS = "0" * 32
_pitch = iter(range(400, 4000, 7))


@pytest_asyncio.fixture(scope="module")
async def operator(app: web.Application) -> User:
    return await ensure_user("operator@example.com", admin=True)


class Api:
    """The operators' API, by somebody's token."""

    def __init__(self, client: aiohttp.ClientSession, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers

    async def ask(self, method: str, path: str, *, status: int = 200, **sent: Any) -> Any:
        """The JSON of an answer with this status."""
        headers = self._headers | sent.pop("headers", {})
        async with self._client.request(method, f"/admin{path}", headers=headers, **sent) as reply:
            assert reply.status == status, await reply.text()
            return await reply.json(content_type=None) if reply.content_length else None

    async def post(self, path: str, *, status: int = 200, reason: str = "tried out", **body: Any) -> Any:
        """`ask` with a body and a reason."""
        return await self.ask("POST", path, status=status, json=body | {"reason": reason})

    async def reaches(self, job_id: str, state: str) -> dict[str, Any]:
        """The job as soon as it is in this state, and no worker is at it any more."""

        async def there() -> Any:
            told = await self.ask("GET", f"/jobs/{job_id}")
            return told if told["state"] == state and not told["worker"] else None

        found: dict[str, Any] = await until(there)
        return found


@pytest_asyncio.fixture
async def api(client: aiohttp.ClientSession, settings: Settings, operator: User) -> Api:
    return Api(client, await bearer_of(settings, operator))


async def upload(client: aiohttp.ClientSession, script: Script) -> str:
    data = form(recording(pitch=next(_pitch)))
    async with client.post(f"/scripts/{script.id}/upload-audio", data=data) as reply:
        assert reply.status == 202
        return str((await reply.json())["job_id"])


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
async def test_nobody_but_an_operator_gets_in(
    client: aiohttp.ClientSession, settings: Settings, endpoint: Endpoint, prefix: str
) -> None:
    path = prefix + re.sub(r"{stage}", "upload", endpoint.path.replace("{job_id}", NOBODYS))
    learner = await make_user()
    gone = await ensure_user("gone@example.com", admin=True)
    former = await bearer_of(settings, gone)
    await User.filter(id=gone.id).update(is_active=False)
    callers: list[tuple[dict[str, str], int, str]] = [
        ({}, 401, "token_missing"),
        ({"Authorization": "Bearer forged"}, 401, "token_invalid"),
        (former, 401, "token_invalid"),
        (await bearer_of(settings, learner), 403, "admin_only"),
    ]
    for headers, status, code in callers:
        async with client.request(endpoint.method, path, headers=headers) as reply:
            assert (reply.status, (await reply.json())["code"]) == (status, code)


async def test_the_document_says_so(client: aiohttp.ClientSession) -> None:
    async with client.get("/openapi.json") as reply:
        spec = await reply.json()
    OpenAPIV31SpecValidator(spec).validate()
    for endpoint in ENDPOINTS:
        operation = spec["paths"][endpoint.path][endpoint.method.lower()]
        assert operation["security"] == [{"bearer": ["admin"]}], endpoint.name
        forbidden = operation["responses"]["403"]["content"]["application/problem+json"]
        assert list(forbidden["examples"]) == ["admin_only"]
    told = {path for path in spec["paths"] if path.startswith("/admin")}
    assert told == {endpoint.path for endpoint in ENDPOINTS}


@pytest.mark.parametrize(("language", "title"), [("ko", "관리자만 사용할 수 있습니다"), ("en", "Operators only")])
async def test_refusals_are_told_in_the_callers_language(
    client: aiohttp.ClientSession, settings: Settings, language: str, title: str
) -> None:
    headers = await bearer_of(settings, await make_user()) | {"Accept-Language": language}
    async with client.get("/admin/jobs", headers=headers) as reply:
        assert (await reply.json())["title"] == title


async def test_a_failed_job_is_found_understood_and_done_again(
    client: aiohttp.ClientSession, api: Api, operator: User, script: Script, analysis: Control
) -> None:
    await analysis.behave("http_400")
    job_id = await upload(client, script)
    await api.reaches(job_id, "failed")
    params = {"state": ["failed", "parked"], "stage": "submit", "younger_than": "10m", "code": "analysis_rejected"}
    page = await api.ask("GET", "/jobs", params=[*params_of(params)])
    assert page["jobs"][0]["job_id"] == job_id
    told = await api.ask("GET", f"/jobs/{job_id}")
    assert (told["code"], told["stage"], told["run"]) == ("analysis_rejected", "submit", 1)
    assert any("400" in event["cause"] for event in told["timeline"])
    async with client.get(told["audio"]["link"]) as reply:
        assert reply.status == 200
        assert (await reply.read())[:4] == b"RIFF"

    await analysis.behave("normal")
    moved = await api.post(f"/jobs/{job_id}/retry", reason="their server was misconfigured")
    assert (moved["job_id"], moved["run"]) == (job_id, 2)
    done = await api.reaches(job_id, "completed")
    restarted = next(event for event in done["timeline"] if event["move"] == "restart")
    assert restarted["actor"] == f"user:{operator.id}"
    assert restarted["cause"] == "their server was misconfigured"
    assert operator.email not in str(done)


def params_of(params: dict[str, Any]) -> list[tuple[str, str]]:
    """Lists as repeated names."""
    pairs = ((name, value if isinstance(value, list) else [value]) for name, value in params.items())
    return [(name, each) for name, values in pairs for each in values]


async def test_a_job_is_followed_from_its_first_event_to_its_last(
    client: aiohttp.ClientSession, settings: Settings, operator: User, script: Script, analysis: Control
) -> None:
    """As `yousync jobs tail` does, and whoever was cut off goes on where that was."""
    await analysis.behave("hold")
    job_id = await upload(client, script)
    headers = await bearer_of(settings, operator)
    async with asyncio.timeout(20):
        async with client.get(f"/admin/jobs/{job_id}/events", headers=headers) as reply:
            assert reply.content_type == "text/event-stream"
            begun = (await read_stream(reply, until=2)).messages
        await until(lambda: analysis.asked(job_id))
        async with client.get(
            f"/admin/jobs/{job_id}/events", headers=headers | {"Last-Event-ID": begun[-1].id}
        ) as reply:
            await analysis.release()
            rest = (await read_stream(reply)).messages
    told = [message.data["event"] | {"id": message.id} for message in (*begun, *rest)]
    assert [line["version"] for line in told] == [int(line["id"]) for line in told] == list(range(1, len(told) + 1))
    assert (told[0]["move"], told[-1]["target"]) == ("accept", "completed")
    assert {message.data["job_id"] for message in (*begun, *rest)} == {job_id}


async def test_nobody_follows_a_job_that_is_not_there(api: Api) -> None:
    for job_id in (NOBODYS, "nonsense"):
        assert (await api.ask("GET", f"/jobs/{job_id}/events", status=404))["code"] == "job_not_found"


async def test_all_jobs_are_followed_until_the_process_ends(
    app: web.Application,
    client: aiohttp.ClientSession,
    settings: Settings,
    operator: User,
    script: Script,
    tmp_path: Path,
) -> None:
    valkey, other = app[DEPS].valkey, WebProcess(settings, logs=tmp_path, port=free_port())
    async with running(other), asyncio.timeout(20):
        await until(lambda: nobody_follows(valkey))
        async with client.get(f"{other.url}/admin/events", headers=await bearer_of(settings, operator)) as reply:
            await until(lambda: listeners(valkey, keys.MOVED))
            job_id = await upload(client, script)
            stream = await read_stream(reply, until=1)
            terminate(other)
            rest = await read_stream(reply)
        assert await died(other) == 0
    moves = [(message.data["job_id"], message.data["event"]["move"]) for message in (*stream.messages, *rest.messages)]
    assert moves[0] == (job_id, "accept")


async def nobody_follows(valkey: Redis) -> bool:
    """Whether Valkey has noticed that those of the tests before have gone."""
    return not await listeners(valkey, keys.MOVED)


async def test_a_running_job_is_ended_and_its_late_result_accepted(
    client: aiohttp.ClientSession, api: Api, script: Script, analysis: Control
) -> None:
    await analysis.behave("never")
    job_id = await upload(client, script)
    await api.reaches(job_id, "waiting")
    early = await api.post(f"/jobs/{job_id}/retry", status=409)
    assert (early["code"], early["title"]) == ("operation_refused", "현재 상태에서는 처리할 수 없습니다")
    await api.post(f"/jobs/{job_id}/cancel")
    await api.reaches(job_id, "cancelled")
    assert (await api.post(f"/jobs/{job_id}/accept-late-result", status=409))["code"] == "operation_refused"
    await analysis.release()

    async def late() -> Any:
        return (await api.ask("GET", f"/jobs/{job_id}"))["late"]

    await until(late)
    await api.post(f"/jobs/{job_id}/accept-late-result")
    assert (await api.reaches(job_id, "completed"))["overall_score"] is not None


async def test_a_deleted_job_is_gone_with_its_audio(
    client: aiohttp.ClientSession, app: web.Application, api: Api, operator: User, script: Script
) -> None:
    job_id = await upload(client, script)
    link = (await api.reaches(job_id, "completed"))["audio"]["link"]
    await api.post(f"/jobs/{job_id}/delete", status=202, reason="the learner asked for it")

    async def gone() -> bool:
        async with client.get(f"/scripts/analysis-result/{job_id}") as mine, client.get(link) as audio:
            return (mine.status, audio.status) == (404, 404)

    await until(gone)
    await until(lambda: is_forgotten(app, job_id))
    told = await api.ask("GET", f"/jobs/{job_id}")
    assert told["deleted_at"]
    assert (told["message"], told["overall_score"], told["audio"]) == ("삭제된 녹음입니다", None, None)
    (erased,) = told["timeline"]
    assert (erased["move"], erased["source"], erased["target"]) == ("erase", "completed", "cleaning")
    assert (erased["actor"], erased["cause"]) == (f"user:{operator.id}", "the learner asked for it")
    assert (await api.post(f"/jobs/{job_id}/delete", status=404))["code"] == "job_not_found"


async def is_forgotten(app: web.Application, job_id: str) -> bool:
    return await app[DEPS].store.read(job_id) is None


@pytest.mark.parametrize("action", ["retry", "cancel", "accept-late-result", "delete"])
async def test_what_is_done_needs_a_reason_and_a_job(api: Api, action: str) -> None:
    unreasoned = await api.ask("POST", f"/jobs/{NOBODYS}/{action}", status=422, json={"reason": ""})
    assert unreasoned["errors"][0]["pointer"] == "/body/reason"
    for job_id in (NOBODYS, "nonsense", "%00"):
        assert (await api.post(f"/jobs/{job_id}/{action}", status=404))["code"] == "job_not_found"


@pytest.mark.parametrize(
    "query", ["state=lost", "stage=analysis", "older_than=yesterday", "limit=0", "limit=many", "cursor=x", "token_id=0"]
)
async def test_nonsense_is_refused(api: Api, query: str) -> None:
    problem = await api.ask("GET", f"/jobs?{query}", status=422)
    assert problem["errors"][0]["pointer"].startswith(f"/query/{query.split('=', maxsplit=1)[0]}")


async def test_pages_go_on_and_too_large_ones_are_clamped(
    client: aiohttp.ClientSession, api: Api, script: Script
) -> None:
    newest = [await upload(client, script) for _ in range(3)][::-1]
    first = await api.ask("GET", "/jobs?limit=2")
    assert [job["job_id"] for job in first["jobs"]] == newest[:2]
    second = await api.ask("GET", f"/jobs?limit=999999&cursor={first['next_cursor']}")
    assert second["jobs"][0]["job_id"] == newest[2]
    assert await api.ask("GET", "/jobs?user=nobody%40example.com") == {"jobs": [], "next_cursor": None}
    for job_id in newest:
        await api.reaches(job_id, "completed")


async def test_many_are_counted_first_and_then_done(
    client: aiohttp.ClientSession, api: Api, operator: User, analysis: Control
) -> None:
    script = await make_script()
    await analysis.behave("never")
    jobs = [await upload(client, script) for _ in range(3)]
    await asyncio.gather(*(api.reaches(job_id, "waiting") for job_id in jobs))
    what: dict[str, Any] = {"action": "cancel", "filter": {"state": ["waiting"], "token_id": script.token_id}}
    dry = await api.post("/jobs/bulk", **what)
    assert dry == {"action": "cancel", "dry_run": True, "matched": 3, "done": [], "refused": []}
    done = await api.post("/jobs/bulk", dry_run=False, reason="the clip is withdrawn", **what)
    assert (done["matched"], sorted(done["done"]), done["refused"]) == (3, sorted(jobs), [])
    for job_id in jobs:
        timeline = (await api.reaches(job_id, "cancelled"))["timeline"]
        by = next(event for event in timeline if event["move"] == "cancel")
        assert (by["actor"], by["cause"]) == (f"user:{operator.id}", "the clip is withdrawn")
    assert (await api.post("/jobs/bulk", dry_run=False, **what))["matched"] == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "delete", "filter": {}}, "/body/filter"),
        ({"action": "delete"}, "/body/filter"),
        ({"action": "delete", "filter": {"sate": ["failed"]}}, "/body/filter/sate"),
        ({"action": "delete", "filter": {"state": ["lost"]}}, "/body/filter/state/0"),
        ({"action": "explode", "filter": {"state": ["failed"]}}, "/body/action"),
    ],
)
async def test_a_vague_order_is_not_carried_out(api: Api, body: dict[str, Any], pointer: str) -> None:
    problem = await api.post("/jobs/bulk", status=422, dry_run=False, **body)
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]


async def test_a_stage_is_paused_and_jobs_stand_before_it(
    client: aiohttp.ClientSession, api: Api, operator: User, script: Script
) -> None:
    gate = await api.post("/stages/submit/pause", reason="it is being moved")
    try:
        assert (gate["paused"], gate["who"], gate["why"]) == (True, f"user:{operator.id}", "it is being moved")
        job_id = await upload(client, script)

        async def held() -> Any:
            return next(gate for gate in await api.ask("GET", "/stages") if gate["stage"] == "submit")["held"] == 1

        await until(held)
        overview = await api.ask("GET", "/stats")
        assert overview["states"]["uploaded"] == 1
        assert overview["oldest_ms"]["uploaded"] <= overview["now_ms"]
        assert [gate["stage"] for gate in overview["gates"]] == [stage.value for stage in Stage]
    finally:
        gate = await api.post("/stages/submit/resume", reason="it has been moved")
    assert not gate["paused"]
    await api.reaches(job_id, "completed")
    assert not any(gate["held"] for gate in await api.ask("GET", "/stages"))
    for action in ("pause", "resume"):
        assert (await api.post(f"/stages/lunch/{action}", status=422))["errors"][0]["pointer"] == "/path/stage"


async def test_all_stages_are_paused_and_opened_at_once(api: Api, operator: User) -> None:
    try:
        paused = await api.post("/stages/pause", reason="the network is worked on")
        assert {gate["stage"]: (gate["paused"], gate["why"]) for gate in paused} == {
            stage.value: (True, "the network is worked on") for stage in Stage
        }
    finally:
        opened = await api.post("/stages/resume", reason="done")
    assert not any(gate["paused"] for gate in opened)
    told = await api.ask("GET", "/stages/log")
    newest = [(event["action"], event["who"], event["why"]) for event in told[: len(Stage)]]
    assert newest == [("resume", f"user:{operator.id}", "done")] * len(Stage)


async def test_drained_when_nobody_is_at_work(
    client: aiohttp.ClientSession, api: Api, script: Script, analysis: Control
) -> None:
    await analysis.behave("normal", reply_delay_s=30)
    job_id = await upload(client, script)
    await until(lambda: analysis.asked(job_id))
    try:
        early = await api.post("/drain", timeout_seconds=0.1)
        assert early["running"] == 1
        assert all(gate["paused"] for gate in early["gates"])
        waiting = asyncio.create_task(api.post("/drain"))
        await api.post(f"/jobs/{job_id}/cancel")
        drained = await waiting
        assert drained["running"] == 0
        assert (await api.post("/drain", status=422, timeout_seconds=3600))["errors"][0]["code"]
    finally:
        await api.post("/stages/resume")
    await api.reaches(job_id, "cancelled")


async def test_the_processes_that_work_are_listed(api: Api) -> None:
    workers = await until(lambda: api.ask("GET", "/workers"))
    assert [worker["pid"] for worker in workers] == [os.getpid()]
