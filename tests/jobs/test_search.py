"""Jobs are found by what they are doing now, which Valkey knows, and by how they ended, which Postgres does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typing_extensions import override

from jobs.deps import Deps
from jobs.detail import describe
from jobs.filter import Filter, age
from jobs.identity import Identity
from jobs.ops import By, Ops
from jobs.search import Page, count, search
from models.analysis_result import AnalysisResult
from models.deletion import bury
from tests.factories import make_script, make_user
from tests.jobs.bringing import bring
from tests.jobs.conftest import Accept
from tests.valkey_command import command
from yousync.job import STAGE_OF, Job, Stage, State

ME = By(who="mina@desk", why="tried out")


def ids(page: Page) -> list[str]:
    return [job.job_id for job in page.jobs]


async def found(deps: Deps, **criteria: Any) -> list[str]:
    """The jobs that a filter finds; as many as it counts."""
    wanted = Filter(**criteria)
    page = await search(deps, wanted)
    assert await count(deps, wanted) == len(page.jobs)
    assert page.next_cursor is None
    return ids(page)


async def one_in_each_state(deps: Deps, accept: Accept) -> dict[State, Job]:
    return {state: await bring(deps, await accept(towards=state), state) for state in State}


async def test_a_job_is_found_by_its_state_whoever_knows_of_it(emptied: Deps, accept: Accept) -> None:
    jobs = await one_in_each_state(emptied, accept)
    for state, job in jobs.items():
        page = await search(emptied, Filter(states=frozenset({state})))
        assert [(entry.job_id, entry.state) for entry in page.jobs] == [(job.id, state)]
        assert await count(emptied, Filter(states=frozenset({state}))) == 1
    unfinished = frozenset(STAGE_OF)
    assert await found(emptied, states=unfinished) == [
        jobs[state].id for state in reversed(State) if state in unfinished
    ]


async def test_a_job_is_found_by_the_stage_it_is_in_or_had_got_to(emptied: Deps, accept: Accept) -> None:
    jobs = await one_in_each_state(emptied, accept)
    ended_there = {State.FAILED, State.PARKED, State.CANCELLED}
    for stage in Stage:
        there = {state for state in State if STAGE_OF.get(state) is stage}
        there |= ended_there if stage is Stage.SUBMIT else set()
        assert set(await found(emptied, stage=stage)) == {jobs[state].id for state in there}, stage
    only_parked = await found(emptied, stage=Stage.SUBMIT, states=frozenset({State.PARKED, State.RECEIVED}))
    assert only_parked == [jobs[State.PARKED].id]


async def test_lists_are_newest_first_and_pages_neither_repeat_nor_skip(emptied: Deps, accept: Accept) -> None:
    accepted = [(await accept(address=f"192.0.2.{number}")).id for number in range(7)]
    for states in (frozenset(State), frozenset({State.ACCEPTED})):
        seen, cursor = list[str](), None
        for pages in range(1, 10):
            page = await search(emptied, Filter(states=states), cursor=cursor, limit=3)
            seen += ids(page)
            cursor = page.next_cursor
            if cursor is None:
                break
            await accept(address=f"198.51.100.{pages}")  # what comes meanwhile is on no later page
        assert seen[-7:] == list(reversed(accepted))
        assert len(seen) == len(set(seen))


async def test_whose_and_which_clip(emptied: Deps, accept: Accept) -> None:
    user, other, script = await make_user(), await make_user(), await make_script()
    mine = await accept(user_id=user.id)
    theirs = await accept(user_id=other.id, token_id=script.token_id, script_id=script.id)
    nobodys = await bring(emptied, await accept(), State.PARKED)
    assert await found(emptied, user=str(user.id)) == [mine.id]
    assert await found(emptied, user=user.email) == [mine.id]
    assert await found(emptied, token_id=script.token_id) == [theirs.id]
    assert await found(emptied, token_id=script.token_id, user=str(user.id)) == []
    assert await found(emptied, user=user.email, states=frozenset({State.ACCEPTED})) == [mine.id]
    for nobody in ("nobody@example.com", "0", "99999999999999999999", "nul\x00", "\ud800"):
        assert await found(emptied, user=nobody) == []
    assert await found(emptied) == [nobodys.id, theirs.id, mine.id]


async def test_the_last_failure_of_a_job_that_goes_on_and_of_one_that_ended(emptied: Deps, accept: Accept) -> None:
    running = await bring(emptied, await accept(), State.SUBMITTING)
    await emptied.store.move(running, "retry", event={"code": "analysis_error"}, code="analysis_error")  # type: ignore[arg-type]
    failed = await bring(emptied, await accept(), State.FAILED, code="analysis_error")
    await bring(emptied, await accept(), State.PARKED, code="worker_lost")
    await bring(emptied, await accept(), State.COMPLETED)
    assert await found(emptied, code="analysis_error") == [failed.id, running.id]
    assert await found(emptied, code="analysis_error", states=frozenset({State.FAILED})) == [failed.id]
    assert await found(emptied, code="no_such_code") == []


async def test_ages_count_from_the_upload(emptied: Deps, accept: Accept) -> None:
    old, new = await accept(), await accept()
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    await AnalysisResult.filter(job_id=old.id).update(created_at=an_hour_ago)
    assert await found(emptied, older_than=age("10m")) == [old.id]
    assert await found(emptied, younger_than=age("10m")) == [new.id]
    assert await found(emptied, older_than=age("59m"), younger_than=age("61m")) == [old.id]
    assert await found(emptied, older_than=age("9999d")) == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("24h", 86_400), ("7d", 604_800), ("9999d", 9999 * 86_400)]
)
def test_ages_are_written_short(text: str, seconds: int) -> None:
    assert age(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "m", "0m", "-1m", "1.5h", "10 m", "10m ", "1w", "10000d", "١٠m"])
def test_anything_else_is_no_age(text: str) -> None:
    with pytest.raises(ValueError, match="no age"):
        age(text)


async def test_a_job_that_goes_on_is_where_it_is_and_not_where_it_ended(
    emptied: Deps, accept: Accept, identity: Identity
) -> None:
    job = await bring(emptied, await accept(), State.PARKED)
    await emptied.storage.put(job.s3_key, b"RIFF", container="wav")
    await Ops(emptied, identity).restart(job.id, stage=None, by=ME)
    assert await found(emptied, states=frozenset({State.PARKED})) == []
    assert await found(emptied, code="analysis_timeout") == []
    assert await found(emptied, stage=Stage.SUBMIT) == [job.id]
    (entry,) = (await search(emptied, Filter())).jobs
    assert (entry.state, entry.run, entry.code) == (State.UPLOADED, 2, "")


async def test_a_job_whose_record_is_lost_is_found_as_accepted(emptied: Deps, accept: Accept) -> None:
    job = await accept()
    await emptied.valkey.flushall()
    assert await found(emptied, states=frozenset({State.ACCEPTED})) == [job.id]
    assert await found(emptied, stage=Stage.UPLOAD) == [job.id]
    assert await found(emptied, stage=Stage.SUBMIT) == []
    assert (await search(emptied, Filter())).jobs[0].state is State.ACCEPTED


async def test_the_end_in_postgres_holds_against_a_record_from_a_backup(emptied: Deps, accept: Accept) -> None:
    job = await bring(emptied, await accept(), State.COMPLETED)
    await command(emptied.valkey, "HSET", f"yousync:job:{job.id}", "state", "waiting")
    assert (await search(emptied, Filter())).jobs[0].state is State.COMPLETED
    assert (await describe(emptied, job.id)).state is State.COMPLETED


async def test_a_deleted_job_is_listed_while_it_is_cleaned_and_asked_for(emptied: Deps, accept: Accept) -> None:
    job = await accept()
    await bury(job.id, {})
    await bring(emptied, job, State.CLEANING)
    assert await found(emptied) == []
    assert await found(emptied, stage=Stage.CLEAN) == [job.id]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement sent to Postgres meanwhile."""
    seen: list[str] = []

    class Keep(logging.Handler):
        @override
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    logger, handler = logging.getLogger("tortoise.db_client"), Keep()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield seen
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)


async def test_a_page_is_one_query_however_long(emptied: Deps, accept: Accept) -> None:
    for number in range(12):
        await bring(emptied, await accept(address=f"192.0.2.{number}"), [State.PARKED, State.WAITING][number % 2])
    for limit in (1, 12):
        with statements() as seen:
            page = await search(emptied, Filter(states=frozenset({State.PARKED, State.WAITING})), limit=limit)
        assert len(page.jobs) == limit
        assert len(seen) == 1, seen
