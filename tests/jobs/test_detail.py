"""One job told whole: where it stands, every event that got it there, where its audio is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import aiohttp
import pytest

from jobs.deps import Deps
from jobs.detail import describe, timeline
from jobs.identity import Identity
from jobs.ops import By, Ops
from models.analysis_result import AnalysisResult
from tests.jobs.bringing import CAUSE, bring, claimed
from tests.jobs.conftest import NO_JOB, Accept
from yousync.errors import JobNotFound
from yousync.job import MESSAGES, Event, Stage, State
from yousync.local.port import free_port
from yousync.storage import open_storage
from yousync.valkey import PROCESS_ID

ME = By(who="mina@desk", why="the analysis server is back")


async def test_a_job_at_work_tells_who_is_at_it(emptied: Deps, accept: Accept) -> None:
    job = await accept(request_id="r-1")
    waiting = await describe(emptied, job.id)
    assert (waiting.state, waiting.stage, waiting.worker) == (State.ACCEPTED, Stage.UPLOAD, "")
    assert (waiting.request_id, waiting.message) == ("r-1", MESSAGES[State.ACCEPTED])
    await claimed(emptied, job)
    at_work = await describe(emptied, job.id)
    assert (at_work.state, at_work.worker, at_work.version) == (State.UPLOADING, PROCESS_ID, 2)
    assert (at_work.tries, at_work.holds, at_work.lapses) == (0, 0, 0)
    assert [event.move for event in at_work.timeline] == ["accept", "claim"]


async def test_a_parked_job_tells_why(emptied: Deps, accept: Accept) -> None:
    job = await bring(emptied, await accept(), State.PARKED, code="analysis_timeout")
    told = await describe(emptied, job.id)
    assert (told.state, told.stage, told.code) == (State.PARKED, Stage.SUBMIT, "analysis_timeout")
    settled = next(event for event in told.timeline if event.move == "settle")
    assert (settled.source, settled.target, settled.cause) == ("submitting", "persisting", CAUSE)
    assert told.worker == ""


async def test_the_story_is_whole_also_without_a_record(emptied: Deps, accept: Accept) -> None:
    job = await bring(emptied, await accept(), State.FAILED)
    before = await describe(emptied, job.id)
    await emptied.valkey.flushall()
    after = await describe(emptied, job.id)
    assert [event.version for event in after.timeline] == [event.version for event in before.timeline]
    assert (after.state, after.code, after.stage) == (before.state, before.code, before.stage)
    assert (after.tries, after.late, after.request_id) == (None, False, "")


async def test_a_second_run_is_told_after_the_first(emptied: Deps, accept: Accept, identity: Identity) -> None:
    job = await bring(emptied, await accept(), State.PARKED)
    await emptied.storage.put(job.s3_key, b"RIFF", container="wav")
    await emptied.valkey.delete(f"yousync:job:{job.id}", f"yousync:events:{job.id}")  # as after its retention
    await Ops(emptied, identity).restart(job.id, stage=None, by=ME)
    told = await describe(emptied, job.id)
    assert (told.state, told.run) == (State.UPLOADED, 2)
    versions = [event.version for event in told.timeline]
    assert versions == list(range(1, len(versions) + 1))
    assert all(earlier.target == later.source for earlier, later in pairwise(told.timeline[:-1]))
    restarted = told.timeline[-1]
    assert (restarted.move, restarted.actor, restarted.cause) == ("restart", ME.who, ME.why)


def test_each_event_is_told_once_with_all_that_is_known_of_it() -> None:
    last = Event(version=2, at_ms=5, move="conclude", source="persisting", target="failed", actor="a:1", code="x")
    kept = [
        {"version": 1, "at_ms": 1, "move": "accept", "source": "", "target": "accepted", "actor": "a:1"},
        {"version": 2, "at_ms": 4, "move": "conclude", "source": "persisting", "target": "failed", "actor": "",
         "cause": "no speech", "unheard_of": 1},
    ]  # fmt: skip
    told = timeline(kept, [last, replace(last, version=3, move="restart", cause="again")])
    assert [(event.version, event.at_ms, event.actor, event.cause) for event in told] == [
        (1, 1, "a:1", ""),
        (2, 5, "a:1", "no speech"),
        (3, 5, "a:1", "again"),
    ]
    assert timeline(None, []) == []


async def test_a_job_without_a_row_yet_is_told_by_its_record(emptied: Deps, accept: Accept) -> None:
    job = await accept()
    await AnalysisResult.all().delete()
    told = await describe(emptied, job.id)
    assert (told.job_id, told.state, told.kind) == (job.id, State.ACCEPTED, job.kind)


async def test_the_link_opens_the_audio_as_soon_as_s3_has_it(emptied: Deps, accept: Accept) -> None:
    job = await accept(audio=b"RIFF0000")
    told = (await describe(emptied, job.id)).audio
    assert told is not None
    assert (told.stored, told.staged, told.size) == (False, True, 8)
    await emptied.storage.put(job.s3_key, b"RIFF0000", container="wav")
    await emptied.store.unstage(job.id)
    told = (await describe(emptied, job.id)).audio
    assert told is not None
    assert (told.stored, told.staged, told.uri) == (True, False, emptied.storage.uri(job.s3_key))
    async with aiohttp.ClientSession() as session, session.get(told.link) as reply:
        assert (reply.status, await reply.read()) == (200, b"RIFF0000")


async def test_s3_that_is_away_hides_nothing_else(emptied: Deps, accept: Accept) -> None:
    job = await accept()
    away = emptied.settings.model_copy(update={"aws_endpoint_url_s3": f"http://127.0.0.1:{free_port()}"})
    async with open_storage(away) as storage:
        told = await describe(replace(emptied, storage=storage), job.id)
    assert told.audio is not None
    assert (told.audio.stored, told.audio.staged) == (None, True)


async def test_of_a_deleted_job_its_deletion_is_told(emptied: Deps, accept: Accept, identity: Identity) -> None:
    job = await bring(emptied, await accept(), State.COMPLETED)
    await Ops(emptied, identity).delete(job.id, by=ME)
    told = await describe(emptied, job.id)
    assert (told.state, told.stage, told.timeline[-1].actor) == (State.CLEANING, Stage.CLEAN, ME.who)
    assert told.timeline[-1].version == len(told.timeline), "the row's word on it and the record's are one"
    await emptied.valkey.flushall()
    told = await describe(emptied, job.id)
    assert told.deleted_at is not None
    assert [(event.move, event.actor, event.cause) for event in told.timeline] == [("erase", ME.who, ME.why)]
    await AnalysisResult.all().delete()
    with pytest.raises(JobNotFound):
        await describe(emptied, job.id)


@pytest.mark.parametrize("job_id", [NO_JOB, "nonsense", "", "nul\x00", "*"])
async def test_what_is_no_job_is_not_found(emptied: Deps, job_id: str) -> None:
    with pytest.raises(JobNotFound):
        await describe(emptied, job_id)
