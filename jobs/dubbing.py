"""What a dubbing is to be made from: looked up when it is asked for, carried by its job, mixed by its stage."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from jobs.deps import Deps
from models.take import RecordedTake, recorded_takes
from models.token import Token
from yousync.errors import NothingRecorded, TokenNotFound
from yousync.media import Link, located


class WishedTake(BaseModel):
    """A recording and its place, in seconds from the clip's beginning."""

    model_config = ConfigDict(frozen=True)

    script_id: int
    job_id: str
    s3_key: str
    start_s: float
    end_s: float


class Wish(BaseModel):
    """The request of a synthesis job. Two that are equal make the same dubbing.

    `background` and `vocal` say where the stems lie, as the catalogue writes it (`yousync.media.located`).
    """

    model_config = ConfigDict(frozen=True)

    background: str
    vocal: str
    seconds: float
    takes: tuple[WishedTake, ...]


async def wish_of(deps: Deps, user_id: int, token_id: int) -> Wish:
    """What a dubbing of this clip by this learner is made from now. Raises TokenNotFound, NothingRecorded."""
    token = await Token.get_or_none(id=token_id)
    if token is None:
        raise TokenNotFound
    takes = await recorded_takes(user_id, token_id)
    if not takes:
        raise NothingRecorded
    background, vocal = _stems(deps, token)
    return Wish(
        background=background,
        vocal=vocal,
        seconds=_seconds(token.end_time - token.start_time),
        takes=tuple(_placed(take, token.start_time) for take in takes),
    )


def _placed(take: RecordedTake, beginning: float) -> WishedTake:
    return WishedTake(
        script_id=take.script_id,
        job_id=take.job_id,
        s3_key=take.s3_key,
        start_s=_seconds(take.start_time - beginning),
        end_s=_seconds(take.end_time - beginning),
    )


def _seconds(value: float) -> float:
    return round(value, 6)  # a difference of two times, without what floats add to it


def _stems(deps: Deps, token: Token) -> tuple[str, str]:
    """Where the background and the original voice lie: side by side, in the folder the preprocess server fills.

    A clip may say itself where its background lies in S3. A link to elsewhere is for browsers: it is not fetched.
    """
    video = token.youtube_id.rpartition("v=")[2]
    usual = f"{token.actor_name}/{video}/0/bgvoice.wav"
    background = token.s3_bgvoice_url or usual
    if isinstance(located(background, bucket=deps.storage.bucket, others=deps.settings.media_buckets), Link):
        background = usual
    beside = background if background.endswith("/bgvoice.wav") else usual
    return background, f"{beside.removesuffix('bgvoice.wav')}vocal.wav"
