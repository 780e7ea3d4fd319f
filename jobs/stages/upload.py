"""Upload: the staged audio goes to S3, under a key that belongs to this job alone."""

from __future__ import annotations

from jobs.deps import Deps
from jobs.outcomes import Done
from yousync.failures import Permanent
from yousync.job import Job


async def upload(deps: Deps, job: Job) -> Done:
    """Put the audio into S3. The same bytes under the same key again change nothing.

    Raises Permanent(audio_lost) when the audio is neither staged nor stored: only a wiped Valkey does that.
    """
    audio = await deps.store.staged(job)
    if audio is not None:
        await deps.storage.put(job.s3_key, audio, container=job.container)
    elif await deps.storage.size(job.s3_key) != job.size:
        raise Permanent("audio_lost", "neither staged nor in S3")
    return Done()
