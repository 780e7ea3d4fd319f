"""The life of a record in Valkey, from accepted to its end; operators' moves are in ops.py."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from jobs import keys
from jobs.encoding import fields_of, hash_of, job_of_reply
from jobs.pipeline import CHOICES, MOVES, Move
from jobs.records import Records, readable
from jobs.room import Room
from jobs.script import checked
from yousync.errors import StagingFull, TooManyJobs
from yousync.failpoints import failpoints
from yousync.failures import LEARNER_MESSAGES
from yousync.job import FINAL_STATES, Job, Kind, State
from yousync.settings import Settings
from yousync.valkey import VALKEY_DOWN, ValkeyUnwritable, apart, link_of, writing

DEAD: Final = frozenset({State.FAILED, State.PARKED, State.CANCELLED, State.CLEANING})
"""States whose upload may be sent again and becomes a new job."""

_STAGED: Final = frozenset({State.ACCEPTED, State.UPLOADING})
STAGING_MS: Final = 120_000  # how long audio may lie staged before its job is accepted
_SMALL: Final = 512 * 1024  # bytes of a recording
_LOST_RESULT_MS: Final = 86_400_000  # how long a result waits for its lost record
_TRIAL_LEASES: Final = 2  # how long the one job that tries a shut stage keeps others from trying


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When the clock should look at a job again: at once (None) or after so many seconds."""

    seconds: float | None = None

    @property
    def ms(self) -> int | None:
        """The same in milliseconds."""
        return None if self.seconds is None else max(0, round(self.seconds * 1000))


AT_ONCE: Final = Due()


class Store(Records):
    """Records, moved only by the script; raises yousync.valkey.VALKEY_DOWN errors when Valkey is away."""

    def __init__(self, valkey: Redis, staging: Redis, settings: Settings) -> None:
        super().__init__(valkey, staging, settings)
        self._same = staging is valkey  # then the script sees the staged audio too
        self._room = Room(valkey)
        self._lease_ms = round(settings.lease_seconds * 1000)
        self._audio_ms = settings.staged_audio_days * 86_400_000
        self._leasing: dict[str, Any] = {
            "claims": MOVES[Move.CLAIM],
            "lease_ms": self._lease_ms,
            "trial_ms": _TRIAL_LEASES * self._lease_ms,
            "audio_ms": self._audio_ms,
        }

    # --- staged audio ------------------------------------------------------------------------------

    @failpoints("audio.stage")
    async def stage(self, job_id: str, audio: bytes) -> None:
        """Put audio where every worker can read it; it goes by itself unless its job is accepted soon.

        Raises StagingFull when Valkey has no memory left for it.
        """
        try:
            with writing():
                await self._way(len(audio)).set(keys.audio(job_id), audio, px=STAGING_MS)
        except ValkeyUnwritable:
            raise StagingFull(retry_after=5) from None

    @failpoints("audio.unstage")
    async def unstage(self, job_id: str) -> None:
        """Forget staged audio; nothing happens when there is none."""
        await self._staging.unlink(keys.audio(job_id))

    @failpoints("audio.read")
    async def staged(self, job: Job) -> bytes | None:
        """The staged audio of a job, None once S3 holds it (or it was lost)."""
        value = await self._way(job.size).get(keys.audio(job.id))
        return bytes(value) if value is not None else None

    def _way(self, size: int) -> Redis:
        """Nothing else is to wait behind a large recording on the connection that all others share."""
        return self._staging if size <= _SMALL else apart(self._staging)

    @property
    def link(self) -> object:
        """What stands for the Valkey server that was asked last."""
        return link_of(self._valkey)

    # --- the life of a record ----------------------------------------------------------------------

    async def accept(self, job: Job, audio: bytes | None = None, *, owner_limit: int) -> Job:
        """Make staged audio a job, or find the job the same upload already is; `audio` is staged on the way.

        A job without a recording needs no audio; its state is where it begins.

        One step: dedupe, limits, record, first event, hand-over to a worker. Raises TooManyJobs, StagingFull.
        """
        await self._room.check()
        arguments: dict[str, Any] = {
            "id": job.id,
            "fields": fields_of(job),
            "audio_key": keys.audio(job.id) if self._same and job.kind.recorded else None,
            **self._accepting(job, owner_limit),
        }
        if not job.kind.recorded:
            reply = await self._run("accept", **arguments)
        elif audio is not None and self._same:
            reply = await self._stage_and_accept(job.id, audio, arguments)
        else:
            if audio is not None:
                await self.stage(job.id, audio)
            elif not await self.is_staged(job.id):
                raise StagingFull(retry_after=1)
            reply = await self._run("accept", **arguments)
        match reply[0]:
            case b"accepted":
                await self._keep(job.id)
                return job_of_reply(reply[2])
            case b"known":
                known_id = reply[1].decode()
                if known_id != job.id:
                    await self.unstage(job.id)
                staged = await self._keep(known_id)
                known = await self.read(known_id)
                if known is None or not _has_audio(known, staged=staged):
                    raise StagingFull(retry_after=1)
                return known
            case b"too_many":
                await self.unstage(job.id)
                raise TooManyJobs(retry_after=10)
            case _:
                await self.unstage(job.id)
                raise StagingFull(retry_after=5)

    async def accept_all(self, jobs: Sequence[tuple[Job, bytes]], *, owner_limit: int) -> list[Job]:
        """The same for recordings of one owner that come together: all of them become jobs, or none does."""
        await self._room.check()
        for job, audio in jobs:
            await self.stage(job.id, audio)
        named = [
            {"id": job.id, "fields": fields_of(job)} | ({"audio_key": keys.audio(job.id)} if self._same else {})
            for job, _ in jobs
        ]
        reply = await self._run("accept_all", jobs=named, **self._accepting(jobs[0][0], owner_limit))
        ids = [name.decode() for name in reply[1]] if reply[0] == b"accepted" else []
        for job, _ in jobs:
            if job.id not in ids:
                await self.unstage(job.id)
        if reply[0] == b"too_many":
            raise TooManyJobs(retry_after=10)
        staged = {job_id: await self._keep(job_id) for job_id in ids}
        records = await self.read_many(ids)
        if not ids or not all(
            job_id in records and _has_audio(records[job_id], staged=staged[job_id]) for job_id in ids
        ):
            raise StagingFull(retry_after=5)
        return [records[job_id] for job_id in ids]

    async def _keep(self, job_id: str) -> bool:
        """Have audio that is staged elsewhere stay with its job, which is accepted; False when there is none.

        Not before: what nobody accepted would fill a Valkey that no limit counts it in.
        """
        return self._same or bool(await self._staging.pexpire(keys.audio(job_id), self._audio_ms))

    def _accepting(self, job: Job, owner_limit: int) -> dict[str, Any]:
        return {
            "target": job.state,
            "staged": job.kind.recorded,
            "dead": dict.fromkeys(DEAD, True),
            "owner_limit": owner_limit,
            "staged_limit": self._settings.staged_audio_bytes,
            "dedupe_ms": self._settings.dedupe_seconds * 1000,
            "audio_ms": self._audio_ms,
        }

    async def _stage_and_accept(self, job_id: str, audio: bytes, arguments: dict[str, Any]) -> list[Any]:
        """Both in one round trip; audio whose job is refused goes by itself, as if it had been staged before."""
        try:
            async with self._way(len(audio)).pipeline(transaction=False) as pipeline:
                # Sent again after a lost reply it must not shorten the time that acceptance has given it.
                pipeline.set(keys.audio(job_id), audio, px=STAGING_MS, nx=True)
                return await self.script.run_after(pipeline, "accept", **arguments)
        except ValkeyUnwritable:
            raise StagingFull(retry_after=5) from None

    async def adopt(self, job: Job) -> None:
        """Give a job that only needs what S3 has a record again, in its state; a record that is there stays."""
        await self._run(
            "adopt", id=job.id, fields=fields_of(job), version=job.version, move=Move.ADOPT, target=job.state
        )

    async def claim(self, job_id: str, version: int) -> Job | None:
        """Take the lease of the job dispatched as `version` and start its next stage.

        None when there is nothing to do: it moved on, ended, stands in line before its stage, or is one that only a
        later version of ours can read: that is put back.
        """
        claim = secrets.token_hex(8)
        reply = await self._run(
            "claim",
            id=job_id,
            version=version,
            claim=claim,
            audio_key=keys.audio(job_id) if self._same else None,
            **self._leasing,
        )
        if reply[0] != b"claimed":
            return None
        job = readable(job_id, hash_of(reply[1]))
        if not self._same:
            with suppress(*VALKEY_DOWN):  # whoever reads it will find out
                if job is not None and job.state is State.SUBMITTING:
                    await self.unstage(job_id)  # S3 has it; whoever stored it there may have died before doing this
                else:
                    await self._keep(job_id)
        if job is None:
            await self._put_back(job_id, claim)
        return job

    async def _put_back(self, job_id: str, claim: str) -> None:
        await self._run(
            "move",
            id=job_id,
            claim=claim,
            op=secrets.token_hex(8),
            move=Move.RELEASE,
            targets=MOVES[Move.RELEASE],
            fields={},
            stamps=[],
            due_ms=self._lease_ms,
            event={},
        )

    async def hand_over(self, job: Job) -> None:
        """Hand a job nobody holds to a worker at once, unless it has moved on since."""
        await self._run("hand_over", id=job.id, version=job.version)

    async def renew(self, job: Job) -> None:
        """Make the lease last its full time from now. Raises Fenced."""
        checked(await self._run("renew", id=job.id, claim=job.claim, lease_ms=self._lease_ms))

    async def move(
        self,
        job: Job,
        move: Move,
        *,
        due: Due = AT_ONCE,
        keep_claim: bool = False,
        claim_next: bool = False,
        unstage: bool = False,
        works: bool = False,
        stamps: Iterable[str] = (),
        event: Mapping[str, Any] | None = None,
        **fields: str | int,
    ) -> Job:
        """Move a job under its claim; `fields` are set, `stamps` name fields that get Valkey's time.

        With `keep_claim` the caller goes on with the job and `due` is the lease; with `claim_next` it goes on with
        the next stage under a new claim, unless the job has to stand in line: then its claim is empty. `works`
        tells the stage's breaker that what it depends on answered. Raises Fenced.
        """
        following: dict[str, Any] = {"next_claim": secrets.token_hex(8), **self._leasing} if claim_next else {}
        reply = await self._run(
            "move",
            **following,
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
            works=works,
            audio_key=keys.audio(job.id) if unstage and self._same else None,
            event=event or {},
        )
        checked(reply)
        if unstage and not self._same:
            await self.unstage(job.id)
        return job_of_reply(reply[1])

    async def stumble(
        self, job: Job, *, event: Mapping[str, Any], counted: bool, spent: bool, due: Due, pause_seconds: float = 0.0
    ) -> Move | None:
        """Give a job back whose attempt failed in a way that may be the fault of what its stage depends on.

        When several jobs in a row do so the stage's breaker opens (for at least `pause_seconds`), and nothing
        is counted. Else the job is tried again at `due`, and that counts where `counted`. Returns HOLD or RETRY;
        None when it is to be counted and its budget is `spent`: then nothing was done. Raises Fenced.
        """
        reply = checked(
            await self._run(
                "stumble",
                id=job.id,
                claim=job.claim,
                op=secrets.token_hex(8),
                targets=MOVES[Move.HOLD],
                counted=counted,
                spent=spent,
                due_ms=due.ms,
                pause_ms=round(pause_seconds * 1000),
                breaker_jobs=self._settings.breaker_jobs,
                event=event,
            )
        )
        return None if reply[0] == b"spent" else Move(reply[0].decode())

    async def conclude(self, job: Job, state: State, *, code: str) -> Job:
        """The last move of a run, made when Postgres has its outcome. Raises Fenced."""
        reply = checked(await self._run("conclude", claim=job.claim, event={"code": code}, **self._closing(job, state)))
        await self._closed(job, state)
        return job_of_reply(reply[1])

    async def heal(self, job: Job, state: State, *, run: int, code: str) -> bool:
        """Tell a record that Postgres knows the end of its run, or of a later one; False when it knows better."""
        sources = dict.fromkeys(CHOICES[Move.HEAL][0], True)
        reply = await self._run("heal", run=run, sources=sources, event={"code": code}, **self._closing(job, state))
        if reply[0] != b"healed":
            return False
        await self._closed(job, state)
        return True

    def _closing(self, job: Job, state: State) -> dict[str, Any]:
        parked = state is State.PARKED
        ended_ms = self._settings.ended_record_seconds * 1000
        return {
            "id": job.id,
            "target": state,
            "release_dedupe": state in DEAD,
            "keep_audio": parked,
            "audio_key": keys.audio(job.id) if self._same else None,
            "record_ms": max(self._audio_ms, ended_ms) if parked else ended_ms,
        }

    async def _closed(self, job: Job, state: State) -> None:
        if state is not State.PARKED and not self._same:
            await self.unstage(job.id)

    async def deliver(self, job_id: str, body: bytes) -> str:
        """A result from outside, durable when this returns.

        Returns delivered, kept (it came before we asked), late (after the end: for an operator to accept),
        duplicate, unknown (no record), or unreadable (a record that only a later version of ours understands).
        """
        reply = await self._run(
            "deliver",
            body,
            id=job_id,
            targets=MOVES[Move.DELIVER],
            keeps=MOVES[Move.KEEP],
            late=MOVES[Move.LATE],
        )
        return bytes(reply[0]).decode()

    async def erase(
        self, job: Job, *, code: str, actor: str | None = None, cause: str = "", only_ended: bool = False
    ) -> bool:
        """Have a deleted recording's audio removed, whatever its job is doing; a record that is gone is made anew.

        Whoever holds the claim loses it; one that may be writing to S3 at this moment is waited for. With
        `only_ended` a job that is under way is left alone: then False.
        """
        settings = self._settings
        writing = settings.mix_timeout_seconds if job.kind is Kind.SYNTHESIS else settings.upload_timeout_seconds
        reply = await self._run(
            "erase",
            id=job.id,
            fields=fields_of(job),
            version=job.version,
            move=Move.ERASE,
            grace_ms=round((settings.lease_seconds + writing) * 1000),
            message=LEARNER_MESSAGES.get(code, ""),
            audio_key=keys.audio(job.id) if self._same else None,
            sources=dict.fromkeys(FINAL_STATES, True) if only_ended else None,
            event={"code": code, "cause": cause} | ({"actor": actor} if actor else {}),
        )
        if reply[0] == b"refused":
            return False
        if not self._same:
            await self.unstage(job.id)
        return True

    async def forget(self, job: Job) -> None:
        """Remove the record of a job of which nothing else is left. Raises Fenced.

        Where it was not the learner who deleted it, it stays a while to say so.
        """
        told_ms = None if job.code == "deleted" else self._settings.ended_record_seconds * 1000
        checked(await self._run("forget", id=job.id, claim=job.claim, record_ms=told_ms))

    @failpoints("inbox.keep")
    async def keep_for_lost(self, job_id: str, body: bytes) -> None:
        """Keep a result whose record is lost, once, for the reconciler to find."""
        await self._valkey.set(keys.inbox(job_id), body, nx=True, px=_LOST_RESULT_MS)

    async def sweep(self, *, limit: int = 500) -> int:
        """Hand all that is due to arq; how many that was."""
        return int((await self._run("sweep", limit=limit))[1])

    async def prune(self) -> None:
        """Forget the staged sizes of jobs that are no more, and make the sum the sum of what is there."""
        await self._run("prune")

    async def hint(self, job_id: str) -> None:
        """Tell whoever watches or follows a job that there is something new to read about it."""
        async with self._valkey.pipeline(transaction=False) as pipeline:
            for channel in (keys.CHANGED, keys.MOVED):
                pipeline.publish(channel, job_id)
            await pipeline.execute()

    async def probe(self) -> None:
        """Write something, to see whether Valkey takes it."""
        with writing():
            await self._valkey.set(keys.PROBE, b"", px=60_000)


def _has_audio(job: Job, *, staged: bool) -> bool:
    """Whether a job has its audio, which was `staged` just before its record was read: S3 has it first, then it goes.

    It has not where a process died after the job was accepted, and before its audio was told to stay.
    """
    return staged or job.state not in _STAGED


def dispatched(arq_id: str) -> tuple[str, int]:
    """The job id and version that an arq job id names."""
    job_id, version, _ = arq_id.rsplit(":", 2)
    return job_id, int(version)
