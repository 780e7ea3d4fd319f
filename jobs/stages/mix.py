"""Mix: a learner's recordings and the clip's stems become one file in S3, under the job's own key."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from jobs.deps import Deps
from jobs.dubbing import Wish
from jobs.outcomes import Done
from yousync.audio.process import ChildError
from yousync.failures import Permanent, Transient
from yousync.job import Job
from yousync.media import Link, located
from yousync.mixing import MAX_SECONDS, Part, Plan, Take, Unmixable

_MAX_BYTES: Final = 128 * 2**20
"""Of one sound: a stem of MAX_SECONDS in stereo floats is smaller."""


async def mix(deps: Deps, job: Job) -> Done:
    """Mix what the job's request says. The same request makes the same bytes under the same key, however often.

    Raises Permanent for what no try mixes: a clip without background, a recording that is gone or unreadable.
    """
    wish = Wish.model_validate(job.request)
    if not 0 < wish.seconds <= MAX_SECONDS:
        raise Permanent("clip_too_long", f"{wish.seconds} s")
    try:
        dubbing = await deps.mixer.mix(partial(_gathered, deps, wish))
    except Unmixable as error:
        raise Permanent("take_unreadable" if error.part is Part.TAKE else "stem_unreadable", str(error)) from error
    except ChildError as error:
        raise Transient("mixing_failed", repr(error)) from error
    await deps.storage.put(job.s3_key, dubbing, container="wav")
    return Done()


async def _gathered(deps: Deps, wish: Wish) -> Plan:
    """All sounds of a wish. A clip without an original voice is mixed without."""
    background, vocal, *recordings = await asyncio.gather(
        *(_sound(deps, stored) for stored in (wish.background, wish.vocal, *(take.s3_key for take in wish.takes)))
    )
    if background is None:
        raise Permanent("background_missing", wish.background)
    takes = []
    for take, audio in zip(wish.takes, recordings, strict=True):
        if audio is None:
            raise Permanent("audio_lost", f"the recording of job {take.job_id} is not in S3")
        takes.append(Take(audio, take.start_s, take.end_s))
    return Plan(background, vocal, tuple(takes), wish.seconds)


async def _sound(deps: Deps, stored: str) -> bytes | None:
    where = located(stored, bucket=deps.storage.bucket, others=deps.settings.media_buckets)
    if isinstance(where, Link):
        return None
    return await deps.storage.get(where.uri, max_bytes=_MAX_BYTES)
