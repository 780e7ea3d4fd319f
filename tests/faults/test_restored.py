"""Valkey comes back as it was some time ago, from a copy of its append-only file: what has ended since stays ended."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from jobs.pipeline import Move
from models.analysis_result import AnalysisResult
from tests.faults.chance import ALL, some
from tests.faults.ground import Ground, different, legal_path, moved, nothing_left
from tests.processes import running
from tests.waiting import until
from tests.web.following import follow
from yousync.job import State
from yousync.local.valkey import Valkey

JOBS = 10 if ALL else 2
"""How many of each sort."""


@dataclass
class Backup:
    """A copy of a Valkey's append-only file."""

    valkey: Valkey
    copy: Path

    @property
    def _live(self) -> Path:
        return self.valkey.folder / "appendonlydir"

    def take(self) -> None:
        shutil.copytree(self._live, self.copy)

    async def restore(self) -> None:
        """The server dies, loses what it had, and starts from the copy."""
        await self.valkey.kill()
        shutil.rmtree(self._live)
        shutil.copytree(self.copy, self._live)
        await self.valkey.start()


@dataclass
class Clients:
    """They look at jobs that they know to have ended, again and again; what they were told."""

    ground: Ground
    job_ids: list[str]
    told: Counter[str] = field(default_factory=Counter)

    async def look(self) -> None:
        for job_id in self.job_ids:
            try:
                async with aiohttp.ClientSession(self.ground.url) as client:
                    async with client.get(f"/scripts/analysis-result/{job_id}") as reply:
                        if reply.status != 200:
                            self.told[str(reply.status)] += 1
                            continue
                        self.told[(await reply.json())["status"]] += 1
                    stream = await follow(client, job_id)
                    self.told.update(stream.statuses)
            except (aiohttp.ClientError, AssertionError):
                self.told["nothing"] += 1  # Valkey or the web process is away: no answer is no wrong one

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """They do so while inside."""
        over = False

        async def looked() -> bool:
            await self.look()
            return over

        task = asyncio.create_task(until(looked, seconds=120))
        try:
            yield
        finally:
            over = True
            await task


async def uploaded(ground: Ground, number: int) -> list[str]:
    return [await ground.upload(different(11_000 + number + each)) for each in range(JOBS)]


async def completed(ground: Ground, job_ids: list[str]) -> None:
    for job_id in job_ids:
        assert (await ground.ended(job_id))["status"] == "completed"


async def asked(ground: Ground, job_ids: list[str]) -> list[int]:
    return [await ground.analysis.asked(job_id) for job_id in job_ids]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("restarted", some("restored", [False, True], 1))
async def test_what_ended_since_the_backup_stays_ended(ground: Ground, tmp_path: Path, *, restarted: bool) -> None:
    valkey, s3 = ground.stack.parts["valkey"], ground.stack.parts["s3"]
    assert isinstance(valkey, Valkey)
    backup = Backup(valkey, tmp_path / "copy")
    await ground.clear()
    roomy = {"analysis_wait_seconds": 120.0, "analysis_max_in_flight": 100}
    ground = replace(ground, settings=ground.settings.model_copy(update=roomy))
    service = ground.web()
    async with running(service):
        ended = await uploaded(ground, 0)
        await completed(ground, ended)
        await ground.analysis.behave("hold")
        ended_since, unfinished = await uploaded(ground, 100), await uploaded(ground, 200)
        await until(lambda: standing(ground, State.WAITING, 2 * JOBS))
        await s3.kill()
        staged = await uploaded(ground, 300)
        await until(lambda: moved(ground, "hold", 1))

        backup.take()

        await s3.start()
        await until(lambda: standing(ground, State.WAITING, 3 * JOBS))
        unheard_of = await uploaded(ground, 400)
        await until(lambda: standing(ground, State.WAITING, 4 * JOBS))
        ended += ended_since + staged
        await ground.analysis.release([*ended_since, *staged])
        await completed(ground, ended)
        before = await asked(ground, ended)
        # Their records are lost with no row old enough to be missed: for the reconciler they have to be.
        await AnalysisResult.filter(job_id__in=unheard_of).update(created_at=datetime(2020, 1, 1, tzinfo=UTC))

        clients = Clients(ground, ended)
        async with clients.looking():
            if restarted:
                await service.stop()
            await backup.restore()
            if restarted:
                await service.start()
            await until(lambda: _checked(ground), seconds=30)
            await ground.analysis.release()
            await completed(ground, unfinished)
            if restarted:  # else it takes the reconciler its minute
                await completed(ground, unheard_of)
        assert clients.told["completed"] > 0
        assert not clients.told["processing"] + clients.told["failed"], clients.told
        assert await asked(ground, ended) == before, "a finished job ran again"
        await until(lambda: nothing_left(ground))
        assert int(await ground.deps.valkey.get("yousync:staged_bytes") or 0) == 0
    for job_id in ended + unfinished + (unheard_of if restarted else []):
        row = await AnalysisResult.get(job_id=job_id)
        adopted = row.history[0]["move"] == Move.ADOPT
        assert adopted == (job_id in unheard_of)
        assert (row.state, row.run) == (State.COMPLETED, 2 if adopted else 1)
        legal_path(row)


async def standing(ground: Ground, state: State, jobs: int) -> bool:
    """Whether so many jobs are in this state."""
    return sum(job.state is state for job in await ground.records()) == jobs


async def _checked(ground: Ground) -> bool:
    """Whether the records were held against their rows."""
    server = (await ground.deps.valkey.info("server"))["run_id"]
    return bool(await ground.deps.valkey.get("yousync:server") == server.encode())
