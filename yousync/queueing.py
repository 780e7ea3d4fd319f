"""Analysis requests by way of an SQS queue: what is put into it, and how full it is."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import aiohttp
import orjson
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError

from yousync import webhooks
from yousync.failures import Down, Transient, Unclear
from yousync.job import Job
from yousync.settings import Settings

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

_SOURCE: Final = "fastapi_backend"  # what consumers of the queue have always read


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages wait, and how many a consumer has taken and not deleted; about so many, as SQS says."""

    waiting: int
    taken: int


class AnalysisQueue:
    """One SQS queue. Raises Down, Transient or Unclear (see yousync.failures)."""

    def __init__(self, client: SQSClient, url: str, settings: Settings) -> None:
        self._client = client
        self.url = url
        self._settings = settings

    async def send(self, job: Job, *, audio_uri: str, textgrid_uri: str, pitch_uri: str) -> None:
        """Ask for the analysis of a clip's recording; SQS may deliver it twice, under the same job id."""
        said = {
            "job_id": job.id,
            "s3_audio_url": audio_uri,
            "video_id": str(job.token_id),
            "webhook_url": webhooks.url(self._settings, self._settings.webhook_url, job.id),
            "s3_textgrid_url": textgrid_uri,
            "s3_pitch_url": pitch_uri,
            "timestamp": datetime.now(UTC).isoformat(),
            "source": _SOURCE,
        }
        attributes = {"job_type": "audio_analysis", "priority": "normal", "job_id": job.id}
        ordered: dict[str, str] = {}
        if self.url.endswith(".fifo"):  # each request once, and no job waits for another
            ordered = {"MessageGroupId": job.id, "MessageDeduplicationId": f"{job.id}-{job.run}-{job.asks}"}
        with _translated():
            await self._client.send_message(
                QueueUrl=self.url,
                MessageBody=orjson.dumps({name: value for name, value in said.items() if value}).decode(),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
                **ordered,  # type: ignore[arg-type]  # both are strings
            )

    async def depth(self) -> Depth:
        """How full the queue is."""
        with _translated():
            found = await self._client.get_queue_attributes(
                QueueUrl=self.url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )
        told = found["Attributes"]
        return Depth(
            int(told["ApproximateNumberOfMessages"]),
            int(told["ApproximateNumberOfMessagesNotVisible"]),
        )


class _translated:  # noqa: N801  # reads as a statement: `with _translated():`
    """Turns botocore's errors into the engine's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError):
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            cause = f"SQS answered {status} {error.response.get('Error', {}).get('Code', '')}"
            if status >= 500 or status == 429:
                raise Down("queue_down", cause) from error
            raise Transient("queue_refused", cause) from error
        if _never_reached(error):
            raise Down("queue_down", type(error).__name__) from error
        if isinstance(error, BotoCoreError | OSError):
            raise Unclear("analysis_unclear", type(error).__name__) from error


def _never_reached(error: BaseException | None) -> bool:
    """Whether no byte went out. aiobotocore calls a connection that was reset later by the name of one never made."""
    if isinstance(error, EndpointConnectionError):
        return isinstance(error.kwargs.get("error"), aiohttp.ClientConnectorError | socket.gaierror)
    return isinstance(error, ConnectTimeoutError)


@asynccontextmanager
async def open_queue(settings: Settings) -> AsyncIterator[AnalysisQueue | None]:
    """The queue of these settings, None where USE_SQS_QUEUE is off; opening does not touch the network."""
    if not settings.use_sqs_queue or settings.sqs_queue_url is None:
        yield None
        return
    # Nothing is sent again behind our back: a connection that broke off says nothing of whether the message is there.
    config = AioConfig(connect_timeout=3, read_timeout=10, retries={"max_attempts": 0, "mode": "standard"})
    async with get_session().create_client(
        "sqs",
        endpoint_url=settings.aws_endpoint_url_sqs,
        config=config,
        region_name=settings.aws_region,
        aws_access_key_id=settings.aws_access_key_id.get_secret_value(),
        aws_secret_access_key=settings.aws_secret_access_key.get_secret_value(),
    ) as client:
        yield AnalysisQueue(client, settings.sqs_queue_url, settings)
