"""Clean: a recording that was deleted goes from S3 as well, last of all."""

from __future__ import annotations

from jobs.deps import Deps
from jobs.outcomes import Forgotten
from models.deletion import record_cleaned
from yousync.job import Job


async def clean(deps: Deps, job: Job) -> Forgotten:
    """Remove the audio from S3 and note in the row, which stays as a tombstone, that this was done."""
    if job.s3_key:
        await deps.storage.delete(job.s3_key)
    await record_cleaned(job.id)
    return Forgotten()
