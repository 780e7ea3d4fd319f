"""A Valkey with an older memory: what has ended in Postgres ends there too, before anybody works on it."""

from __future__ import annotations

from jobs import keys
from jobs.deps import Deps
from jobs.healing import healed
from jobs.identity import Identity
from jobs.ops import By, Ops
from tests.jobs.bringing import bring, claimed, read
from tests.jobs.conftest import Accept
from tests.valkey_command import command
from yousync.job import Job, State

MINA = By(who="mina", why="because")


async def remembered(deps: Deps, job: Job) -> list[tuple[bytes, int]]:
    """The job's keys as a backup has them."""
    names = await deps.valkey.keys(f"yousync:*:{job.id}")
    return [(name, await command(deps.valkey, "DUMP", name)) for name in names]


async def restored(deps: Deps, job: Job, memory: list[tuple[bytes, int]]) -> None:
    """Valkey as it was when `job` was read, on a server that was started anew."""
    await deps.valkey.delete(*[key async for key in deps.valkey.scan_iter(match="yousync:state:*")])
    for name, value in memory:
        await command(deps.valkey, "RESTORE", name, 0, value, "REPLACE")
    await deps.valkey.zadd(keys.state(job.state), {job.id: job.updated_ms})
    await deps.valkey.zadd("yousync:due", {job.id: 1})
    await deps.valkey.delete(keys.SERVER)


async def test_a_job_that_has_ended_is_not_done_again(emptied: Deps, accept: Accept) -> None:
    waiting = await bring(emptied, await accept(), State.WAITING)
    memory = await remembered(emptied, waiting)
    await emptied.store.deliver(waiting.id, b'{"result": {"overall_score": 1}}')
    held = await claimed(emptied, await read(emptied, waiting))
    await bring_to_end(emptied, held)
    await restored(emptied, waiting, memory)
    assert await healed(emptied) == 1
    after = await read(emptied, waiting)
    assert (after.state, after.claim) == (State.COMPLETED, "")
    assert await emptied.store.sweep() == 0, "it is off the clock"
    assert await emptied.valkey.ttl(keys.job(waiting.id)) > 0
    assert (await emptied.store.events(waiting.id))[-1].move == "heal"


async def bring_to_end(deps: Deps, held: Job) -> None:
    from jobs.stages.persist import persist

    await persist(deps, held)
    await deps.store.conclude(held, State.COMPLETED, code="")


async def test_it_is_done_once_for_each_start_of_the_server(emptied: Deps, accept: Accept) -> None:
    await emptied.valkey.delete(keys.SERVER)
    waiting = await bring(emptied, await accept(), State.WAITING)
    memory = await remembered(emptied, waiting)
    assert await healed(emptied) == 0
    assert (await read(emptied, waiting)).state is State.WAITING, "what has not ended goes on"
    await emptied.store.deliver(waiting.id, b'{"result": {"overall_score": 1}}')
    await bring_to_end(emptied, await claimed(emptied, await read(emptied, waiting)))
    await restored(emptied, waiting, memory)
    server = (await emptied.valkey.info("server"))["run_id"]
    await emptied.valkey.set(keys.SERVER, server)
    assert await healed(emptied) == 0
    assert (await read(emptied, waiting)).state is State.WAITING, "this start was checked already"


async def test_a_run_that_postgres_has_not_seen_end_is_left_alone(
    emptied: Deps, identity: Identity, accept: Accept
) -> None:
    failed = await bring(emptied, await accept(), State.FAILED)
    await emptied.storage.put(failed.s3_key, b"sound", container="wav")
    again = await Ops(emptied, identity).restart(failed.id, stage=None, by=MINA)
    await emptied.valkey.delete(keys.SERVER)
    assert await healed(emptied) == 0
    assert (await read(emptied, failed)).state is again.state


async def test_a_deleted_recording_does_not_come_back(emptied: Deps, identity: Identity, accept: Accept) -> None:
    waiting = await bring(emptied, await accept(), State.WAITING)
    memory = await remembered(emptied, waiting)
    await Ops(emptied, identity).delete(waiting.id, by=MINA)
    await restored(emptied, waiting, memory)
    assert await healed(emptied) == 1
    assert (await read(emptied, waiting)).state is State.CLEANING
