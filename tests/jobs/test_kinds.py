"""Jobs that are not recordings: in the same ledger, with the same promises, on their own way through the stages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from jobs.deps import Deps
from jobs.engine import Engine, Order
from jobs.identity import Identity
from jobs.ops import By, Ops
from jobs.pipeline import Move
from jobs.reconciler import reconcile
from jobs.retention import remove_orphans
from jobs.stages.clean import clean
from jobs.stages.persist import persist
from jobs.tenancy import tenancy
from models.analysis_result import AnalysisResult
from models.dubbing_result import DubbingResult
from models.script import Script
from models.user import User
from tests.factories import make_user
from tests.jobs.bringing import bring, claimed, lose, read
from tests.jobs.conftest import Accept
from yousync.errors import OperationRefused, TokenNotFound, TooManyJobs
from yousync.job import BEGINS, RECORDINGS, Job, Kind, Stage, State, is_job_id

ME = By(who="mina", why="test")
VIDEO = {"youtube_url": "https://www.youtube.com/watch?v=abcdefghijk", "movie_name": "영화", "actor_name": "배우"}
Place = Callable[..., Awaitable[Job]]


@pytest_asyncio.fixture
async def user(emptied: Deps) -> User:
    return await make_user()


@pytest.fixture
def place(engine: Engine, user: User, script: Script) -> Place:
    """Orders a video or a dubbing."""

    async def placed(kind: Kind, **changes: Any) -> Job:
        token_id = script.token_id if kind is Kind.SYNTHESIS else None
        fields: dict[str, Any] = {"kind": kind, "request": VIDEO, "user_id": user.id, "token_id": token_id}
        return await engine.order(Order(**(fields | changes)))

    return placed


@pytest.fixture
def ops(emptied: Deps, identity: Identity) -> Ops:
    return Ops(emptied, identity)


ORDERED = sorted(set(Kind) - RECORDINGS)


@pytest.mark.parametrize("kind", ORDERED)
async def test_an_order_is_a_record_and_a_row_that_say_what_to_do(
    emptied: Deps, engine: Engine, place: Place, kind: Kind
) -> None:
    job = await place(kind)
    assert (job.state, job.kind, job.request, job.progress) == (BEGINS[kind], kind, VIDEO, 10)
    assert is_job_id(job.id)
    assert await read(emptied, job) == job
    row = await AnalysisResult.get(job_id=job.id)
    assert (row.kind, row.state, row.status, row.request) == (kind, BEGINS[kind], "processing", VIDEO)
    assert row.token_id == job.token_id
    view = await engine.view(job.id)
    assert view is not None
    assert (view.kind, view.progress, view.message) == (kind, 10, row.message)
    assert (await emptied.store.stats()).staged_bytes == 0


async def test_the_same_order_again_is_the_same_job_and_another_is_not(place: Place) -> None:
    first = await place(Kind.YOUTUBE)
    assert (await place(Kind.YOUTUBE)).id == first.id
    assert (await place(Kind.YOUTUBE, request=VIDEO | {"movie_name": "another"})).id != first.id
    named = await place(Kind.YOUTUBE, idempotency_key="k")
    assert named.id != first.id
    assert (await place(Kind.YOUTUBE, idempotency_key="k", request={})).id == named.id


async def test_all_kinds_of_jobs_count_for_their_owner(
    deps: Deps, engine: Engine, place: Place, accept: Accept, user: User
) -> None:
    for number in range(deps.settings.max_jobs_per_user - 1):
        await place(Kind.YOUTUBE, request={"number": number})
    await accept(user_id=user.id)
    with pytest.raises(TooManyJobs):
        await place(Kind.SYNTHESIS)
    with pytest.raises(TooManyJobs):
        await accept(user_id=user.id)


async def test_nothing_is_mixed_for_a_clip_that_is_not_there(place: Place) -> None:
    with pytest.raises(TokenNotFound):
        await place(Kind.SYNTHESIS, token_id=2**31 - 1)


async def test_a_dubbing_is_the_learner_s_once_its_row_says_completed_and_once_only(
    emptied: Deps, place: Place, user: User, script: Script
) -> None:
    job = await bring(emptied, await place(Kind.SYNTHESIS), State.PERSISTING)
    assert job.s3_key == f"user_Dubbing_auido/{user.id}/{script.token_id}/dubbing_audio_{job.id}.wav"
    for _ in range(2):  # as after a worker that died before it could tell
        await persist(emptied, job)
    row = await AnalysisResult.get(job_id=job.id)
    assert (row.state, row.result, row.progress) == ("completed", {"s3_key": job.s3_key}, 100)
    found = await DubbingResult.get(job_id=job.id)
    assert (found.user_id, found.token_id, found.s3_key) == (user.id, script.token_id, job.s3_key)  # type: ignore[attr-defined]  # Tortoise's own


async def test_a_dubbing_that_failed_is_nobody_s(emptied: Deps, place: Place) -> None:
    job = await bring(emptied, await place(Kind.SYNTHESIS), State.FAILED)
    assert not await DubbingResult.exists(job_id=job.id)


async def test_deleting_a_dubbing_takes_it_from_the_learner_and_from_s3(emptied: Deps, place: Place, ops: Ops) -> None:
    job = await bring(emptied, await place(Kind.SYNTHESIS), State.COMPLETED)
    await emptied.storage.put(job.s3_key, b"mixed", container="wav")
    await ops.delete(job.id, by=ME)
    assert not await DubbingResult.exists(job_id=job.id)
    await clean(emptied, await claimed(emptied, await read(emptied, job)))
    assert await emptied.storage.size(job.s3_key) is None


async def test_a_deleted_video_has_nothing_to_clean(emptied: Deps, place: Place, ops: Ops) -> None:
    job = await place(Kind.YOUTUBE)
    await ops.delete(job.id, by=ME)
    held = await claimed(emptied, await read(emptied, job))
    await clean(emptied, held)
    await emptied.store.forget(held)
    assert await emptied.store.read(job.id) is None


@pytest.mark.parametrize("kind", ORDERED)
async def test_an_order_whose_record_is_lost_is_begun_anew(
    emptied: Deps, identity: Identity, place: Place, here: asyncpg.Connection, kind: Kind
) -> None:
    job = await place(kind)
    await lose(emptied, job)
    assert await reconcile(emptied, identity, here, grace_seconds=-1) == 1
    again = await read(emptied, job)
    assert (again.state, again.run, again.request, again.s3_key) == (BEGINS[kind], 2, VIDEO, job.s3_key)
    assert (again.token_id, again.user_id, again.owner) == (job.token_id, job.user_id, job.owner)


@pytest_asyncio.fixture
async def here(deps: Deps, identity: Identity) -> AsyncIterator[asyncpg.Connection]:
    async with tenancy(deps, identity) as connection:
        yield connection


@pytest.mark.parametrize(("kind", "stage"), [(Kind.YOUTUBE, Stage.PREPROCESS), (Kind.SYNTHESIS, Stage.MIX)])
async def test_an_order_that_failed_goes_on_at_its_own_stage(
    emptied: Deps, place: Place, ops: Ops, kind: Kind, stage: Stage
) -> None:
    job = await bring(emptied, await place(kind), State.PARKED)
    assert (await AnalysisResult.get(job_id=job.id)).stage == stage
    with pytest.raises(OperationRefused, match=f"no {kind} job starts with upload"):
        await ops.restart(job.id, stage=Stage.UPLOAD, by=ME)
    again = await ops.restart(job.id, stage=None, by=ME)
    assert (again.state, again.run) == (BEGINS[kind], 2)


async def test_the_clips_of_a_video_are_those_it_names_that_exist(
    emptied: Deps, engine: Engine, place: Place, script: Script
) -> None:
    job = await place(Kind.YOUTUBE)
    await bring(emptied, job, State.PREPARING)
    await engine.deliver(job.id, b'{"token_id": [%d, 999999999]}' % script.token_id)
    held = await claimed(emptied, await read(emptied, job))
    assert held.state is State.PERSISTING
    await persist(emptied, held)
    view = await engine.view(job.id)
    assert view is not None
    assert (view.status, view.result) == ("completed", {"token_ids": [script.token_id]})
    history = (await AnalysisResult.get(job_id=job.id)).history
    assert history[-1]["cause"] == "clips that do not exist: 999999999"


async def test_a_result_that_came_while_the_server_was_being_asked_counts(
    emptied: Deps, engine: Engine, place: Place
) -> None:
    held = await bring(emptied, await place(Kind.YOUTUBE), State.ORDERING)
    asked = await emptied.store.move(held, Move.ASK, keep_claim=True, stamps=["asked_ms"], asks=1)
    assert asked.asked_ms > 0
    assert await engine.deliver(held.id, b"{}") == "delivered"
    assert (await read(emptied, held)).state is State.RECEIVED


async def test_what_is_no_orphan_among_dubbings(emptied: Deps, accept: Accept, user: User, script: Script) -> None:
    """Dubbings of an older system have no job of ours; those that are nobody's go."""
    await accept()
    folder = f"user_Dubbing_auido/{user.id}/{script.token_id}"
    theirs, nobodys = (f"{folder}/dubbing_audio_{number:032x}.wav" for number in (1, 2))
    for key in (theirs, nobodys):
        await emptied.storage.put(key, b"mixed", container="wav")
    await DubbingResult.create(user=user, token_id=script.token_id, s3_key=theirs, job_id=f"{1:032x}")
    await remove_orphans(emptied, older_than=timedelta(seconds=-60))
    assert await emptied.storage.size(theirs) is not None
    assert await emptied.storage.size(nobodys) is None
