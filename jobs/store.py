"""The job records in Valkey: this file and record.lua beside it are all that knows a key."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from arq.jobs import serialize_job
from redis.asyncio import Redis

from jobs.encoding import fields_of, job_of, job_of_reply
from jobs.pipeline import ENTRIES, MOVES, Move
from yousync.errors import StagingFull, TooManyJobs
from yousync.failpoints import failpoint, failpoints
from yousync.job import PROGRESS, Event, Job, State
from yousync.settings import Settings
from yousync.valkey import PROCESS_ID, ValkeyUnwritable, writing

PREFIX: Final = "yousync:"
QUEUE: Final = PREFIX + "queue"
WAKE: Final = PREFIX + "wake"
CHANGED: Final = PREFIX + "changed:"
ACTOR: Final = "advance"
DEAD: Final = frozenset({State.FAILED, State.PARKED, State.CANCELLED})
"""States whose upload may be sent again and becomes a new job."""

DISPATCH_LEASES: Final = 2  # a hand-over that leads to no claim within so many leases is made again
IN_FLIGHT_MS: Final = 5_000  # how long a job waits for room at the analysis server when nobody nudges it
STAGING_MS: Final = 120_000  # how long audio may lie staged before its job is accepted

dumps = orjson.dumps
loads = orjson.loads


class Fenced(Exception):
    """The claim this write was made under is no longer ours: somebody else has the job, or it moved on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When the clock should look at a job again: at once (None) or after so many seconds."""

    seconds: float | None = None

    @property
    def ms(self) -> int | None:
        """The same in milliseconds."""
        return None if self.seconds is None else max(0, round(self.seconds * 1000))


AT_ONCE: Final = Due()


class Store:
    """Records, moved only by record.lua; raises yousync.valkey.VALKEY_DOWN errors when Valkey is away."""

    def __init__(self, valkey: Redis, staging: Redis, settings: Settings) -> None:
        self._valkey = valkey
        self._staging = staging
        self._settings = settings
        self._script = valkey.register_script((Path(__file__).parent / "record.lua").read_text())
        self._same = staging is valkey  # then the script sees the staged audio too
        self._lease_ms = round(settings.lease_seconds * 1000)
        self._audio_ms = settings.staged_audio_days * 86_400_000

    # --- staged audio ------------------------------------------------------------------------------

    @failpoints("audio.stage")
    async def stage(self, job_id: str, audio: bytes) -> None:
        """Put audio where every worker can read it; it goes by itself unless its job is accepted soon.

        Raises StagingFull when Valkey has no memory left for it.
        """
        try:
            with writing():
                await self._staging.set(_audio_key(job_id), audio, px=STAGING_MS)
        except ValkeyUnwritable:
            raise StagingFull(retry_after=5) from None

    async def unstage(self, job_id: str) -> None:
        """Forget staged audio; nothing happens when there is none."""
        await self._staging.unlink(_audio_key(job_id))

    @failpoints("audio.read")
    async def staged(self, job_id: str) -> bytes | None:
        """The staged audio of a job, None once S3 holds it (or it was lost)."""
        value = await self._staging.get(_audio_key(job_id))
        return bytes(value) if value is not None else None

    # --- the life of a record ----------------------------------------------------------------------

    async def accept(self, job: Job, *, owner_limit: int) -> Job:
        """Make staged audio a job, or find the job the same upload already is.

        One step: dedupe, limits, record, first event, hand-over to a worker. Raises TooManyJobs, StagingFull.
        """
        if not (self._same or await self._staging.pexpire(_audio_key(job.id), self._audio_ms)):
            raise StagingFull(retry_after=1)
        reply = await self._run(
            "accept",
            id=job.id,
            fields=fields_of(job),
            move=Move.ACCEPT,
            target=ENTRIES[Move.ACCEPT],
            dead=dict.fromkeys(DEAD, True),
            owner_limit=owner_limit,
            staged_limit=self._settings.staged_audio_bytes,
            dedupe_ms=self._settings.dedupe_seconds * 1000,
            audio_key=_audio_key(job.id) if self._same else None,
            audio_ms=self._audio_ms,
        )
        match reply[0]:
            case b"accepted":
                return job_of_reply(reply[2])
            case b"known":
                known = await self.read(reply[1].decode())
                if known is None:
                    raise StagingFull(retry_after=1)
                if known.id != job.id:
                    await self.unstage(job.id)
                return known
            case b"too_many":
                await self.unstage(job.id)
                raise TooManyJobs(retry_after=10)
            case _:
                await self.unstage(job.id)
                raise StagingFull(retry_after=5)

    async def adopt(self, job: Job) -> None:
        """Give a job whose audio is in S3 a record again; a record that is there stays."""
        await self._run(
            "adopt", id=job.id, fields=fields_of(job), version=job.version, move=Move.ADOPT, target=ENTRIES[Move.ADOPT]
        )

    async def claim(self, job_id: str, version: int) -> Job | None:
        """Take the lease of the job dispatched as `version` and start its next stage.

        None when there is nothing to do: it moved on, ended, or waits for room at the analysis server.
        """
        reply = await self._run(
            "claim",
            id=job_id,
            version=version,
            claim=secrets.token_hex(8),
            targets=MOVES[Move.CLAIM],
            lease_ms=self._lease_ms,
            audio_key=_audio_key(job_id) if self._same else None,
            audio_ms=self._audio_ms,
        )
        return job_of_reply(reply[1]) if reply[0] == b"claimed" else None

    async def hand_over(self, job: Job) -> None:
        """Hand a job nobody holds to a worker at once, unless it has moved on since."""
        await self._run("hand_over", id=job.id, version=job.version)

    async def renew(self, job: Job) -> None:
        """Make the lease last its full time from now. Raises Fenced."""
        _check(await self._run("renew", id=job.id, claim=job.claim, lease_ms=self._lease_ms))

    async def move(
        self,
        job: Job,
        move: Move,
        *,
        due: Due = AT_ONCE,
        keep_claim: bool = False,
        unstage: bool = False,
        stamps: Iterable[str] = (),
        event: Mapping[str, Any] | None = None,
        **fields: str | int,
    ) -> Job:
        """Move a job under its claim; `fields` are set, `stamps` name fields that get Valkey's time.

        With `keep_claim` the caller goes on with the job and `due` is the lease. Raises Fenced.
        """
        reply = await self._run(
            "move",
            id=job.id,
            claim=job.claim,
            op=secrets.token_hex(8),
            move=move,
            targets=MOVES[move],
            fields={name: str(value) for name, value in fields.items()},
            stamps=list(stamps),
            keep_claim=keep_claim,
            due_ms=self._lease_ms if keep_claim else due.ms,
            unstage=unstage,
            audio_key=_audio_key(job.id) if unstage and self._same else None,
            event=event or {},
        )
        _check(reply)
        if unstage and not self._same:
            await self.unstage(job.id)
        return job_of_reply(reply[1])

    async def conclude(self, job: Job, state: State, *, code: str) -> Job:
        """The last move of a run, made when Postgres has its outcome. Raises Fenced."""
        parked = state is State.PARKED
        ended_ms = self._settings.ended_record_seconds * 1000
        reply = await self._run(
            "conclude",
            id=job.id,
            claim=job.claim,
            target=state,
            release_dedupe=state in DEAD,
            keep_audio=parked,
            audio_key=_audio_key(job.id) if self._same else None,
            record_ms=max(self._audio_ms, ended_ms) if parked else ended_ms,
            event={"code": code},
        )
        _check(reply)
        if not (parked or self._same):
            await self.unstage(job.id)
        return job_of_reply(reply[1])

    async def deliver(self, job_id: str, body: bytes) -> str:
        """A result from outside, durable when this returns.

        Returns delivered, kept (it came before we asked), duplicate, or unknown (no record).
        """
        reply = await self._run("deliver", body, id=job_id, targets=MOVES[Move.DELIVER], keeps=MOVES[Move.KEEP])
        return bytes(reply[0]).decode()

    @failpoints("inbox.keep")
    async def keep_for_lost(self, job_id: str, body: bytes) -> None:
        """Keep a result whose record is lost, once, for the reconciler to find."""
        await self._valkey.set(_inbox_key(job_id), body, nx=True, px=86_400_000)

    async def sweep(self, *, limit: int = 500) -> int:
        """Hand all that is due to arq; how many that was."""
        return int((await self._run("sweep", limit=limit))[1])

    async def prune(self) -> None:
        """Forget the staged sizes of jobs that are no more, and make the sum the sum of what is there."""
        await self._run("prune")

    async def hint(self, job_id: str) -> None:
        """Tell whoever watches a job that there is something new to read about it."""
        await self._valkey.publish(changed_channel(job_id), b"0")

    async def probe(self) -> None:
        """Write something, to see whether Valkey takes it."""
        with writing():
            await self._valkey.set(PREFIX + "probe", b"", px=60_000)

    # --- reading -----------------------------------------------------------------------------------

    async def read(self, job_id: str) -> Job | None:
        """The record of a job as it stands."""
        found: dict[bytes, bytes] = await self._valkey.execute_command(  # type: ignore[no-untyped-call]  # typed as sync in redis-py 5.3
            "HGETALL", _job_key(job_id)
        )
        return job_of(found) if found.get(b"state") else None

    @failpoints("inbox.read")
    async def inbox(self, job_id: str) -> bytes | None:
        """The body of the result that came for this job."""
        value = await self._valkey.get(_inbox_key(job_id))
        return bytes(value) if value is not None else None

    @failpoints("events.read")
    async def events(self, job_id: str) -> list[Event]:
        """The log of a job, oldest first."""
        return [
            Event(
                version=int(entry.split(b"-")[0]),
                at_ms=int(found[b"at_ms"]),
                move=found[b"move"].decode(),
                source=found[b"source"].decode(),
                target=found[b"target"].decode(),
                actor=found[b"actor"].decode(),
                attempt=int(found[b"attempt"]),
                code=found[b"code"].decode(),
                cause=found[b"cause"].decode(),
            )
            for entry, found in await self._valkey.xrange(_events_key(job_id))
        ]

    async def _run(self, command: str, body: bytes = b"", **arguments: Any) -> list[Any]:
        """One command of record.lua, sent again once by the client when the connection breaks."""
        payload = serialize_job(ACTOR, (), {}, None, int(time.time() * 1000), serializer=dumps)
        given = {
            "actor": PROCESS_ID,
            "payload": payload.decode(),
            "dispatch_ms": DISPATCH_LEASES * self._lease_ms,
            "progress": PROGRESS,
            "in_flight_limit": self._settings.analysis_max_in_flight,
            "in_flight_ms": IN_FLIGHT_MS,
            **{name: value for name, value in arguments.items() if value is not None},
        }
        point = f"record.{arguments.get('move', command)}"
        failpoint(f"{point}.before")
        with writing():
            reply: list[Any] = await self._script(
                keys=[PREFIX], args=[command, dumps(given, option=orjson.OPT_NON_STR_KEYS), body]
            )
        failpoint(f"{point}.after")
        return reply


def changed_channel(job_id: str) -> str:
    """Where a job's changes are hinted at; the message is its version."""
    return CHANGED + job_id


def dispatched(arq_id: str) -> tuple[str, int]:
    """The job id and version that an arq job id names."""
    job_id, version, _ = arq_id.rsplit(":", 2)
    return job_id, int(version)


def _job_key(job_id: str) -> str:
    return f"{PREFIX}job:{job_id}"


def _events_key(job_id: str) -> str:
    return f"{PREFIX}events:{job_id}"


def _inbox_key(job_id: str) -> str:
    return f"{PREFIX}inbox:{job_id}"


def _audio_key(job_id: str) -> str:
    return f"{PREFIX}audio:{job_id}"


def _check(reply: list[Any]) -> None:
    if reply[0] in {b"fenced", b"illegal"}:
        raise Fenced
