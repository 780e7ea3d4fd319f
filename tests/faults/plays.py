"""What is done while a process dies: a recording is uploaded, several at once are, a video is handed in."""

from __future__ import annotations

from typing import Any, Protocol

import aiohttp
from typing_extensions import override

from tests.faults.ground import TRIES, Ground, check, different
from yousync.job import State

VIDEO = "https://www.youtube.com/watch?v=abcdefghijk"


class Play(Protocol):
    """Something a client asks for, and how it is seen that it got it, once."""

    def answer(self, ground: Ground) -> dict[str, Any]:
        """What the server behind has to send, where it does not make that up itself: more of its behaviour."""

    async def begin(self, ground: Ground, number: int, *, tries: int = TRIES) -> dict[str, bytes]:
        """The jobs that came of it, each with its recording; `number` makes it unlike all others."""

    async def ended(self, ground: Ground, job_id: str) -> dict[str, Any]:
        """What clients are told of one of the jobs in the end."""

    async def check(self, ground: Ground, jobs: dict[str, bytes], *, outcome: State, retries: int) -> None:
        """The invariants."""


class Recording(Play):
    """A sentence."""

    @override
    def answer(self, ground: Ground) -> dict[str, Any]:
        return {}

    @override
    async def begin(self, ground: Ground, number: int, *, tries: int = TRIES) -> dict[str, bytes]:
        audio = different(number)
        return {await ground.upload(audio, tries=tries): audio}

    @override
    async def ended(self, ground: Ground, job_id: str) -> dict[str, Any]:
        return await ground.ended(job_id)

    @override
    async def check(self, ground: Ground, jobs: dict[str, bytes], *, outcome: State, retries: int) -> None:
        await check(ground, jobs, outcome=outcome, retries=retries)


class Batch(Recording):
    """Two recordings of a clip at once."""

    @override
    async def begin(self, ground: Ground, number: int, *, tries: int = TRIES) -> dict[str, bytes]:
        files = [different(5000 + 2 * number), different(5001 + 2 * number)]

        def form() -> dict[str, Any]:
            data = aiohttp.FormData()
            for audio in files:
                data.add_field("files", audio, filename="a.wav")
            data.add_field("token_ids", f"{ground.script.token_id},{ground.script.token_id}")
            return {"data": data}

        accepted = await ground.post("/tokens/batch-upload", form, tries=tries)
        return dict(zip(accepted["job_ids"], files, strict=True))


class Video(Recording):
    """A video, which becomes the clip there is."""

    @override
    def answer(self, ground: Ground) -> dict[str, Any]:
        return {"body": {"token_ids": [ground.script.token_id]}}

    @override
    async def begin(self, ground: Ground, number: int, *, tries: int = TRIES) -> dict[str, bytes]:
        wanted = {"youtube_url": VIDEO, "movie_name": str(number), "actor_name": "actor"}
        accepted = await ground.post("/youtube/process", lambda: {"json": wanted}, tries=tries)
        return {accepted["job_id"]: b""}

    @override
    async def ended(self, ground: Ground, job_id: str) -> dict[str, Any]:
        return await ground.ended(job_id, path="/youtube/process-status")
