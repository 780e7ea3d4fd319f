"""One thing done to many jobs: to all that it fits and to no other, and whoever refuses is named."""

from __future__ import annotations

import pytest

from jobs.bulk import PAGE, Action, Operation, Report, do_to, do_to_all
from jobs.deps import Deps
from jobs.filter import Filter
from jobs.identity import Identity
from jobs.ops import By, Ops
from jobs.search import count
from models.analysis_result import AnalysisResult
from tests.jobs.bringing import bring, read
from tests.jobs.conftest import Accept, a_job
from yousync.job import Stage, State

ME = By(who="mina@desk", why="the analysis server is back")
EVERYTHING = Filter()


def operation(action: Action, stage: Stage | None = None) -> Operation:
    return Operation(action=action, by=ME, stage=stage)


@pytest.fixture
def ops(emptied: Deps, identity: Identity) -> Ops:
    return Ops(emptied, identity)


async def run(deps: Deps, ops: Ops, what: Operation, wanted: Filter = EVERYTHING, limit: int | None = None) -> Report:
    """All pages' reports as one."""
    reports = [report async for report in do_to_all(deps, ops, what, wanted, limit=limit)]
    return Report(
        action=what.action,
        done=[job_id for report in reports for job_id in report.done],
        refused=[refusal for report in reports for refusal in report.refused],
    )


@pytest.mark.parametrize(
    ("what", "states"),
    [
        (operation(Action.RETRY), {State.FAILED, State.PARKED, State.CANCELLED}),
        (operation(Action.RETRY, Stage.SUBMIT), {State.COMPLETED, State.FAILED, State.PARKED, State.CANCELLED}),
        (
            operation(Action.CANCEL),
            {State.ACCEPTED, State.UPLOADING, State.UPLOADED, State.SUBMITTING, State.WAITING, State.RECEIVED}
            | {State.ORDERED, State.ORDERING, State.PREPARING, State.REQUESTED, State.MIXING, State.PARKED},
        ),
        (operation(Action.DELETE), set(State) - {State.CLEANING}),
    ],
    ids=["retry", "retry from a stage", "cancel", "delete"],
)
async def test_it_is_done_to_every_job_it_fits_and_to_no_other(
    emptied: Deps, ops: Ops, accept: Accept, what: Operation, states: set[State]
) -> None:
    jobs = {state: await bring(emptied, await accept(towards=state), state) for state in State}
    for job in jobs.values():
        if job.s3_key:
            await emptied.storage.put(job.s3_key, b"RIFF", container="wav")
    fits = what.applicable(EVERYTHING)
    assert await count(emptied, fits) == len(states)
    report = await run(emptied, ops, what)
    assert set(report.done) == {jobs[state].id for state in states}
    assert report.refused == []
    for state, job in jobs.items():
        events = await emptied.store.events(job.id)
        assert any((event.actor, event.cause) == (ME.who, ME.why) for event in events) == (state in states)
    if what.action is not Action.CANCEL:  # whose jobs have ended when the worker has written it down
        assert not set((await run(emptied, ops, what)).done) & set(report.done)


async def test_a_filter_narrows_it(emptied: Deps, ops: Ops, accept: Accept) -> None:
    wanted = await bring(emptied, await accept(), State.WAITING)
    other = await accept()
    assert (await run(emptied, ops, operation(Action.CANCEL), Filter(stage=Stage.SUBMIT))).done == [wanted.id]
    assert (await run(emptied, ops, operation(Action.CANCEL), Filter(states=frozenset({State.COMPLETED})))).done == []
    assert (await read(emptied, other)).state is State.ACCEPTED


async def test_more_than_a_page_is_done_and_a_limit_is_kept(emptied: Deps, ops: Ops, accept: Accept) -> None:
    first = await accept()
    template = await AnalysisResult.get(job_id=first.id)
    many = [a_job().id for _ in range(PAGE + 3)]
    values = {name: getattr(template, name) for name in template._meta.db_fields if name not in {"id", "job_id"}}
    values |= {"state": "failed", "status": "failed", "stage": "persist"}
    await AnalysisResult.bulk_create(AnalysisResult(job_id=job_id, **values) for job_id in many)
    few = await run(emptied, ops, operation(Action.RETRY), limit=5)
    assert [refusal.job_id for refusal in few.refused] == many[:-6:-1]
    report = await run(emptied, ops, operation(Action.RETRY))
    assert [refusal.job_id for refusal in report.refused] == many[::-1]
    assert {refusal.code for refusal in report.refused} == {"operation_refused"}


async def test_who_refuses_is_named_and_keeps_nobody_else_from_it(emptied: Deps, ops: Ops, accept: Accept) -> None:
    good, done = await accept(), await bring(emptied, await accept(), State.COMPLETED)
    unknown = a_job().id
    report = await do_to(ops, operation(Action.CANCEL), [done.id, "nonsense", unknown, good.id, good.id])
    assert report.done == [good.id]
    assert [(refusal.job_id, refusal.code, refusal.detail) for refusal in report.refused] == [
        (done.id, "operation_refused", "the job is completed"),
        ("nonsense", "job_not_found", "Job not found"),
        (unknown, "job_not_found", "Job not found"),
    ]
