"""The one arq function: take a job's lease, run the stage that comes next, commit, go on while there is work."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from jobs.deps import Deps
from jobs.outcomes import Concluded, Deleted, Delivered, Done, Forgotten, Outcome, Spent, Waiting
from jobs.pipeline import Move
from jobs.script import Fenced
from jobs.stages.clean import clean
from jobs.stages.mix import mix
from jobs.stages.persist import persist
from jobs.stages.preprocess import preprocess
from jobs.stages.submit import submit
from jobs.stages.upload import upload
from jobs.store import Due, dispatched
from models.db import DATABASE_DOWN
from yousync import metrics
from yousync.failures import LEARNER_MESSAGES, Down, Permanent, StageFailure, Transient
from yousync.job import STAGE_OF, Job, State
from yousync.metrics import Attempt
from yousync.tasks import cancel
from yousync.valkey import VALKEY_DOWN

log = structlog.get_logger(__name__)

MAX_LAPSES: Final = 10
"""Leases in a row that may run out before a job is suspected of killing its workers."""

LONGEST_PAUSE: Final = 600.0
"""Seconds a dependency may ask for; whoever says more is asked again all the same."""


_SAYS_NOTHING: Final = frozenset({"catalogue_gone"})
"""Codes of permanent failures that were found out without asking what the stage depends on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a stage does, and its limits: seconds an attempt may take, how many failures of its own a job may have."""

    run: Callable[[Deps, Job], Awaitable[Outcome]]
    timeout: float
    tries: int


def work_of(deps: Deps, state: State) -> Work:
    """What there is to do for a claimed job in this state; states are of few kinds of jobs, so they tell enough."""
    settings = deps.settings
    match state:
        case State.UPLOADING:
            return Work(run=upload, timeout=settings.upload_timeout_seconds, tries=settings.upload_tries)
        case State.SUBMITTING:
            return Work(run=submit, timeout=settings.submit_timeout_seconds + 15, tries=settings.submit_tries)
        case State.ORDERING:
            timeout = settings.preprocess_timeout_seconds + 15
            return Work(run=preprocess, timeout=timeout, tries=settings.preprocess_tries)
        case State.CLEANING:
            return Work(run=clean, timeout=settings.upload_timeout_seconds, tries=settings.upload_tries)
        case State.MIXING:
            # Those that one worker is given wait for each other: their waiting is nobody's failure.
            timeout = settings.mix_timeout_seconds * settings.mix_max_in_flight
            return Work(run=mix, timeout=timeout, tries=settings.mix_tries)
        case State.PERSISTING:
            return Work(run=persist, timeout=settings.persist_timeout_seconds, tries=settings.submit_tries)
        case _:
            raise ValueError(f"there is nothing to do for a job that is {state}")


def backoff(tries: int) -> float:
    """Seconds until the next try after `tries` failures: full jitter under 4, 16, 64, 256 s (AWS, 2015)."""
    return random.uniform(0.2, min(4.0**tries, 256.0))  # noqa: S311  # jitter, not a secret


def hold_time(holds: int) -> float:
    """Seconds until a dependency that is down is tried again: about 1, 2, 4 and so on up to 15 s."""
    return random.uniform(0.5, 1.0) * min(2.0**holds, 15.0)  # noqa: S311  # jitter, not a secret


async def advance(ctx: dict[str, Any]) -> None:
    """What arq calls: the job and the version to advance are named by arq's own job id."""
    deps: Deps = ctx["deps"]
    job_id, version = dispatched(ctx["job_id"])
    with structlog.contextvars.bound_contextvars(job_id=job_id):
        try:
            await run_stages(deps, job_id, version)
        except Fenced:
            log.info("job_moved_on")
        except VALKEY_DOWN as error:
            # Whatever was under way is found again when its lease is out.
            log.warning("valkey_down", cause=type(error).__name__)


async def run_stages(deps: Deps, job_id: str, version: int) -> None:
    """Run one stage after the other until the job must wait, has ended, or is somebody else's. Raises Fenced."""
    job = await _uninterrupted(deps, deps.store.claim(job_id, version))
    if job is not None:
        structlog.contextvars.bind_contextvars(request_id=job.request_id)
    while job is not None and job.claim:
        job = await _attempt(deps, job)


async def _uninterrupted(deps: Deps, step: Coroutine[Any, Any, Job | None]) -> Job | None:
    """Take a step of the record to its end; a worker told to go meanwhile hands on what it just got."""
    running = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        with suppress(Fenced, *VALKEY_DOWN):
            job = await running
            if job is not None and not job.state.final:
                await (deps.store.move(job, Move.RELEASE) if job.claim else deps.store.hand_over(job))
        raise


_ATTEMPTS = {Waiting: Attempt.WAITING, Spent: Attempt.PARKED}


async def _attempt(deps: Deps, job: Job) -> Job | None:
    """One attempt at the job's stage and the move that follows; the job where this worker may go on with it."""
    if job.lapses > MAX_LAPSES and _open_ended(job) and not job.inbox:
        return await _settle(deps, job, State.PARKED, "worker_lost", f"{job.lapses} leases ran out")
    work = work_of(deps, job.state)
    try:
        async with _lease(deps, job):
            with metrics.STAGE_SECONDS.labels(STAGE_OF[job.state]).time():
                outcome = await _within(work, deps, job)
    except Fenced:
        metrics.attempted(job.state, Attempt.FENCED)
        raise
    except asyncio.CancelledError:
        metrics.attempted(job.state, Attempt.RELEASED)
        with suppress(Fenced, *VALKEY_DOWN):
            await asyncio.shield(deps.store.move(job, Move.RELEASE))
        raise
    except StageFailure as failure:
        return await _uninterrupted(deps, _after_failure(deps, job, work, failure))
    log.debug("stage_done", stage=job.state.value, outcome=type(outcome).__name__.lower())
    metrics.attempted(job.state, _ATTEMPTS.get(type(outcome), Attempt.DONE))
    return await _uninterrupted(deps, _after(deps, job, outcome))


async def _within(work: Work, deps: Deps, job: Job) -> Outcome:
    """The stage's outcome, with everything that can go wrong as a StageFailure."""
    limit = asyncio.timeout(work.timeout)
    try:
        async with limit:
            return await work.run(deps, job)
    except (StageFailure, Fenced, *VALKEY_DOWN[:2]):
        raise
    except DATABASE_DOWN as error:
        if limit.expired():
            raise Transient("stage_timeout", f"{job.state} took over {work.timeout:g} s") from error
        raise Down("database_down", type(error).__name__) from error
    except Exception as error:
        log.exception("stage_crashed", stage=job.state.value)
        raise Transient("internal_error", repr(error)) from error


async def _after(deps: Deps, job: Job, outcome: Outcome) -> Job | None:
    store = deps.store
    match outcome:
        case Done():
            unstage = job.state is State.UPLOADING
            works = job.state in {State.UPLOADING, State.MIXING}  # S3 took it
            return await store.move(
                job, Move.FINISH, claim_next=True, unstage=unstage, works=works, tries=0, holds=0, code=""
            )
        case Waiting(seconds, answered, queued):
            due = Due(seconds=seconds)
            await store.move(job, Move.WAIT, due=due, works=answered, tries=0, holds=0, code="", queued=int(queued))
        case Spent(code, cause):
            return await _settle(deps, job, State.PARKED, code, cause)
        case Concluded(state, code):
            ended = await store.conclude(job, state, code=code)
            log.info("job_ended", state=state.value, code=code)
            metrics.job_ended(ended, code)
            return ended
        case Deleted(code):
            await store.erase(job, code=code)
        case Forgotten():
            await store.forget(job)
        case Delivered():
            pass
    return None


async def _after_failure(deps: Deps, job: Job, work: Work, failure: StageFailure) -> Job | None:
    """Fail the job, park it, or give it back; whether that counts, and for whom, the stage's breaker has a say in."""
    event = {"attempt": job.tries + 1, "code": failure.code, "cause": failure.cause}
    log.warning("stage_failed", stage=job.state.value, kind=type(failure).__name__, **event)
    open_ended = _open_ended(job)
    down = isinstance(failure, Down)
    if open_ended and isinstance(failure, Permanent):
        metrics.attempted(job.state, Attempt.FAILED)
        works = failure.code not in _SAYS_NOTHING
        return await _settle(deps, job, State.FAILED, failure.code, failure.cause, works=works)
    if open_ended and _too_old(deps, job):
        metrics.attempted(job.state, Attempt.PARKED)
        return await _settle(deps, job, State.PARKED, failure.code, failure.cause)
    # What cannot even be parked is tried until it works: its outcome is decided, or its audio has to go.
    counted = open_ended and not down
    pause = min(failure.retry_after or 0.0, LONGEST_PAUSE)
    move = await deps.store.stumble(
        job,
        event=event,
        counted=counted,
        spent=job.tries + 1 >= work.tries,
        due=Due(seconds=max(pause, backoff(job.tries + 1) if counted else hold_time(job.holds))),
        pause_seconds=pause,
    )
    if move is None:
        metrics.attempted(job.state, Attempt.PARKED)
        return await _settle(deps, job, State.PARKED, failure.code, failure.cause)
    metrics.attempted(job.state, Attempt(move))
    return None


async def _settle(deps: Deps, job: Job, outcome: State, code: str, cause: str, *, works: bool = False) -> Job:
    """Decide how the run ends; the same worker goes on to write it down, unless it has to stand in line for that."""
    return await deps.store.move(
        job,
        Move.SETTLE,
        claim_next=True,
        works=works,
        event={"attempt": job.tries + 1, "code": code, "cause": cause},
        outcome=outcome,
        stage=STAGE_OF[job.state],
        code=code,
        message=LEARNER_MESSAGES.get(code, ""),
        tries=0,
        holds=0,
    )


def _open_ended(job: Job) -> bool:
    """Whether it may still end otherwise: its outcome is not decided, and it was not deleted."""
    return job.outcome is None and job.state is not State.CLEANING


def _too_old(deps: Deps, job: Job) -> bool:
    """Patience with a dependency ends when the staged audio would be given up; the job is parked, not lost."""
    return job.updated_ms - job.began_ms > deps.settings.staged_audio_days * 86_400_000


async def _holds(deps: Deps, job: Job) -> bool:
    """Renew the lease; False when the claim is gone. What cannot be told now is told the next time."""
    try:
        await deps.store.renew(job)
    except Fenced:
        return False
    except VALKEY_DOWN as error:
        log.warning("lease_not_renewed", cause=type(error).__name__)
    except Exception:
        log.exception("lease_not_renewed")
    return True


@asynccontextmanager
async def _lease(deps: Deps, job: Job) -> AsyncIterator[None]:
    """Keep the lease while the body runs; cancel the body with Fenced when somebody else has taken the job."""
    body = asyncio.current_task()
    loop = asyncio.get_running_loop()
    every = deps.settings.lease_seconds / 3
    keeper: asyncio.Task[None] | None = None
    lost = False

    async def keep() -> None:
        nonlocal lost
        while await _holds(deps, job):  # noqa: ASYNC110  # nobody tells when the claim is gone
            await asyncio.sleep(every)
        lost = True
        if body is not None:
            body.cancel()

    def begin() -> None:
        nonlocal keeper
        keeper = loop.create_task(keep())

    timer = loop.call_later(every, begin)  # most stages are over before there is anything to renew
    try:
        yield
    except asyncio.CancelledError:
        if lost and body is not None and body.uncancel() == 0:
            raise Fenced from None
        raise
    finally:
        body = None  # it is over: the keeper may still learn that the claim is gone, as the next move will
        timer.cancel()
        if keeper is not None:
            await cancel(keeper)
