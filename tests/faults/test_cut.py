"""A connection breaks after the request had its effect and before its reply came: nothing is lost, nothing done twice.

Each request that changes something outside a process is cut once; with FAULTS=all also several times in a row.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from tests.faults.chance import ALL, some
from tests.faults.ground import Ground, moved, runs
from tests.faults.plays import Batch, Play, Recording, Video
from tests.faults.proxy import Proxy, proxied
from tests.faults.queue import beside_a_queue, queueing
from tests.processes import WorkerProcess
from tests.waiting import until
from yousync.job import State

PARTS = {
    "valkey": ("redis_url",),
    "postgres": ("database_url",),
    "s3": ("aws_endpoint_url_s3",),
    "standin": ("target_server_url", "preprocess_server_url"),
    "queue": ("aws_endpoint_url_sqs", "sqs_queue_url"),
}
"""Which settings say where a part is."""
_ONCE: dict[str, Any] = {"analysis_status_url": None, "analysis_idempotent": False}
WORKERS: dict[str, dict[str, Any]] = {
    "looks up": {},
    "asks again": {"analysis_status_url": None},
    "asks once": _ONCE,
    "asks by queue": _ONCE | {"use_sqs_queue": True},
}
"""What a worker does about a request that may have been taken, and the settings that make it."""


def command(name: str) -> bytes:
    """A command of record.lua, as it goes over the wire."""
    return rb"yousync:\r\n\$\d+\r\n%b\r\n" % name.encode()


def move(name: str) -> bytes:
    """A move of a record."""
    return rb'"move":"%b"' % name.encode()


def bound(state: str) -> bytes:
    """The row of a job in this state: a statement's parameters, each behind its length."""
    return rb"\x00\x00\x00%c%b" % (len(state), state.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The reply to the `nth` such request gets lost, and of those after it where `most` can be in a row.

    `counted` where it is a failure of the job's own, which uses up a try.
    """

    name: str
    part: str
    pattern: bytes
    nth: int = 1
    most: int = 2  # a client sends a command again at once; what went through is not asked for a third time
    counted: bool = False
    worker: str = "looks up"
    play: Play = field(default_factory=Recording)


ANALYSIS: dict[str, Any] = {"name": "analysis", "part": "standin", "pattern": rb"POST /analyze"}
CUTS = (
    Cut(name="accept", part="valkey", pattern=command("accept")),
    Cut(name="claim to upload", part="valkey", pattern=command("claim")),
    Cut(name="claim to persist", part="valkey", pattern=command("claim"), nth=2),
    Cut(name="finish, and claim to submit", part="valkey", pattern=move("finish")),
    Cut(name="ask", part="valkey", pattern=move("ask")),
    Cut(name="wait", part="valkey", pattern=move("wait")),
    Cut(name="deliver", part="valkey", pattern=command("deliver")),
    Cut(name="conclude", part="valkey", pattern=command("conclude")),
    Cut(name="row accepted", part="postgres", pattern=bound("accepted"), most=3),
    Cut(name="row concluded", part="postgres", pattern=bound("completed"), most=3),
    Cut(name="audio", part="s3", pattern=rb"PUT /", most=3),
    Cut(**ANALYSIS, counted=True, most=1),
    Cut(**ANALYSIS, counted=True, worker="asks again"),
    Cut(**ANALYSIS, most=1, worker="asks once"),
    Cut(name="batch", part="valkey", pattern=command("accept_all"), play=Batch()),
    Cut(name="queue", part="queue", pattern=rb"AmazonSQS\.SendMessage", most=1, worker="asks by queue", play=Batch()),
    Cut(name="video", part="standin", pattern=rb"POST /process", most=1, play=Video()),
)
TIMES = 3 if ALL else 1
Employ = Callable[[str], Awaitable[None]]


@pytest_asyncio.fixture(scope="module")
async def proxies(ground: Ground) -> AsyncIterator[dict[str, Proxy]]:
    """A proxy before each part."""
    async with AsyncExitStack() as stack:
        ports: dict[str, int] = {name: vars(ground.stack.parts[name])["port"] for name in PARTS if name != "queue"}
        ports["queue"] = await stack.enter_async_context(queueing(ground.settings.target_server_url))
        yield {name: await stack.enter_async_context(proxied(port)) for name, port in ports.items()}


@pytest_asyncio.fixture(scope="module")
async def roundabout(ground: Ground, proxies: dict[str, Proxy]) -> AsyncIterator[Ground]:
    """The ground with a web process that reaches everything by way of the proxies."""
    ground = beside_a_queue(ground, proxies["queue"].upstream)
    changes: dict[str, Any] = {"analysis_wait_seconds": 20.0, "preprocess_wait_seconds": 20.0}
    for name, settings in PARTS.items():
        for setting in settings:
            value = getattr(ground.settings, setting)
            if isinstance(value, SecretStr):
                changes[setting] = SecretStr(proxies[name].instead(value.get_secret_value()))
            else:
                changes[setting] = proxies[name].instead(value)
    changed = replace(ground, settings=ground.settings.model_copy(update=changes))
    await ground.clear()
    web = changed.web(with_worker=False)
    await web.start()
    yield changed
    await web.stop()


@pytest_asyncio.fixture(scope="module")
async def employ(roundabout: Ground) -> AsyncIterator[Employ]:
    """Sees to it that a worker of this kind runs, and no other."""
    running: dict[str, WorkerProcess] = {}

    async def employed(kind: str) -> None:
        for other in running.keys() - {kind}:
            await running.pop(other).stop()
        if kind not in running:
            settings = roundabout.settings.model_copy(update=WORKERS[kind])
            running[kind] = replace(roundabout, settings=settings).worker()
            await running[kind].start()

    yield employed
    for part in running.values():
        await part.stop()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("cut", "times"),
    [
        pytest.param(cut, times, id=f"{cut.name}, {cut.worker}, {times}")
        for cut in some("cuts", CUTS, 5)
        for times in range(1, min(TIMES, cut.most) + 1)
    ],
)
async def test_a_lost_reply_loses_nothing(
    ground: Ground, proxies: dict[str, Proxy], employ: Employ, cut: Cut, times: int
) -> None:
    await ground.clear()
    await employ(cut.worker)
    await ground.analysis.behave("hold", **cut.play.answer(ground))
    await ground.deps.store.prune()  # Valkey knows the script: it needs not ask for it, and that reply is none to lose
    proxy = proxies[cut.part]
    proxy.cut(cut.pattern, nth=cut.nth, times=times)
    jobs = await cut.play.begin(ground, 700, tries=times + 1)
    await until(lambda: moved(ground, "wait", len(jobs)), seconds=60)
    await until(lambda: all_asked(ground, jobs))  # what lies in a queue is asked a moment later
    await ground.analysis.release()
    for job_id in jobs:
        assert (await cut.play.ended(ground, job_id))["status"] == "completed"
    await until(lambda: proxy.cuts == times)
    await cut.play.check(ground, jobs, outcome=State.COMPLETED, retries=times if cut.counted else 0)
    for job_id in jobs:
        assert await runs(ground, job_id) == 1
        assert await ground.analysis.asked(job_id) == (1 + times if cut.worker == "asks again" else 1)


async def all_asked(ground: Ground, jobs: Iterable[str]) -> bool:
    """Whether the analysis server, or the preprocess server, has heard of all these jobs."""
    return all([await ground.analysis.asked(job_id) for job_id in jobs])
