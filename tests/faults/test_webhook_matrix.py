"""Every moment at which a webhook may come, and everything it may hold: what is answered, and what becomes of the job.

Whatever a webhook does not end, the right result ends afterwards.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from jobs.identity import identify
from jobs.ops import By, Ops
from jobs.pipeline import Move
from models.analysis_result import AnalysisResult
from tests.faults.ground import Ground, different, legal_path, moved, nothing_left
from tests.processes import running
from tests.waiting import until
from yousync import webhooks
from yousync.job import State

GOOD: dict[str, Any] = {"result": {"overall_score": 0.9, "word_analysis": [{"word": "we"}]}}
FAILURE = {"status": "failed", "error": {"code": "no_speech", "message": "silence"}}
HUGE = {"result": {"word_analysis": [], "noise": "x" * 3 * 2**20}}
MALFORMED = b"<html>502 Bad Gateway</html>"
_numbers = count(9600)


async def asked(ground: Ground) -> str:
    """A job that is being asked for: the analysis server has not answered yet."""
    await ground.analysis.plan({"mode": "hold", "reply_delay_s": 5, "count": 1})
    job_id = await ground.upload(different(next(_numbers)))
    await until(lambda: ground.analysis.asked(job_id))
    return job_id


async def waiting(ground: Ground) -> str:
    """A job whose analysis runs."""
    await ground.analysis.behave("hold")
    job_id = await ground.upload(different(next(_numbers)))
    await until(lambda: moved(ground, "wait", 1))
    return job_id


async def parked(ground: Ground) -> str:
    """A job that waited until its deadline, here by setting the clock's next look at it to now."""
    job_id = await waiting(ground)
    await ground.deps.valkey.zadd("yousync:due", {job_id: 0})
    assert await ground.concluded(job_id) is State.PARKED
    assert (await AnalysisResult.get(job_id=job_id)).code == "analysis_timeout"
    return job_id


async def cancelled(ground: Ground) -> str:
    """A job that an operator ended."""
    job_id = await waiting(ground)
    identity = await identify(ground.deps.valkey, ground.deps.settings)
    await Ops(ground.deps, identity).cancel(job_id, by=By(who="mina", why="a test"))
    await ground.concluded(job_id)
    return job_id


async def not_asked(ground: Ground) -> str:
    """A job whose audio cannot be stored yet, so that nobody was asked."""
    await ground.stack.parts["s3"].kill()
    job_id = await ground.upload(different(next(_numbers)))
    await until(lambda: moved(ground, "hold", 1))
    return job_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Webhooks that come one after the other, each once the job stands still, or `times` at once.

    `moves` are those that they make; without any the job is where it was, and still gets its result.
    """

    name: str
    stands: Callable[[Ground], Awaitable[str]] = waiting
    bodies: tuple[Any, ...] = (GOOD,)
    times: int = 1
    token: str | None = None
    codes: set[int]
    state: State = State.COMPLETED
    moves: tuple[str, ...] = ()


OF_WEBHOOKS = {Move.KEEP, Move.DELIVER, Move.LATE}
TABLE = (
    Row(name="before the reply", stands=asked, codes={200}, moves=("deliver",)),
    Row(name="after the reply", codes={200}, moves=("deliver",)),
    Row(name="twice", bodies=(GOOD, GOOD), codes={200}, moves=("deliver",)),
    Row(name="fifty at once", times=50, codes={200}, moves=("deliver",)),
    Row(name="after the deadline", stands=parked, codes={200}, moves=("deliver",)),
    Row(name="before anybody was asked", stands=not_asked, codes={200}, moves=("keep",)),
    Row(name="without its token", token="of another job", codes={401}),
    Row(name="huge", bodies=(HUGE,), codes={413}),
    Row(name="malformed", bodies=(MALFORMED,), codes={400}),
    # Results that contradict an end are kept for operators and change nothing.
    Row(name="ok after error", bodies=(FAILURE, GOOD), codes={200}, state=State.FAILED, moves=("deliver", "late")),
    Row(name="error after ok", bodies=(GOOD, FAILURE), codes={200}, moves=("deliver", "late")),
    Row(name="after it was cancelled", stands=cancelled, codes={200}, state=State.CANCELLED, moves=("late",)),
)


@pytest_asyncio.fixture(scope="module")
async def service(ground: Ground) -> AsyncIterator[Ground]:
    """A service that asks once and waits long."""
    changes = {"analysis_asks": 1, "analysis_wait_seconds": 60.0}
    changed = replace(ground, settings=ground.settings.model_copy(update=changes))
    await ground.clear()
    async with running(changed.web()):
        yield changed


@pytest_asyncio.fixture(autouse=True)
async def cleared(service: Ground) -> AsyncIterator[None]:
    await service.clear()
    yield
    for part in ("s3", "valkey"):
        if not service.stack.parts[part].process.running:
            await service.stack.parts[part].start()


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in TABLE])
async def test_a_webhook(service: Ground, row: Row) -> None:
    job_id = await row.stands(service)
    codes = set()
    for body in row.bodies:
        codes |= set(await asyncio.gather(*(send(service, job_id, body, row.token) for _ in range(row.times))))
        if "deliver" in row.moves:
            await service.concluded(job_id)
    assert codes == row.codes
    made = [event.move for event in await service.deps.store.events(job_id) if event.move in OF_WEBHOOKS]
    assert tuple(made) == row.moves
    await ends(service, job_id, row.state)


async def test_a_webhook_while_valkey_is_away(service: Ground) -> None:
    """Only a durable result is answered 200; whoever sends it tries again."""
    job_id = await waiting(service)
    valkey = service.stack.parts["valkey"]
    await valkey.kill()
    assert await send(service, job_id, GOOD) == 503
    await valkey.start()
    await ends(service, job_id, State.COMPLETED)


async def ends(ground: Ground, job_id: str, state: State) -> None:
    """The job ends as it must: one that still runs once it gets its result, or what it waits for is back."""
    s3 = ground.stack.parts["s3"]
    if not s3.process.running:
        await s3.start()
    elif (await ground.answer(job_id))["status"] == "processing":
        assert await send(ground, job_id, GOOD) == 200
    await ground.ended(job_id)
    row = await AnalysisResult.get(job_id=job_id)
    assert row.state == state
    assert row.overall_score == (0.9 if state is State.COMPLETED else None)
    assert await AnalysisResult.all().count() == 1
    legal_path(row)
    await until(lambda: nothing_left(ground))


async def send(ground: Ground, job_id: str, body: Any, token: str | None = None) -> int:
    """Post a webhook as the analysis server does; how it was answered."""
    query = {"job_id": job_id, "token": token or webhooks.sign(ground.settings, job_id)}
    data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    async with (
        aiohttp.ClientSession(ground.url) as client,
        client.post("/scripts/webhook/analysis-complete", params=query, data=data) as reply,
    ):
        return reply.status
