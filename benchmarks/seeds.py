"""Jobs that are there without having been uploaded: rows by SQL, records by the engine's own script in batches."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, cast

import orjson
from redis.asyncio import Redis

from benchmarks.ground import Ground
from jobs.encoding import fields_of
from jobs.store import Store
from yousync.job import Job, Kind, State
from yousync.settings import Settings

_BATCH: Final = 250
_ROWS: Final = """
INSERT INTO analysis_results (job_id, kind, token_id, script_id, status, progress, message, result, s3_key, state,
    code, attempts, run, version, incarnation, created_at, updated_at)
SELECT md5($1 || number), 'script', token_id, id, $3, 100, '', '{"result": {"word_analysis": []}}', 'audio/' || number,
    $4, '', 1, 1, 1, 'seed', now() - number * interval '1 second', now()
FROM generate_series(1, $2::int) AS number, scripts WHERE id = $5
"""
_ANALYZE: Final = "ANALYZE analysis_results"
_OLD_ROWS: Final = """
INSERT INTO analysis_results (job_id, token_id, status, progress, message)
SELECT md5($1 || number), 1, 'processing', 90, '' FROM generate_series(1, $2::int) AS number
"""


async def ended_rows(ground: Ground, count: int) -> None:
    """So many jobs that were completed long ago."""
    await ground.sql(_ROWS, "yousync", secrets.token_hex(4), count, "completed", "completed", ground.script_id)
    await ground.sql(_ANALYZE)


async def old_running_rows(ground: Ground, count: int) -> list[str]:
    """So many jobs in the old design's table that wait for their results; their ids."""
    await ground.sql(_OLD_ROWS, "baseline", salt := secrets.token_hex(4), count)
    return await _ids(ground, salt, count)


async def running_jobs(ground: Ground, count: int) -> list[Job]:
    """So many jobs, rows and records, whose audio is in S3 and which no worker has taken yet."""
    salt = secrets.token_hex(4)
    await ground.sql(_ROWS, "yousync", salt, count, "processing", "accepted", ground.script_id)
    await ground.sql(_ANALYZE)
    token_id = await ground.sql("SELECT token_id FROM scripts WHERE id = $1", "yousync", ground.script_id)
    first = uploaded_job(ground.script_id, int(str(token_id)))
    jobs = [replace(first, id=job_id, dedupe=job_id) for job_id in await _ids(ground, salt, count)]
    batch = await in_batches(ground.settings, jobs, Store.adopt)
    async with ground.valkey() as valkey:
        await batch.send(valkey)
    return jobs


async def _ids(ground: Ground, salt: str, count: int) -> list[str]:
    query = "SELECT string_agg(md5($1 || number), ' ' ORDER BY number) FROM generate_series(1, $2::int) AS number"
    return str(await ground.sql(query, "postgres", salt, count)).split()


def uploaded_job(script_id: int, token_id: int) -> Job:
    """A job as the reconciler would give it a record again; without an id."""
    return Job(
        id="",
        kind=Kind.SCRIPT,
        state=State.UPLOADED,
        version=1,
        run=1,
        claim="",
        token_id=token_id,
        script_id=script_id,
        user_id=None,
        owner="address:127.0.0.1",
        dedupe="",
        container="wav",
        s3_key="audio/seed.wav",
        size=160_000,
        duration_ms=1_700,
        incarnation="seed",
        progress=40,
        created_ms=1,
        updated_ms=1,
    )


class Batch:
    """Steps of many jobs, written down to be sent in one go."""

    def __init__(self, written: _Written) -> None:
        self._written = written
        self.arguments: list[dict[str, Any]] = [orjson.loads(arguments[1]) for _, arguments in written.calls]

    async def send(self, valkey: Redis) -> None:
        """Have Valkey run them all."""
        digest = await valkey.script_load(self._written.text)
        for begin in range(0, len(self._written.calls), _BATCH):
            async with valkey.pipeline(transaction=False) as pipe:
                for keys, arguments in self._written.calls[begin : begin + _BATCH]:
                    pipe.evalsha(digest, len(keys), *keys, *arguments)
                await pipe.execute()


async def in_batches(settings: Settings, jobs: Sequence[Job], step: Callable[[Store, Job], Awaitable[Any]]) -> Batch:
    """One step of the store for each job, not taken yet.

    Ten thousand steps one by one would keep this process busy for longer than what is measured meanwhile.
    """
    written = _Written(jobs[0])
    store = Store(cast("Redis", written), cast("Redis", written), settings)
    for job in jobs:
        await step(store, job)
    return Batch(written)


class _Written:
    """Stands where a store expects its client, and only writes down which script calls it makes.

    Each is answered with a record, `like` some job's, since the store reads one from most answers.
    """

    def __init__(self, like: Job) -> None:
        fields = fields_of(like) | {"state": like.state.value}
        self._answer = [b"", [text.encode() for pair in fields.items() for text in pair]]
        self.text = ""
        self.calls: list[tuple[Sequence[str], Sequence[Any]]] = []

    def register_script(self, text: str) -> Callable[..., Awaitable[list[Any]]]:
        """Take the script, and stand in for it."""
        self.text = text

        async def call(keys: Sequence[str], args: Sequence[Any]) -> list[Any]:
            self.calls.append((keys, args))
            return self._answer

        return call
