"""Who gets what: every route with an id is tried by nobody, somebody else, the owner and an operator.

The routes come from the OpenAPI document, what each caller gets from the table below; a route that is not in it fails.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from models.dubbing_result import DubbingResult
from models.user import User, ensure_user
from models.video_request import Review, VideoRequest
from tests.factories import bearer_of, make_attempt, make_script, make_user
from tests.web.conftest import form, recording
from web.app import CONTRACTS
from web.openapi import document
from yousync.settings import Settings

Ids = Mapping[str, object]
Make = Callable[[User], Awaitable[Ids]]

UNKNOWN: Ids = {"job_id": "0" * 32, "query": "nobody-is-called-so", "category": "none", "stage": "upload"}
"""What names nothing; numbers are 2147483647."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The object a route is about, made for its owner, and the status that each caller gets, in this order."""

    make: Make
    nobody: int
    other: int
    owner: int
    admin: int
    sent: Mapping[str, Any] = field(default_factory=dict)  # a field whose value is its name is given that id
    everybodys: bool = False  # what the owner is told is no secret


def public(make: Make, status: int = 200) -> Row:
    """The same for all."""
    return Row(make=make, nobody=status, other=status, owner=status, admin=status, everybodys=True)


def personal(make: Make, owner: int, others: int) -> Row:
    """Something of one's own under an id that others may use too, or may not know of; operators are nobody special."""
    return Row(make=make, nobody=401, other=others, owner=owner, admin=others)


def operators(make: Make, admin: int = 200, **sent: Any) -> Row:
    """Not even for the owner."""
    return Row(make=make, nobody=401, other=403, owner=403, admin=admin, sent=sent or {"reason": "tried out"})


async def attempt(owner: User) -> Ids:
    """A clip, one of its sentences, and a completed attempt at it."""
    script = await make_script()
    job_id = await make_attempt(owner, script)
    return {"token_id": script.token_id, "script_id": script.id, "job_id": job_id, "query": "Actor", "category": "a"}


async def rejected(owner: User) -> Ids:
    """A request for a video that was turned down."""
    asked = await VideoRequest.create(
        user=owner, actor="a", content="c", url="https://youtu.be/dQw4w9WgXcQ", status=Review.REJECTED
    )
    return {"request_id": asked.id}


async def stage(_owner: User) -> Ids:
    """A stage of the engine."""
    return {"stage": "clean"}


async def video(owner: User) -> Ids:
    """A video that was made into clips."""
    return {"job_id": await make_attempt(owner, kind="youtube", status="failed", state="failed")}


async def dubbing(owner: User) -> Ids:
    """A clip that was dubbed."""
    script = await make_script()
    job_id = await make_attempt(owner, script, kind="synthesis", script_id=None, result=None)
    await DubbingResult.create(user=owner, token_id=script.token_id, job_id=job_id, s3_key="user_Dubbing_auido/x.wav")
    return {"token_id": script.token_id, "job_id": job_id}


TIMES: dict[str, Any] = {"start_time": 0, "end_time": 30}
CLIP: dict[str, Any] = TIMES | {
    "token_name": "The bridge",
    "actor_name": "Ada Park",
    "youtube_url": "https://youtu.be/dQw4w9WgXcQ",
}


TABLE: dict[str, Row] = {
    # The catalogue is everybody's.
    "GET /tokens/category/{category}": public(attempt),
    "GET /tokens/{token_id}": public(attempt),
    "PUT /tokens/{token_id}": operators(attempt, **CLIP),
    "DELETE /tokens/{token_id}": operators(attempt),
    "GET /tokens/{token_id}/related": public(attempt, 404),
    "POST /tokens/{token_id}/view": public(attempt),
    "GET /scripts/{script_id}": public(attempt),
    "PUT /scripts/{script_id}": operators(attempt, token_id="token_id", script="We cross", words=[], **TIMES),
    "DELETE /scripts/{script_id}": operators(attempt),
    "GET /scripts/token/{token_id}": public(attempt),
    "GET /actors/search/{query}": public(attempt),
    "GET /actors/{query}": public(attempt),
    # Recordings: a job's id is a capability (STRICT_JOB_ACCESS has tests of its own).
    "POST /tokens/{token_id}/upload-audio": personal(attempt, 202, 202),
    "POST /scripts/{script_id}/upload-audio": public(attempt, 202),
    "GET /tokens/analysis-result/{job_id}": public(attempt),
    "GET /scripts/analysis-result/{job_id}": public(attempt),
    "GET /tokens/analysis-progress/{job_id}": public(attempt),
    "GET /scripts/analysis-progress/{job_id}": public(attempt),
    "GET /youtube/process-status/{job_id}": public(video),
    "GET /youtube/process-progress/{job_id}": public(video),
    "POST /jobs/{job_id}/ticket": Row(make=attempt, nobody=401, other=404, owner=200, admin=200),
    # Dubbings. Nobody has recorded anything of that clip but its owner, and it has no background.
    "POST /synthesize/{token_id}": personal(attempt, 404, 404),
    "GET /synthesize/jobs/{job_id}": personal(dubbing, 200, 404),
    "GET /synthesize/jobs/{job_id}/progress": public(dubbing),
    "GET /tokens/{token_id}/latest-dubbing": personal(dubbing, 200, 404),
    "GET /tokens/{token_id}/user-audios": personal(attempt, 200, 200),
    # My page: everybody has their own under a clip's id.
    "GET /mypage/tokens/{token_id}/analysis-status": personal(attempt, 200, 200),
    "DELETE /mypage/tokens/{token_id}/my-results": personal(attempt, 204, 404),
    "DELETE /mypage/bookmarks/{token_id}": personal(attempt, 204, 204),
    "GET /score/{token_id}/score": personal(attempt, 200, 404),
    "DELETE /request/{request_id}": personal(rejected, 200, 404),
    "PATCH /request/{request_id}/status": operators(rejected, status=Review.APPROVED),
    # Operators.
    "GET /admin/jobs/{job_id}": operators(attempt),
    "GET /admin/jobs/{job_id}/events": operators(attempt),
    "POST /admin/jobs/{job_id}/retry": operators(attempt, 409),
    "POST /admin/jobs/{job_id}/cancel": operators(attempt, 409),
    "POST /admin/jobs/{job_id}/accept-late-result": operators(attempt, 409),
    "POST /admin/jobs/{job_id}/delete": operators(attempt, 202),
    "POST /admin/stages/{stage}/pause": operators(stage),
    "POST /admin/stages/{stage}/resume": operators(stage),
}

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in document(CONTRACTS)["paths"].items()
    for method, operation in methods.items()
}
OPERATORS_ONLY = sorted(route for route, each in OPERATIONS.items() if each.get("security") == [{"bearer": ["admin"]}])


def test_every_route_with_an_id_is_in_the_table() -> None:
    assert set(TABLE) == {route for route in OPERATIONS if "{" in route}, "add each to TABLE: one line"


@dataclass(frozen=True)
class Cast:
    """Everybody's headers, and the owner, to whom things belong."""

    owner: User
    headers: Mapping[str, dict[str, str]]


@pytest_asyncio.fixture(scope="module")
async def cast(app: web.Application, settings: Settings) -> Cast:
    owner, other = await make_user("Owner"), await make_user()
    known = {"owner": owner, "other": other, "admin": await ensure_user("admin@example.com", admin=True)}
    headers = {name: await bearer_of(settings, user) for name, user in known.items()}
    return Cast(owner, {"nobody": {}, **headers})


async def ask(
    client: aiohttp.ClientSession, route: str, ids: Ids, headers: dict[str, str], sent: Mapping[str, Any]
) -> tuple[int, str, dict[str, Any]]:
    """Status, body, and the body as a problem without what differs from request to request."""
    method, _, template = route.partition(" ")
    path = re.sub(r"{(\w+)}", lambda found: str(ids.get(found[1], 2**31 - 1)), template)
    body = {name: ids.get(name) if value == name else value for name, value in sent.items()}
    how: dict[str, Any] = {"data": form(recording())} if path.endswith("upload-audio") else {"json": body}
    if method == "GET":
        how = {}
    async with client.request(method, path, headers=headers, **how) as response:
        text = "" if path == "/admin/events" and response.ok else await response.text()  # that one has no end
        problem = await response.json(content_type=None) if response.content_type.endswith("+json") else {}
        return response.status, text, {k: v for k, v in problem.items() if k not in ("request_id", "instance")}


@pytest.mark.parametrize("route", sorted(TABLE))
async def test_each_caller_gets_what_is_theirs(client: aiohttp.ClientSession, cast: Cast, route: str) -> None:
    row = TABLE[route]
    ids = await row.make(cast.owner)
    secrets = {str(ids.get("job_id", cast.owner.email)), cast.owner.email}
    for name, expected in (("nobody", row.nobody), ("other", row.other), ("owner", row.owner), ("admin", row.admin)):
        status, text, problem = await ask(client, route, ids, cast.headers[name], row.sent)
        assert status == expected, (name, text)
        if name == "other" and status < 400 and not row.everybodys:
            assert not any(secret in text for secret in secrets), text
        if name == "other" and status == 404 and row.owner < 400:  # hidden, not missing
            unknown = await ask(client, route, UNKNOWN, cast.headers[name], row.sent)
            assert (status, problem) == (unknown[0], unknown[2])


@pytest.mark.parametrize("route", OPERATORS_ONLY)
async def test_operators_routes_are_for_operators_alone(client: aiohttp.ClientSession, cast: Cast, route: str) -> None:
    """The role comes first: before the id is looked up, and before the body is read."""
    answers = {
        name: (await ask(client, route, UNKNOWN, cast.headers[name], {}))[0] for name in ("nobody", "other", "admin")
    }
    assert (answers["nobody"], answers["other"]) == (401, 403)
    assert answers["admin"] not in (401, 403)
