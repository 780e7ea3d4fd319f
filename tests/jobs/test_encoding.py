"""A record is the job, whole: nothing is lost between the two."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace

import orjson
import pytest

from jobs.changes import Hint, open_changes
from jobs.deps import Deps
from jobs.encoding import SHOWN, fields_of, job_of, job_of_hint
from jobs.engine import running, view_of
from jobs.pipeline import Move
from jobs.store import Due
from tests.jobs.conftest import Accept, a_job
from tests.waiting import until
from yousync.job import Job, State
from yousync.tasks import cancel

SET_BY_THE_SCRIPT = {"state", "version", "progress", "updated_ms", "inbox", "late", "outcome"} | {
    "stage",
    "code",
    "message",
    "queued",
}


def as_hash(job: Job) -> dict[bytes, bytes]:
    given = fields_of(job) | {"state": job.state, "version": str(job.version)}
    return {name.encode(): value.encode() for name, value in given.items()}


@pytest.mark.parametrize(("script_id", "user_id"), [(1, None), (None, 7), (1, 7)])
def test_what_is_written_is_read_back(script_id: int | None, user_id: int | None) -> None:
    job = a_job(script_id=script_id, user_id=user_id, request_id="r-1", created_ms=5, began_ms=6)
    assert job_of(as_hash(job)) == job


def test_a_record_of_before_began_when_it_was_created() -> None:
    fields = as_hash(a_job(created_ms=5))
    del fields[b"began_ms"]
    assert job_of(fields).began_ms == 5


def test_every_field_is_somebody_s_to_write() -> None:
    assert {field.name for field in fields(Job)} - SET_BY_THE_SCRIPT == set(fields_of(a_job()))


async def test_a_hint_shows_what_the_record_shows(emptied: Deps, accept: Accept) -> None:
    """Of jobs of all kinds, at every move that shows."""
    heard: list[Hint] = []
    began = asyncio.Event()
    async with open_changes(emptied.settings) as changes:
        listening = asyncio.create_task(changes.listen(heard.append, began.set))
        await began.wait()
        for towards in (None, State.PREPARING, State.MIXING):
            heard.clear()
            job = await accept(towards=towards)
            await _same(emptied, job, heard)
            claimed = await emptied.store.claim(job.id, job.version)
            assert claimed is not None
            await _same(emptied, claimed, heard)
        asking = await emptied.store.move(await _submitting(emptied, accept), Move.WAIT, due=Due(seconds=9), queued=1)
        heard.clear()
        await emptied.store.deliver(asking.id, b"{}")
        await _same(emptied, asking, heard)
        await cancel(listening)


async def _submitting(deps: Deps, accept: Accept) -> Job:
    job = await deps.store.claim((await accept()).id, 1)
    assert job is not None
    return await deps.store.move(job, Move.FINISH, claim_next=True)


async def _same(deps: Deps, job: Job, heard: list[Hint]) -> None:
    read = await deps.store.read(job.id)
    assert read is not None
    await until(lambda: any(hint.job_id == job.id and _version(hint) == read.version for hint in heard))
    told = heard[-1].job()
    assert told is not None
    assert running(told) == running(read) == view_of(read)


def _version(hint: Hint) -> int:
    job = hint.job()
    return 0 if job is None else job.version


@pytest.mark.parametrize("told", [b"", b"nonsense", b"[]", b"{}", b"[1]", b"null"])
def test_a_hint_that_tells_nothing_is_a_hint_all_the_same(told: bytes) -> None:
    assert Hint("a", told).job() is None


def test_a_hint_at_what_a_later_version_does_tells_nothing() -> None:
    shown = {"kind": "script", "state": "dreaming"}
    assert job_of_hint("a", orjson.dumps([shown.get(name, False) for name in SHOWN])) is None


async def test_the_script_sets_the_rest(emptied: Deps) -> None:
    job = a_job()
    await emptied.store.stage(job.id, b"x")
    accepted = await emptied.store.accept(job, owner_limit=1)
    known = replace(job, state=State.ACCEPTED, version=1, progress=10)
    assert replace(accepted, created_ms=0, began_ms=0, updated_ms=0) == known
    assert accepted.created_ms == accepted.began_ms == accepted.updated_ms > 1_700_000_000_000
