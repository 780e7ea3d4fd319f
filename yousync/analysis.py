"""The client of the analysis server: what it is asked, and what its answers mean."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson

from yousync import webhooks
from yousync.failpoints import failpoints
from yousync.failures import Down, Permanent, Transient, Unclear
from yousync.job import Job, Kind
from yousync.metrics import ANALYSIS_SECONDS, timed
from yousync.queueing import AnalysisQueue, open_queue
from yousync.settings import Settings

_BUSY = {429, 502, 503}  # not taken, try later
_UNCLEAR = {408, 504}  # somebody in between lost patience: it may have been taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of the sentence and when the actor says it, in absolute seconds of the video."""

    id: int
    word: str | None
    start_time: float | None
    end_time: float | None
    mfcc: list[list[float]] | None = None

    def as_request(self) -> dict[str, Any]:
        """The form analysis servers read; `mfcc` only where there is one."""
        data: dict[str, Any] = {
            "id": self.id,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "word": self.word,
        }
        return data if self.mfcc is None else {**data, "mfcc": self.mfcc}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence of a clip with its words in order; times in absolute seconds of the video."""

    id: int
    start_time: float
    end_time: float
    words: Sequence[Word] = field(default=())

    def as_request(self) -> dict[str, Any]:
        """The form analysis servers read."""
        return {
            "id": self.id,
            "start_time": self.start_time,
            "end_time": self.end_time,
            "words": [word.as_request() for word in self.words],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything an analysis request says about the recording and what should be heard in it."""

    audio_uri: str
    sentences: Sequence[Sentence]
    textgrid_uri: str = ""
    pitch_uri: str = ""
    start_time: float | None = None  # where in the video the recording begins; None: with the sentence


class Progress(StrEnum):
    """What the analysis server's status URL says of a job."""

    UNKNOWN = "unknown"
    RUNNING = "running"
    ENDED = "ended"


class AnalysisClient:
    """Asks for analyses. Raises Down, Transient, Unclear or Permanent (see yousync.failures)."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings, queue: AnalysisQueue | None = None) -> None:
        self._session = session
        self._settings = settings
        self.queue = queue

    def queues(self, job: Job) -> bool:
        """Whether a job is asked about by way of the queue: recordings of clips, where there is one."""
        return self.queue is not None and job.kind is not Kind.SCRIPT

    @failpoints("analysis.ask")
    @timed(ANALYSIS_SECONDS, "ask")
    async def ask(self, job: Job, question: Question) -> bytes | None:
        """Request the analysis of one recording; the reply's body where it already holds the result.

        Sends the job id as Idempotency-Key, so that a server which honours it starts one analysis however
        often it is asked.
        """
        if self.queue is not None and self.queues(job):
            await self.queue.send(
                job,
                audio_uri=question.audio_uri,
                textgrid_uri=question.textgrid_uri,
                pitch_uri=question.pitch_uri,
            )
            return None
        url, form = self._request(job, question)
        try:
            async with self._session.post(
                url,
                data=urlencode(form).encode(),
                allow_redirects=False,
                headers={"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": job.id},
            ) as reply:
                body = await self._read(reply)
                status, retry_after = reply.status, _seconds(reply.headers.get("Retry-After"))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Down("analysis_down", type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unclear("analysis_unclear", type(error).__name__) from error
        if status in _UNCLEAR:
            raise Unclear("analysis_unclear", f"answered {status}")
        if status in _BUSY:
            raise Down("analysis_down", f"answered {status}", retry_after=retry_after)
        if status >= 500:
            raise Transient("analysis_error", f"answered {status}")
        if status >= 300:
            raise Permanent("analysis_rejected", f"answered {status}")
        return body if _holds_result(body) else None

    @failpoints("analysis.progress")
    @timed(ANALYSIS_SECONDS, "progress")
    async def progress(self, job: Job) -> tuple[Progress, bytes]:
        """What has become of an earlier request, and the answer's body; only with ANALYSIS_STATUS_URL."""
        url = (self._settings.analysis_status_url or "").replace("{job_id}", quote(job.id))
        try:
            async with self._session.get(url, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=10)) as reply:
                body = await self._read(reply)
                status = reply.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Down("analysis_down", type(error).__name__) from error
        if status == 404:
            return Progress.UNKNOWN, b""
        if status != 200:
            raise Down("analysis_down", f"status URL answered {status}")
        word = _object(body).get("status")
        return (Progress.ENDED if word in {"completed", "failed"} else Progress.RUNNING), body

    def _request(self, job: Job, question: Question) -> tuple[str, dict[str, str]]:
        settings = self._settings
        sentences = [sentence.as_request() for sentence in question.sentences]
        if job.kind is Kind.SCRIPT:
            data = {
                "s3_audio_url": question.audio_uri,
                "webhook_url": webhooks.url(settings, settings.script_webhook, job.id),
                "script": sentences[0],
            }
            if question.pitch_uri:  # beyond what earlier servers know: only where there is one
                data["s3_pitch_url"] = question.pitch_uri
            return settings.script_target, {"request_data": orjson.dumps(data).decode()}
        return settings.target_server_url, {
            "s3_audio_url": question.audio_uri,
            "video_id": str(job.token_id),
            "webhook_url": webhooks.url(settings, settings.webhook_url, job.id),
            "s3_textgrid_url": question.textgrid_uri,
            "s3_pitch_url": question.pitch_uri,
            "script": orjson.dumps({"start_time": question.start_time, "scripts": sentences}).decode(),
        }

    async def _read(self, reply: aiohttp.ClientResponse) -> bytes:
        """The body, as far as a webhook could be long; what is beyond is not a result."""
        limit = self._settings.max_webhook_bytes
        body = bytearray()
        async for chunk in reply.content.iter_chunked(65536):
            body += chunk
            if len(body) > limit:
                return b""
        return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _holds_result(body: bytes) -> bool:
    """Some servers answer at once: their reply is an object with `scores` or `analysis_results`."""
    return bool(_object(body).keys() & {"scores", "analysis_results"})


def _seconds(header: str | None) -> float | None:
    """Retry-After as seconds; its date form is not worth a clock comparison."""
    return float(header) if header and header.isascii() and header.isdigit() else None


@asynccontextmanager
async def open_analysis(settings: Settings) -> AsyncIterator[AnalysisClient]:
    """A client with its own connections; redirects are not followed, proxies of the environment not used."""
    timeout = aiohttp.ClientTimeout(total=settings.submit_timeout_seconds, connect=5)
    connector = aiohttp.TCPConnector(limit=settings.analysis_max_in_flight + 8)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, open_queue(settings) as queue:
        yield AnalysisClient(session, settings, queue)
