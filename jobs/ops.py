"""What operators may do: let a job go on, end it, delete it, shut a stage. Each is an event with who and why."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Final

from jobs.deps import Deps
from jobs.encoding import fields_of, job_of_reply
from jobs.erasure import DELETED, burial
from jobs.identity import Identity
from jobs.pipeline import BEGINNINGS, CHOICES, MOVES, RESTARTS, Move, resumed
from jobs.presence import WorkerInfo, workers
from jobs.reconciler import job_of_row
from jobs.records import Gate, GateEvent, Stats
from jobs.results import text_of
from models.analysis_result import AnalysisResult, find_result
from models.deletion import bury
from yousync.errors import JobNotFound, OperationRefused
from yousync.job import Job, Kind, Stage, State, is_job_id, message_of

_LOST: Final = "its record is lost; the reconciler takes care of it within minutes"
_LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """An operator and their reason, kept in the event log; what cannot be stored is left out of both."""

    who: str
    why: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "who", text_of(self.who))
        object.__setattr__(self, "why", text_of(self.why))

    def event(self, **fields: Any) -> dict[str, Any]:
        """An event of theirs."""
        return {"actor": self.who, "cause": self.why} | fields


class Ops:
    """Raises JobNotFound, OperationRefused, and DependencyDown where a later version of ours has the job.

    What is down raises its own errors, and then nothing was done.
    """

    def __init__(self, deps: Deps, identity: Identity) -> None:
        self._deps = deps
        self._store = deps.store
        self._identity = identity

    async def restart(self, job_id: str, *, stage: Stage | None, by: By) -> Job:
        """Let an ended job go on from `stage`, by default the one it had got to, as a new run with new budgets.

        A completed job is done again only where a stage is named. Its row keeps saying how the earlier run
        ended until the new one has.
        """
        row = await self._row(job_id)
        job = await self._store.read(job_id)
        if job is None and not State(row.state).final:
            raise OperationRefused(_LOST)
        if job is not None and not job.state.final:
            raise OperationRefused(f"the job is {job.state}")
        job = job or job_of_row(row, self._identity)
        if stage is None:
            if row.state == State.COMPLETED:
                raise OperationRefused("completed: name the stage to do again")
            stage = Stage(row.stage) if row.stage in BEGINNINGS[job.kind] else resumed(job.kind)
        if stage not in BEGINNINGS[job.kind]:
            raise OperationRefused(f"no {job.kind} job starts with {stage}")
        job = await self._with_audio(job, stage)
        sources = dict.fromkeys(CHOICES[Move.RESTART][0], True)
        return await self._moved(
            row,
            Move.RESTART,
            by.event(),
            target=RESTARTS[stage],
            sources=sources,
            fields=fields_of(job),
            version=max(job.version, row.version),
            run=row.run,
        )

    async def cancel(self, job_id: str, *, by: By) -> Job:
        """End an unfinished or parked job; a worker that is at it loses its claim."""
        row = await self._row(job_id)
        message = message_of(Kind(row.kind), State.CANCELLED)
        return await self._moved(row, Move.CANCEL, by.event(code="cancelled"), message=message)

    async def accept_late(self, job_id: str, *, by: By) -> Job:
        """Take the result that came after the end for the job's own, as a new run."""
        row = await self._row(job_id)
        return await self._moved(row, Move.ACCEPT_LATE, by.event())

    async def delete(self, job_id: str, *, by: By) -> None:
        """Delete a result for good, and its recording; a job that is running ends. Its tombstone says who and why."""
        row = await self._row(job_id)
        job = await self._readable(row)
        await bury(job_id, await self._burial(job, row, by))
        await self._store.erase(job, code=DELETED, actor=by.who, cause=by.why)

    async def expire(self, job_id: str, *, by: By) -> bool:
        """Delete a result that is no longer kept; False when its job goes on."""
        row = await self._row(job_id)
        job = await self._readable(row)
        event = await self._burial(job, row, by)
        # The record first: from then on nobody lets the job run again. What is left of this when the process dies
        # is a row that is still too old.
        if not await self._store.erase(job, code=DELETED, actor=by.who, cause=by.why, only_ended=True):
            return False
        await bury(job_id, event)
        return True

    async def _burial(self, job: Job, row: AnalysisResult, by: By) -> dict[str, Any]:
        return burial(job, row.version, at=await self._store.now(), who=by.who, why=by.why)

    async def pause(self, stages: Collection[Stage], *, by: By) -> None:
        """Let no job start these stages; those that are at it finish. Uploads go on being accepted."""
        await self._store.script.run("pause", op=secrets.token_hex(8), names=list(stages), who=by.who, why=by.why)

    async def resume(self, stages: Collection[Stage], *, by: By) -> None:
        """Open these stages again; whoever stands in line goes on."""
        await self._store.script.run("resume", names=list(stages), who=by.who, why=by.why)

    async def drain(self, seconds: float, *, by: By) -> Stats:
        """Pause all stages; how things stand once no job is at work, or after so many seconds."""
        await self.pause(list(Stage), by=by)
        until = time.monotonic() + seconds
        while True:
            found = await self.stats()
            if not found.running or time.monotonic() > until:
                return found
            await asyncio.sleep(_LOOK_SECONDS)

    async def gatekeeping(self, *, limit: int = 100) -> list[GateEvent]:
        """What was paused and resumed, by whom and why, newest first."""
        return await self._store.gatekeeping(limit=limit)

    async def stats(self) -> Stats:
        """How things stand."""
        return await self._store.stats()

    async def gates(self) -> list[Gate]:
        """The way into each stage."""
        return (await self._store.stats()).gates

    async def workers(self) -> list[WorkerInfo]:
        """Every process that works on jobs."""
        return await workers(self._deps.valkey)

    async def _row(self, job_id: str) -> AnalysisResult:
        row = await find_result(job_id) if is_job_id(job_id) else None
        if row is None:
            raise JobNotFound
        return row

    async def _readable(self, row: AnalysisResult) -> Job:
        """The job, or what its row tells of it where there is no record or one of a later version."""
        found = await self._store.read_many([row.job_id])
        return found.get(row.job_id) or job_of_row(row, self._identity)

    async def _with_audio(self, job: Job, stage: Stage) -> Job:
        """The job, its size filled in where only S3 knows it. Raises OperationRefused when the audio is nowhere."""
        needs = job.kind.recorded and stage is not Stage.PERSIST
        if not needs or (stage is Stage.UPLOAD and await self._store.is_staged(job.id)):
            return job
        size = await self._deps.storage.size(job.s3_key)
        if size is None:
            raise OperationRefused(f"its audio is not in S3, so it cannot start with {stage}")
        return replace(job, size=size)

    async def _moved(self, row: AnalysisResult, move: Move, event: dict[str, Any], **arguments: Any) -> Job:
        reply = await self._store.script.run(
            move.value,
            id=row.job_id,
            op=secrets.token_hex(8),
            move=move,
            event=event,
            targets=MOVES.get(move),
            **arguments,
        )
        match reply[0]:
            case b"moved":
                return job_of_reply(reply[1])
            case b"no_result":
                raise OperationRefused("no result is kept that it could go on with")
            case _ if state := reply[1].decode():
                raise OperationRefused(f"the job is {state}")
            case _:
                raise OperationRefused("the job is over: its record is gone" if State(row.state).final else _LOST)
