"""Commands that are sent twice, as a client does whose first reply was lost, are done once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as ValkeyConnectionError
from typing_extensions import override

from jobs import keys
from jobs.deps import Deps
from jobs.engine import Engine
from jobs.identity import Identity
from jobs.ops import Ops
from jobs.outcomes import Concluded
from jobs.pipeline import MOVES, Move
from jobs.script import Script
from jobs.stages.persist import persist
from jobs.store import Due, Store
from jobs.worker import working
from tests.jobs.bringing import bring, claimed, read
from tests.jobs.conftest import Accept
from tests.jobs.test_ops import LATE, ME, completed, put
from tests.standing_in import Control
from yousync.job import Stage, State


class Echo(Script):
    """Sends every command twice."""

    @override
    async def run(self, command: str, body: bytes = b"", **arguments: Any) -> list[Any]:
        def send() -> Awaitable[list[Any]]:
            return super(Echo, self).run(command, body, **arguments)

        self.again: Callable[[], Awaitable[list[Any]]] = send
        await send()
        return await send()


@pytest.fixture
def echo(emptied: Deps) -> Deps:
    store = Store(emptied.valkey, emptied.valkey, emptied.settings)
    store.script = Echo(emptied.valkey, emptied.settings)
    store._run = store.script.run
    return replace(emptied, store=store)


@pytest.fixture
def twice(echo: Deps, identity: Identity) -> Ops:
    return Ops(echo, identity)


async def test_a_move_is_not_made_under_the_claim_of_whoever_came_since(echo: Deps, accept: Accept) -> None:
    assert isinstance(echo.store.script, Echo)
    held = await bring(echo, await accept(), State.SUBMITTING)
    waits = await echo.store.move(held, Move.WAIT, due=Due(seconds=600))
    again = echo.store.script.again
    assert (await again())[0] == b"moved"
    asking = await claimed(echo, waits)
    assert (await again())[0] == b"fenced"
    asked = await echo.store.move(asking, Move.ASK, keep_claim=True)
    again = echo.store.script.again
    assert (await again())[0] == b"moved"
    await claimed(echo, asked)
    assert (await again())[0] == b"fenced"


async def test_audio_that_is_staged_again_keeps_the_time_that_acceptance_gave_it(emptied: Deps, accept: Accept) -> None:
    """The client's pipeline broke in its middle when it was sent again."""
    job = await accept()
    given = await emptied.valkey.pttl(keys.audio(job.id))

    class Broken(Script):
        @override
        async def run_after(self, pipeline: Pipeline, command: str, **arguments: Any) -> list[Any]:
            await pipeline.execute()
            raise ValkeyConnectionError

    store = Store(emptied.valkey, emptied.valkey, emptied.settings)
    store.script = Broken(emptied.valkey, emptied.settings)
    with pytest.raises(ValkeyConnectionError):
        await store.accept(job, b"audio", owner_limit=9)
    assert given > 86_400_000
    assert await emptied.valkey.pttl(keys.audio(job.id)) > 86_400_000


async def test_a_restart_is_one(emptied: Deps, twice: Ops, accept: Accept) -> None:
    job = await put(emptied, await bring(emptied, await accept(), State.PARKED))
    again = await twice.restart(job.id, stage=None, by=ME)
    assert (again.run, again.version) == (2, job.version + 1)


async def test_also_when_the_new_run_has_ended_before_it_is_sent_again(
    emptied: Deps, echo: Deps, twice: Ops, accept: Accept
) -> None:
    job = await bring(emptied, await accept(), State.COMPLETED)
    await twice.restart(job.id, stage=Stage.PERSIST, by=ME)
    held = await claimed(emptied, await read(emptied, job))
    assert await persist(emptied, held) == Concluded(State.COMPLETED, "")
    over = await emptied.store.conclude(held, State.COMPLETED, code="")
    assert isinstance(echo.store.script, Echo)
    assert (await echo.store.script.again())[0] == b"moved"
    assert await read(emptied, job) == over


@pytest.mark.parametrize("state", list(MOVES[Move.CANCEL]))
async def test_a_cancellation_is_one(emptied: Deps, twice: Ops, accept: Accept, state: State) -> None:
    job = await bring(emptied, await accept(towards=state), state)
    cancelled = await twice.cancel(job.id, by=ME)
    assert (cancelled.version, cancelled.run) == (job.version + 1, job.run + state.final)


async def test_a_late_result_is_accepted_once(emptied: Deps, echo: Deps, twice: Ops, accept: Accept) -> None:
    job = await bring(emptied, await accept(), State.FAILED)
    await emptied.store.deliver(job.id, LATE)
    taken = await twice.accept_late(job.id, by=ME)
    assert (taken.run, taken.version) == (2, job.version + 2)
    assert (await echo.store.evidence(job.id))[0] == LATE


async def test_a_deletion_is_one(emptied: Deps, twice: Ops, accept: Accept) -> None:
    job = await bring(emptied, await accept(), State.WAITING)
    await twice.delete(job.id, by=ME)
    assert (await read(emptied, job)).version == job.version + 1


async def test_pauses_and_resumptions_too(echo: Deps, twice: Ops, accept: Accept) -> None:
    await twice.pause([Stage.UPLOAD], by=ME)
    job = await accept()
    assert await echo.store.claim(job.id, job.version) is None
    await twice.resume([Stage.UPLOAD], by=ME)
    assert (await claimed(echo, job)).state is State.UPLOADING
    assert [each.action for each in await twice.gatekeeping()] == ["resume", "pause"]


async def test_everything_is(echo: Deps, engine: Engine, identity: Identity, accept: Accept, analysis: Control) -> None:
    """Whole lives of jobs, every command of theirs sent twice."""
    modes = ["http_500", "http_503", "inline", "early", "duplicate", "normal"]
    await analysis.plan(*({"mode": mode, "count": 1} for mode in modes))
    jobs = [await accept() for _ in range(4)]
    deps = replace(echo, settings=echo.settings.model_copy(update={"drain_seconds": 0.2}))
    async with working(deps, identity):
        for job in jobs:
            row = await completed(engine, job, run=1)
            assert [event["version"] for event in row.history] == list(range(1, row.version + 1))
    assert await echo.valkey.get("yousync:staged_bytes") == b"0"
