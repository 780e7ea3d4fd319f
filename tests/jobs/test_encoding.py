"""A record is the job, whole: nothing is lost between the two."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from jobs.deps import Deps
from jobs.encoding import fields_of, job_of
from tests.jobs.conftest import a_job
from yousync.job import Job, State

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


async def test_the_script_sets_the_rest(emptied: Deps) -> None:
    job = a_job()
    await emptied.store.stage(job.id, b"x")
    accepted = await emptied.store.accept(job, owner_limit=1)
    known = replace(job, state=State.ACCEPTED, version=1, progress=10)
    assert replace(accepted, created_ms=0, began_ms=0, updated_ms=0) == known
    assert accepted.created_ms == accepted.began_ms == accepted.updated_ms > 1_700_000_000_000
