"""The engine's public face: accept a recording or a wish, take a result, show a job. All that the web layer calls."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import orjson
import structlog
from tortoise.exceptions import IntegrityError

from jobs.deps import Deps
from jobs.erasure import erase_attempts
from jobs.identity import Identity
from jobs.results import Unreadable, off_the_loop, read_object
from models.analysis_result import End, find_ends, find_result, record_accepted
from models.db import DATABASE_DOWN
from yousync import metrics
from yousync.errors import DependencyDown, MalformedWebhook, NotFound, ScriptNotFound, TokenNotFound
from yousync.job import BEGINS, Job, Kind, State, Status, View, message_of, new_job_id, public_status

log = structlog.get_logger(__name__)

DUBBINGS: Final = "user_Dubbing_auido/"
"""Where dubbings lie in S3: the folder's name as it always was."""
DUBBING: Final = "dubbing_audio_"
"""How their names begin; the job's id follows."""
_RECENT: Final = 1000  # jobs
_SMALL: Final = 512 * 1024  # bytes; hashing them takes a third of a millisecond


class Delivery(StrEnum):
    """What became of a webhook."""

    DELIVERED = "delivered"  # it moved its job
    KEPT = "kept"  # durable, used as soon as the job is there
    DUPLICATE = "duplicate"  # the job has its result
    LATE = "late"  # the job has ended otherwise: kept for an operator
    DROPPED = "dropped"  # no such job is waiting for anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An upload that was checked: what it is, whose, and for which sentence."""

    kind: Kind
    audio: bytes
    container: str
    duration_s: float
    token_id: int
    script_id: int | None
    user_id: int | None
    address: str  # the client's; whom an anonymous upload counts against
    idempotency_key: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A job that begins without a recording: `request` says what to do, as JSON has it, and is kept in its row.

    The same request by the same user within DEDUPE_SECONDS is the same job, unless that has failed: whatever may
    make it another one belongs into the request.
    """

    kind: Kind
    request: Mapping[str, Any]
    user_id: int
    token_id: int | None = None
    idempotency_key: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Views:
    """What is known of some jobs, and of which nothing can be said while Postgres is away."""

    known: dict[str, View]
    unsure: set[str]


class Engine:
    """Jobs, seen from outside. Raises yousync.errors; a Valkey or Postgres that is away raises its own errors."""

    def __init__(self, deps: Deps, identity: Identity) -> None:
        self._deps = deps
        self._identity = identity
        self._begun: dict[str, object] = {}  # jobs that were accepted here not long ago, with the link of then

    async def accept(self, recording: Recording) -> Job:
        """Make a recording a job that no crash can lose, or find the job it already is.

        In this order: audio staged, record and hand-over in one step, row in Postgres. When this returns,
        every process answers for the job's id. Raises TooManyJobs, StagingFull, TokenNotFound, ScriptNotFound.
        """
        return await self._accept(self._new_job(recording, await _digest(recording.audio)), recording.audio)

    async def accept_all(self, recordings: Sequence[Recording]) -> list[Job]:
        """The same for recordings of one learner that come together, in order: all are accepted, or none is."""
        jobs = [self._new_job(each, await _digest(each.audio)) for each in recordings]
        pairs = [(job, each.audio) for job, each in zip(jobs, recordings, strict=True)]
        accepted = await self._deps.store.accept_all(pairs, owner_limit=self._limit(jobs[0]))
        gone: NotFound | None = None
        for job in {job.id: job for job in accepted}.values():
            try:
                await self._recorded(job, new=any(job.id == each.id for each in jobs))
            except NotFound as error:  # its clip was deleted just now; the others need their rows all the same
                gone = error
        if gone is not None:
            raise gone
        return accepted

    async def order(self, order: Order) -> Job:
        """The same for a job that needs no recording. Raises TooManyJobs, TokenNotFound.

        The key of what a synthesis makes is in the job's `s3_key`.
        """
        return await self._accept(self._new_order(order), None)

    async def _accept(self, job: Job, audio: bytes | None) -> Job:
        accepted = await self._deps.store.accept(job, audio, owner_limit=self._limit(job))
        await self._recorded(accepted, new=accepted.id == job.id)
        return accepted

    def _limit(self, job: Job) -> int:
        settings = self._deps.settings
        return settings.max_jobs_per_address if job.user_id is None else settings.max_jobs_per_user

    async def _recorded(self, job: Job, *, new: bool) -> None:
        try:
            await record_accepted(job)
        except IntegrityError:
            # Deleted between the check and here; the job itself finds that out when it ends.
            raise (TokenNotFound if job.script_id is None else ScriptNotFound) from None
        if new:
            metrics.UPLOADS_ACCEPTED.labels(job.kind).inc()
            self._begun[job.id] = self._deps.store.link
            if len(self._begun) > _RECENT:
                del self._begun[next(iter(self._begun))]

    async def deliver(self, job_id: str, body: bytes) -> Delivery:
        """Take the result of a job; durable when this returns.

        A result whose record is lost is kept for the reconciler as long as its row waits for one. Raises
        MalformedWebhook for what is no JSON object, DependencyDown where a later version of ours has the job.
        """
        try:
            await off_the_loop(read_object, body)
        except Unreadable as error:
            raise MalformedWebhook from error
        done = await self._deps.store.deliver(job_id, body)
        metrics.RESULTS.labels("webhook", done).inc()
        if done == "unreadable":
            raise DependencyDown(retry_after=5)
        if done != "unknown":
            return Delivery(done)
        row = await find_result(job_id)
        if row is None or State(row.state).final:
            return Delivery.DROPPED
        await self._deps.store.keep_for_lost(job_id, body)
        # The reconciler may have made the record in between, and then it looks for no result.
        done = await self._deps.store.deliver(job_id, body)
        return Delivery.KEPT if done == "unknown" else Delivery(done)

    async def delete_results(self, user_id: int, token_id: int) -> int:
        """Delete a learner's attempts at a clip for good, and their recordings; how many those were.

        Jobs that are running end, and what comes for them later is dropped. Who did it and why is in the tombstones.
        """
        return await erase_attempts(self._deps, self._identity, user_id=user_id, token_id=token_id)

    async def view(self, job_id: str) -> View | None:
        """What clients see of a job. Postgres' word on how it ended goes over whatever Valkey says."""
        views = await self.live_views([job_id], unseen={job_id})
        if views.unsure:
            raise DependencyDown(retry_after=5)
        return views.known.get(job_id)

    async def live_views(
        self,
        job_ids: Sequence[str],
        *,
        unseen: AbstractSet[str],
        told: Mapping[str, Job] = MappingProxyType({}),
        trusting: bool = False,
        results: bool = True,
    ) -> Views:
        """The same for many jobs at once; those of which nothing is known are in neither part of the answer.

        Postgres is asked about those that are `unseen` and those that have ended: whoever saw a job running
        learns from its record alone that it still does, and whoever is `trusting` also of those just accepted
        here, if a moment later than Postgres would. Hints may have `told` of records: these are not read.
        Who does not want the `results` is spared reading them.
        """
        # The records first: once one says that its job has ended, the row that tells how is committed.
        records = await self._deps.store.read_many([job_id for job_id in job_ids if job_id not in told]) | dict(told)
        doubted = {job_id for job_id in unseen if not (trusting and self._just_accepted(job_id))}
        asked = [
            job_id for job_id in job_ids if job_id in doubted or job_id not in records or records[job_id].state.final
        ]
        rows: dict[str, End | None] = {}
        unsure = set[str]()
        try:
            rows = await find_ends(asked, results=results) if asked else {}
            unsure = {job_id for job_id, end in rows.items() if end is None}
        except DATABASE_DOWN as error:
            log.warning("ends_unknown", jobs=len(asked), cause=type(error).__name__)
            unsure = set(asked)
        views = {job_id: _view(records.get(job_id), rows.get(job_id)) for job_id in job_ids if job_id not in unsure}
        return Views({job_id: view for job_id, view in views.items() if view is not None}, unsure)

    def _just_accepted(self, job_id: str) -> bool:
        """Whether it was this process that accepted the job, in the Valkey server that was asked about it just now.

        Another server may have been restored from a backup, and tell of long ago.
        """
        return job_id in self._begun and self._begun[job_id] is self._deps.store.link

    def _new_job(self, recording: Recording, digest: str) -> Job:
        job_id = new_job_id(recording.kind)
        owner = f"address:{recording.address}" if recording.user_id is None else f"user:{recording.user_id}"
        return Job(
            id=job_id,
            kind=recording.kind,
            state=BEGINS[recording.kind],
            version=0,
            run=1,
            claim="",
            token_id=recording.token_id,
            script_id=recording.script_id,
            user_id=recording.user_id,
            owner=owner,
            dedupe=_dedupe(recording, owner, digest),
            container=recording.container,
            s3_key=_s3_key(recording, job_id),
            size=len(recording.audio),
            duration_ms=round(recording.duration_s * 1000),
            incarnation=self._identity.incarnation,
            progress=0,
            created_ms=0,
            updated_ms=0,
            request_id=recording.request_id,
        )

    def _new_order(self, order: Order) -> Job:
        job_id = new_job_id(order.kind)
        owner = f"user:{order.user_id}"
        request = orjson.dumps(order.request, option=orjson.OPT_SORT_KEYS)
        what = f"{order.kind}:{order.token_id or ''}:"
        makes = f"{DUBBINGS}{order.user_id}/{order.token_id}/{DUBBING}{job_id}.wav"
        return Job(
            id=job_id,
            kind=order.kind,
            state=BEGINS[order.kind],
            version=0,
            run=1,
            claim="",
            token_id=order.token_id,
            script_id=None,
            user_id=order.user_id,
            owner=owner,
            dedupe=_hashed(owner, what, order.idempotency_key, hashlib.sha256(request).hexdigest()),
            container="wav" if order.kind is Kind.SYNTHESIS else "",
            s3_key=makes if order.kind is Kind.SYNTHESIS else "",
            size=0,
            duration_ms=0,
            incarnation=self._identity.incarnation,
            progress=0,
            created_ms=0,
            updated_ms=0,
            request_id=order.request_id,
            request=orjson.loads(request),
        )


def _view(job: Job | None, end: End | None) -> View | None:
    if end is not None and (job is None or (end.state.final and end.view.version[0] >= job.run)):
        return replace(end.view, moved_ms=0 if job is None else job.updated_ms)
    return None if job is None or job.code == "deleted" else view_of(job)


def running(job: Job) -> View | None:
    """What clients see of a record of a job that runs; None for one that has ended, of which its row tells."""
    return None if job.state.final else _view(job, None)


def view_of(job: Job) -> View:
    """What clients see of a record."""
    return View(
        job_id=job.id,
        kind=job.kind,
        user_id=job.user_id,
        token_id=job.token_id,
        status=Status.QUEUED if job.state is State.WAITING and job.queued else public_status(job.state),
        progress=0 if job.state.final and job.state is not State.COMPLETED else job.progress,
        result=None,
        message=job.message or message_of(job.kind, job.state),
        created_at=job.created_at,
        version=(job.run, job.version),
        moved_ms=job.updated_ms,
    )


async def _digest(audio: bytes) -> str:
    """SHA-256 of a recording, in a thread where it is large enough to be felt by everybody else."""
    hashed = hashlib.sha256(audio) if len(audio) <= _SMALL else await asyncio.to_thread(hashlib.sha256, audio)
    return hashed.hexdigest()


def _dedupe(recording: Recording, owner: str, digest: str) -> str:
    """The same bytes by the same user for the same sentence are the same upload (existing clients send again).

    An Idempotency-Key says so explicitly and wins; it never reaches across users.
    """
    sentence = f"{recording.kind}:{recording.token_id}:{recording.script_id or ''}"
    return _hashed(owner, sentence, recording.idempotency_key, digest)


def _hashed(owner: str, what: str, idempotency_key: str | None, digest: str) -> str:
    said = f"bytes|{owner}|{what}|{digest}" if idempotency_key is None else f"key|{owner}|{what}|{idempotency_key}"
    return hashlib.sha256(said.encode()).hexdigest()


def _s3_key(recording: Recording, job_id: str) -> str:
    """A key of the job's own: a later upload never overwrites audio that a running job still reads."""
    name = f"{job_id}.{recording.container}"
    if recording.user_id is not None and recording.script_id is not None:
        return f"user_audio/{recording.user_id}/{recording.token_id}/{recording.script_id}/{name}"
    return f"audio/{name}"
