"""Reading what lies in Valkey: records, their logs, what came for them, and how things stand as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from redis.asyncio import Redis

from jobs import keys
from jobs.encoding import event_of, job_of
from jobs.script import Script
from yousync.errors import DependencyDown
from yousync.failpoints import failpoints
from yousync.job import Event, Job, Stage, State
from yousync.settings import Settings

log = structlog.get_logger(__name__)

_MANY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The way into a stage: shut by an operator (`paused`), by its breaker (until `open_until_ms`), or open."""

    stage: Stage
    paused: bool
    who: str  # paused it
    why: str
    since_ms: int
    open_until_ms: int  # the breaker lets the next job try then; 0 while the stage works
    code: str  # of the failure that opened the breaker
    downs: int  # jobs in a row that failed here as others would too
    held: int  # jobs standing in line


@dataclass(frozen=True, slots=True, kw_only=True)
class GateEvent:
    """An operator paused or resumed a stage."""

    at_ms: int
    stage: Stage
    action: str  # "pause" or "resume"
    who: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """All that lies in Valkey, counted. Times are milliseconds since 1970 on Valkey's clock."""

    now_ms: int
    states: dict[State, int]
    oldest_ms: dict[State, int]  # when the job that is longest in a state got there; only states with jobs
    queued: int  # handed to arq and not finished
    due: int  # on the clock
    running: int  # leases held
    staged_bytes: int
    gates: list[Gate]


class Records:
    """Raises yousync.valkey.VALKEY_DOWN errors when Valkey is away."""

    def __init__(self, valkey: Redis, staging: Redis, settings: Settings) -> None:
        self._valkey = valkey
        self._staging = staging
        self._settings = settings
        self.script = Script(valkey, settings)
        self._run = self.script.run

    async def now(self) -> datetime:
        """The time by which everything here is counted: Valkey's."""
        seconds, micros = await self._valkey.time()
        return datetime.fromtimestamp(int(seconds) + int(micros) / 1e6, UTC)

    async def read(self, job_id: str) -> Job | None:
        """The record of a job as it stands. Raises DependencyDown for one of a later version of ours."""
        found: dict[bytes, bytes] = await self._valkey.execute_command(  # type: ignore[no-untyped-call]  # typed as sync in redis-py 5.3
            "HGETALL", keys.job(job_id)
        )
        if not found.get(b"state"):
            return None
        job = readable(job_id, found)
        if job is None:
            raise DependencyDown(retry_after=5)
        return job

    async def existing(self, job_ids: Sequence[str]) -> set[str]:
        """Those of these jobs that have a record, readable or not."""
        async with self._valkey.pipeline(transaction=False) as pipeline:
            for job_id in job_ids:
                pipeline.exists(keys.job(job_id))
            found = await pipeline.execute()
        return {job_id for job_id, there in zip(job_ids, found, strict=True) if there}

    async def read_many(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """The records that exist of these jobs, as far as this version of ours can read them."""
        found: dict[str, Job] = {}
        for start in range(0, len(job_ids), _MANY):
            async with self._valkey.pipeline(transaction=False) as pipeline:
                for job_id in job_ids[start : start + _MANY]:
                    pipeline.hgetall(keys.job(job_id))
                for job_id, fields in zip(job_ids[start : start + _MANY], await pipeline.execute(), strict=True):
                    if fields.get(b"state") and (job := readable(job_id, fields)) is not None:
                        found[job_id] = job
        return found

    async def ids(self, state: State, *, start: int = 0, limit: int = 500, newest: bool = False) -> list[str]:
        """Ids of the jobs in a state, by the time they got there."""
        names: list[bytes] = await self._valkey.zrange(keys.state(state), start, start + limit - 1, desc=newest)
        return [name.decode() for name in names]

    async def events(self, job_id: str) -> list[Event]:
        """The log of a job, oldest first."""
        return _log(await self._valkey.xrange(keys.events(job_id)))

    @failpoints("evidence.read")
    async def evidence(self, job_id: str) -> tuple[bytes | None, list[Event]]:
        """The body of the result that came for this job, and its log: what there is to write down of it."""
        async with self._valkey.pipeline(transaction=False) as pipeline:
            pipeline.get(keys.inbox(job_id))
            pipeline.xrange(keys.events(job_id))
            body, entries = await pipeline.execute()
        return body, _log(entries)

    async def is_staged(self, job_id: str) -> bool:
        """Whether the audio of a job lies staged."""
        return bool(await self._staging.exists(keys.audio(job_id)))

    async def gatekeeping(self, *, limit: int) -> list[GateEvent]:
        """What operators paused and resumed, newest first; it is kept for 90 days."""
        return [
            GateEvent(
                at_ms=int(found[b"at_ms"]),
                stage=Stage(found[b"stage"].decode()),
                action=found[b"action"].decode(),
                who=found[b"who"].decode(),
                why=found[b"why"].decode(),
            )
            for _, found in await self._valkey.xrevrange(keys.GATEKEEPING, count=limit)
        ]

    async def stats(self) -> Stats:
        """How things stand."""
        states, stages, (now_ms, queued, due, running, staged) = await self._run("stats", states=list(State))
        return Stats(
            now_ms=int(now_ms),
            states={State(name.decode()): int(jobs) for name, jobs, _ in states},
            oldest_ms={State(name.decode()): int(oldest) for name, jobs, oldest in states if jobs},
            queued=int(queued),
            due=int(due),
            running=int(running),
            staged_bytes=int(staged),
            gates=[_gate(*line) for line in stages],
        )


def readable(job_id: str, found: Mapping[bytes, bytes]) -> Job | None:
    """The job in a record; None, which the log tells, for one that only a later version of ours can read."""
    try:
        return job_of(found)
    except (KeyError, ValueError) as error:
        log.warning("record_unreadable", job_id=job_id, cause=repr(error))
        return None


def _log(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> list[Event]:
    return [event_of(entry, found) for entry, found in entries]


def _gate(stage: bytes, who: bytes, why: bytes, since: bytes, until: bytes, code: bytes, downs: int, held: int) -> Gate:
    return Gate(
        stage=Stage(stage.decode()),
        paused=int(since) > 0,
        who=who.decode(),
        why=why.decode(),
        since_ms=int(since),
        open_until_ms=int(until),
        code=code.decode(),
        downs=downs,
        held=held,
    )
