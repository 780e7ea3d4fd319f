"""The client of the preprocess server, which makes clips of videos: what it is asked, and what its answers mean."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import orjson

from yousync import webhooks
from yousync.failpoints import failpoints
from yousync.failures import Down, Permanent, Transient, Unclear
from yousync.job import Job
from yousync.metrics import PREPROCESS_SECONDS, timed
from yousync.settings import Settings

_BUSY: Final = {429, 502, 503}  # not taken, try later
_UNCLEAR: Final = {408, 504}  # somebody in between lost patience: it may have been taken


class PreprocessClient:
    """Hands videos over. Raises Down, Transient, Unclear or Permanent (see yousync.failures)."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self._session = session
        self._settings = settings

    @failpoints("preprocess.ask")
    @timed(PREPROCESS_SECONDS, "ask")
    async def ask(self, job: Job) -> None:
        """Request the clips of one video; they come by webhook. The job id is the Idempotency-Key as well."""
        server, webhook = self._settings.preprocess_server_url, self._settings.youtube_webhook_url
        if server is None or webhook is None:
            raise Down("preprocess_down", "PREPROCESS_SERVER_URL or YOUTUBE_WEBHOOK_URL is not set")
        asked = {**(job.request or {}), "webhook_url": webhooks.url(self._settings, webhook, job.id), "job_id": job.id}
        headers = {"Content-Type": "application/json", "Idempotency-Key": job.id}
        url = f"{server.rstrip('/')}/process"
        try:
            async with self._session.post(
                url, data=orjson.dumps(asked), allow_redirects=False, headers=headers
            ) as reply:
                status = reply.status
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Down("preprocess_down", type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unclear("preprocess_unclear", type(error).__name__) from error
        if status in _UNCLEAR:
            raise Unclear("preprocess_unclear", f"answered {status}")
        if status in _BUSY:
            raise Down("preprocess_down", f"answered {status}")
        if status >= 500:
            raise Transient("preprocess_error", f"answered {status}")
        if status >= 300:
            raise Permanent("preprocess_rejected", f"answered {status}")


@asynccontextmanager
async def open_preprocessing(settings: Settings) -> AsyncIterator[PreprocessClient]:
    """A client with its own connections; redirects are not followed, proxies of the environment not used."""
    timeout = aiohttp.ClientTimeout(total=settings.preprocess_timeout_seconds, connect=5)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield PreprocessClient(session, settings)
