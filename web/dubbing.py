"""Waiting for a dubbing as long as one may, and what is said of one that failed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from jobs.dubbing import Wish
from jobs.engine import Engine, Order
from models.analysis_result import AnalysisResult, find_result
from web.hub import Hub
from yousync.errors import BackgroundMissing, DubbingFailed, DubbingPending, NotMixable, TokenNotFound, YouSyncError
from yousync.job import Job, Kind, State

_ERRORS: Final[dict[str, type[YouSyncError]]] = {
    "background_missing": BackgroundMissing,
    "audio_lost": NotMixable,
    "take_unreadable": NotMixable,
    "clip_too_long": NotMixable,
    "catalogue_gone": TokenNotFound,
}
_AGAIN_SECONDS: Final = 5


async def order_dubbing(engine: Engine, wish: Wish, *, user_id: int, token_id: int, request_id: str) -> Job:
    """The job that makes this dubbing: one that is at it already, or a new one. Raises TooManyJobs, TokenNotFound."""
    return await engine.order(
        Order(
            kind=Kind.SYNTHESIS,
            request=wish.model_dump(mode="json"),
            user_id=user_id,
            token_id=token_id,
            request_id=request_id,
        )
    )


async def dubbed(hub: Hub, job_id: str, *, seconds: float) -> str:
    """The key of the dubbing, as soon as its job has ended.

    Raises DubbingPending after `seconds`, or when this process stops; else what became of it: BackgroundMissing,
    NotMixable, TokenNotFound or DubbingFailed.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await _end(hub, job_id)
    row = await find_result(job_id)
    if row is not None and not State(row.state).final:
        raise DubbingPending(retry_after=_AGAIN_SECONDS)
    if row is None or row.state != State.COMPLETED:
        raise _failure(row)
    return row.s3_key


async def _end(hub: Hub, job_id: str) -> None:
    """Returns when the job has ended or is gone, or nothing more can be heard of it here."""
    with hub.watch(job_id) as watcher:
        while (frame := await watcher.next()) is not None and not frame.final:
            pass


def _failure(row: AnalysisResult | None) -> YouSyncError:
    if row is None:
        return DubbingFailed()
    return _ERRORS.get(row.code, DubbingFailed)(row.message)
