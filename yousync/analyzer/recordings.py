"""Fetches recordings from S3."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiohttp import ClientError as HttpError
from botocore.exceptions import BotoCoreError, ClientError

from yousync.analyzer.config import Config

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client  # a development dependency

_TRIES = 6
_PAUSE_S = 0.2


class FetchError(Exception):
    """The recording cannot be had; `again` when a later try may succeed."""

    def __init__(self, code: str, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.code, self.message, self.again = code, message, again


class Recordings:
    """Reads objects with the server's own credentials. Open with `async with Recordings.open(settings)`."""

    def __init__(self, client: S3Client, *, max_bytes: int) -> None:
        self._client = client
        self._max_bytes = max_bytes

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Config) -> AsyncIterator[Self]:
        """A client for the S3 of AWS_ENDPOINT_URL_S3, or of AWS itself."""
        config = AioConfig(
            signature_version="s3v4",
            connect_timeout=5,
            read_timeout=20,
            retries={"max_attempts": 1},
            s3={"addressing_style": "path"} if settings.aws_endpoint_url_s3 else {},
        )
        async with get_session().create_client(
            "s3",
            region_name=settings.aws_region,
            endpoint_url=settings.aws_endpoint_url_s3,
            aws_access_key_id=settings.aws_access_key_id.get_secret_value(),
            aws_secret_access_key=settings.aws_secret_access_key.get_secret_value(),
            config=config,
        ) as client:
            yield cls(client, max_bytes=settings.analyzer_max_bytes)

    async def fetch(self, bucket: str, key: str) -> bytes:
        """The object's bytes; tries again while S3 is away. Raises FetchError."""
        pause = _PAUSE_S
        for left in reversed(range(_TRIES)):
            try:
                return await self._fetch(bucket, key)
            except ClientError as error:
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
                if status == 404:
                    raise FetchError("audio_not_found", "The recording is not in S3.", again=True) from error
                if status < 500 and status != 429:
                    raise FetchError("audio_forbidden", f"S3 answered {status}.", again=True) from error
                last: Exception = error
            except (BotoCoreError, HttpError, TimeoutError, OSError) as error:
                last = error
            if not left:
                raise FetchError("audio_unreachable", "S3 does not answer.", again=True) from last
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter, not a secret
            pause *= 2
        raise AssertionError("unreachable")

    async def _fetch(self, bucket: str, key: str) -> bytes:
        reply = await self._client.get_object(Bucket=bucket, Key=key)
        if reply["ContentLength"] > self._max_bytes:
            raise FetchError("audio_too_large", "The recording is larger than this server takes.", again=False)
        async with reply["Body"] as body:
            return await body.read()
