"""What every fault test stands on: children on the session's stack, a client as stubborn as frontends, the evidence."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from jobs.deps import Deps
from jobs.pipeline import Move, legal
from models.analysis_result import AnalysisResult
from models.script import Script
from models.user import User
from tests.factories import bearer_of
from tests.processes import WebProcess, WorkerProcess
from tests.standing_in import Control
from tests.waiting import until
from tests.web.conftest import form, recording
from yousync.job import Job, State
from yousync.local.part import Part
from yousync.local.program import answers
from yousync.local.stack import Stack
from yousync.settings import Settings

PERMANENT = {f"yousync:{name}" for name in ("deployment", "incarnation", "server", "seq", "served", "staged_bytes")}
"""All that Valkey may hold for ever once no job is under way."""
TRIES = 3
"""How often frontends send the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The session's stack, this module's database, and a sentence to record."""

    stack: Stack
    settings: Settings
    deps: Deps
    script: Script
    analysis: Control
    learner: User | None = None
    urls: tuple[str, ...] = ()
    """The web processes where there are several."""

    def web(self, name: str = "web", *, with_worker: bool = True, failpoints: str = "", **how: Any) -> WebProcess:
        """A web process, not started; `failpoints` as yousync.failpoints reads them."""
        return WebProcess(
            self.settings,
            logs=self.stack.logs,
            name=name,
            with_worker=with_worker,
            YOUSYNC_FAILPOINTS=failpoints,
            **how,
        )

    def worker(self, name: str = "worker", *, failpoints: str = "", **how: Any) -> WorkerProcess:
        """A worker process, not started."""
        return WorkerProcess(self.settings, logs=self.stack.logs, name=name, YOUSYNC_FAILPOINTS=failpoints, **how)

    @property
    def url(self) -> str:
        """Where the web process is."""
        return f"http://127.0.0.1:{self.settings.port}"

    async def ready(self) -> str:
        """The first web process that would get traffic from a load balancer, as soon as there is one."""
        urls = self.urls or (self.url,)

        async def found() -> str:
            each = await asyncio.gather(*(answers(f"{url}/readyz") for url in urls))
            return next((url for url, yes in zip(urls, each, strict=True) if yes), "")

        return str(await until(found, seconds=30))

    async def clear(self) -> None:
        """No job anywhere, and an analysis server that behaves."""
        await AnalysisResult.all().delete()
        await self.deps.valkey.flushall()
        await self.analysis.reset()

    async def upload(self, audio: bytes, *, tries: int = TRIES, headers: Mapping[str, str] | None = None) -> str:
        """The job id that a frontend gets: it sends the same bytes up to three times, whoever serves by then."""
        answered: list[str] = []
        for _ in range(tries):
            url = await self.ready()
            try:
                async with (
                    aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=20)) as client,
                    client.post(f"/scripts/{self.script.id}/upload-audio", data=form(audio), headers=headers) as reply,
                ):
                    if reply.status == 202:
                        return str((await reply.json())["job_id"])
                    answered.append(f"{reply.status} {await reply.text()}")
            except (aiohttp.ClientError, TimeoutError) as error:
                answered.append(repr(error))
        raise AssertionError(f"not accepted: {answered}")

    async def post(self, path: str, make: Callable[[], Mapping[str, Any]], *, tries: int = TRIES) -> dict[str, Any]:
        """The reply to what `make` says to send, by a learner who sends it up to three times."""
        answered: list[str] = []
        assert self.learner is not None
        bearer = await bearer_of(self.settings, self.learner)
        for _ in range(tries):
            url = await self.ready()
            try:
                async with (
                    aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=20)) as client,
                    client.post(path, headers=bearer, **make()) as reply,
                ):
                    if reply.status == 202:
                        accepted: dict[str, Any] = await reply.json()
                        return accepted
                    answered.append(f"{reply.status} {await reply.text()}")
            except (aiohttp.ClientError, TimeoutError) as error:
                answered.append(repr(error))
        raise AssertionError(f"not accepted: {answered}")

    async def answer(self, job_id: str, *, path: str = "/scripts/analysis-result") -> dict[str, Any]:
        """What the service tells a client about a job."""
        async with (
            aiohttp.ClientSession(self.url) as client,
            client.get(f"{path}/{job_id}") as reply,
        ):
            assert reply.status == 200, await reply.text()
            told: dict[str, Any] = await reply.json()
            return told

    async def ended(
        self, job_id: str, *, seconds: float = 30.0, path: str = "/scripts/analysis-result"
    ) -> dict[str, Any]:
        """The last answer about a job."""

        async def final() -> dict[str, Any] | None:
            told = await self.answer(job_id, path=path)
            return told if told["status"] not in {"processing", "queued_for_analysis"} else None

        found: dict[str, Any] = await until(final, seconds=seconds)
        return found

    async def concluded(self, job_id: str) -> State:
        """How the job ended, as soon as its record says so, too: clients learn it from its row, a moment earlier."""

        async def final() -> State | None:
            record = await self.deps.store.read(job_id)
            return record.state if record is not None and record.state.final else None

        found: State = await until(final)
        return found

    async def records(self) -> list[Job]:
        """Every record there is."""
        keys = await self.deps.valkey.keys("yousync:job:*")
        found = [await self.deps.store.read(key.decode().removeprefix("yousync:job:")) for key in keys]
        return [job for job in found if job is not None]


async def launch(part: Part) -> None:
    """Start a child that may well die before it is ready."""
    await part.prepare()
    await part.process.spawn(part.command())


async def unfinished(ground: Ground) -> bool:
    """Whether there is a job whose record has not ended."""
    return any(not job.state.final for job in await ground.records())


async def moved(ground: Ground, move: str, jobs: int) -> bool:
    """Whether so many jobs made this move."""
    logs = [await ground.deps.store.events(job.id) for job in await ground.records()]
    return sum(any(event.move == move for event in log) for log in logs) >= jobs


async def check(ground: Ground, audio: dict[str, bytes], *, outcome: State = State.COMPLETED, retries: int = 0) -> None:
    """The invariants, for the jobs that were promised (id → bytes) and all others that came to be.

    `retries` is how many failures of their own the jobs may have counted; a crash adds none.
    """
    await until(lambda: all_ended(ground))
    jobs = {job.id: job for job in await ground.records()}
    assert set(audio) <= set(jobs), "a job that was promised has no record"
    assert len(jobs) == len(audio), "an upload sent again became another job"
    assert await AnalysisResult.all().count() == len(audio), "one row a job"
    for job in jobs.values():
        row = await AnalysisResult.get(job_id=job.id)
        adopted = row.history[0]["move"] == Move.ADOPT
        ends = (job.state, row.state, row.run)
        assert ends == (outcome, outcome, 2 if adopted else 1), f"{ends}: {row.history}"
        assert (row.result is not None) == (outcome is State.COMPLETED)
        assert row.attempts <= ground.settings.analysis_asks
        counted = [event for event in row.history if event["move"] == Move.RETRY]
        assert len(counted) <= retries, f"a crash burned a try: {counted}"
        legal_path(row)
        if job.kind.recorded:
            await stored_once(ground, job, audio[job.id])
    await until(lambda: nothing_left(ground))
    assert int(await ground.deps.valkey.get("yousync:staged_bytes") or 0) == 0


def legal_path(row: AnalysisResult) -> None:
    """The log kept in Postgres leads from the upload to its end, step by step."""
    history = row.history
    first = 1 if history[0]["move"] == Move.ACCEPT else 2  # a record made anew goes on after its row
    assert [event["version"] for event in history] == list(range(first, first + len(history))), "a gap in the log"
    before = ""
    for event in history:
        assert event["source"] == before, event
        source = State(before) if before else None
        assert legal(Move(event["move"]), source, State(event["target"])), event
        before = event["target"]
    assert before == row.state


async def stored_once(ground: Ground, job: Job, audio: bytes) -> None:
    """Its audio is in S3, whole and once, and nothing half-way beside it."""
    client, bucket = ground.deps.storage._client, ground.deps.storage.bucket
    listed = await client.list_objects_v2(Bucket=bucket, Prefix=f"audio/{job.id}")
    keys = [found["Key"] for found in listed.get("Contents", [])]
    assert keys == [job.s3_key]
    stored = await client.get_object(Bucket=bucket, Key=job.s3_key)
    async with stored["Body"] as body:
        assert await body.read() == audio
    with suppress(client.exceptions.NoSuchUpload):  # rclone's word for none
        assert not (await client.list_multipart_uploads(Bucket=bucket)).get("Uploads")


async def all_ended(ground: Ground) -> bool:
    """Whether no job is under way."""
    return not await unfinished(ground)


async def nothing_left(ground: Ground) -> bool:
    """Whether all that remains goes by itself."""
    return not await lasting(ground)


async def lasting(ground: Ground) -> set[str]:
    """The keys that would stay for ever and should not."""
    valkey = ground.deps.valkey
    keys = [key.decode() async for key in valkey.scan_iter(count=1000)]
    return {key for key in keys if key not in PERMANENT and await valkey.ttl(key) == -1}


SAID: defaultdict[str, list[str]] = defaultdict(list)
"""What was said in each test, by its id."""


def say(line: object) -> None:
    """A line for people who run this with -s, and for the table in the end."""
    SAID[os.environ["PYTEST_CURRENT_TEST"].rpartition(" (")[0]].append(str(line))
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def different(number: int) -> bytes:
    """A recording unlike all others."""
    return recording(seconds=0.2, pitch=150 + number * 0.37)


async def runs(ground: Ground, job_id: str) -> int:
    """How many analyses were begun for this job, by the stand-in's own ledger; every request bore the job's key."""
    requests = await ground.analysis.requests(job_id)
    assert all(request["idempotency_key"] == job_id for request in requests)
    return await ground.analysis.runs(job_id)


def recorded(file: Path) -> list[str]:
    """The failpoints passed so far, in order."""
    return file.read_text().split() if file.exists() else []
