"""Audio in S3: put, look, and make links; aiobotocore behind a few methods."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from aiohttp import ClientPayloadError
from botocore.exceptions import BotoCoreError, ClientError

from yousync.failpoints import failpoints
from yousync.failures import Down, Transient
from yousync.metrics import STORAGE_SECONDS, timed
from yousync.putting import ShortWay
from yousync.settings import Settings
from yousync.signing import on_clock, on_s3_clock

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

Style = Literal["auto", "path", "virtual"]

CONTENT_TYPES = {
    "webm": "audio/webm",
    "ogg": "audio/ogg",
    "m4a": "audio/mp4",
    "mp4": "audio/mp4",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
}
LINK_SECONDS: Final = 900
"""How long a link to an object opens it unless asked otherwise; whoever holds the link may."""


class Storage:
    """One bucket, and whatever a key names in full: `s3://bucket/key`, as rows of old may have it.

    Every method raises Down when S3 is away and Transient when it refuses.
    """

    def __init__(self, client: S3Client, bucket: str, *, signer: S3Client, short_way: ShortWay) -> None:
        self._client = client
        self._short_way = short_way
        self._signer = signer  # knows S3 by the address that browsers use; it signs and sends nothing
        self.bucket = bucket

    @failpoints("storage.put")
    @timed(STORAGE_SECONDS, "put")
    async def put(self, key: str, body: bytes, *, container: str) -> None:
        """Store `body` under `key`; the same bytes again change nothing."""
        bucket, name = self._place(key)
        kind = CONTENT_TYPES.get(container, "application/octet-stream")
        put = partial(on_s3_clock, self._client.put_object, Bucket=bucket, Key=name, Body=body, ContentType=kind)
        with _translated():
            if not await self._short_way.put(bucket, name, body, content_type=kind):
                await self._short_way.watching(bucket, name, put)

    @failpoints("storage.size")
    @timed(STORAGE_SECONDS, "size")
    async def size(self, key: str) -> int | None:
        """How many bytes lie under `key`, None when nothing does."""
        bucket, name = self._place(key)
        with _translated():
            try:
                found = await on_s3_clock(self._client.head_object, Bucket=bucket, Key=name)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey"}:
                    return None
                raise
            return int(found["ContentLength"])

    async def presigned(self, key: str, seconds: int = LINK_SECONDS) -> str:
        """A link that fetches what lies under `key` for so many seconds, whether or not anything does.

        It is made without asking S3, so it is there while S3 is not. All links to an object that are made within
        LINK_WINDOW_SECONDS are the same one, and its seconds count from the beginning of these.
        """
        bucket, name = self._place(key)
        return await self._signer.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": name}, ExpiresIn=seconds
        )

    @failpoints("storage.get")
    @timed(STORAGE_SECONDS, "get")
    async def get(self, key: str, *, max_bytes: int) -> bytes | None:
        """What lies under `key`; None when nothing does, or more than `max_bytes`."""
        bucket, name = self._place(key)
        with _translated():
            try:
                found = await on_s3_clock(self._client.get_object, Bucket=bucket, Key=name)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in {"404", "NoSuchKey"}:
                    return None
                raise
            async with found["Body"] as body:
                if found["ContentLength"] > max_bytes:
                    return None
                content: bytes = await body.read()
                return content

    @failpoints("storage.delete")
    async def delete(self, key: str) -> None:
        """Remove what lies under `key`; nothing happens when nothing does."""
        bucket, name = self._place(key)
        with _translated():
            await on_s3_clock(self._client.delete_object, Bucket=bucket, Key=name)

    async def pages(self, prefixes: Iterable[str]) -> AsyncIterator[list[tuple[str, datetime]]]:
        """Everything under these prefixes: keys and when they were written, a page at a time."""
        for prefix in prefixes:
            after: dict[str, str] | None = {}
            while after is not None:
                with _translated():
                    page = await on_s3_clock(self._client.list_objects_v2, Bucket=self.bucket, Prefix=prefix, **after)
                yield [(found["Key"], found["LastModified"]) for found in page.get("Contents", [])]
                token = page.get("NextContinuationToken")
                after = {"ContinuationToken": token} if token else None

    def uri(self, key: str) -> str:
        """The `s3://` form that analysis servers take."""
        return "s3://{}/{}".format(*self._place(key))

    def _place(self, key: str) -> tuple[str, str]:
        """Bucket and key."""
        scheme, _, full = key.partition("://")
        bucket, _, name = full.partition("/")
        return (bucket, name) if scheme == "s3" and name else (self.bucket, key)


class _translated:  # noqa: N801  # reads as a statement: `with _translated():`
    """Turns botocore's errors into the engine's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ClientError):
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            cause = f"S3 answered {status} {error.response.get('Error', {}).get('Code', '')}"
            if status >= 500 or status == 429:
                raise Down("storage_down", cause) from error
            raise Transient("storage_refused", cause) from error
        # A body that breaks off is aiohttp's to tell: what reads it for botocore lets that through.
        if isinstance(error, (BotoCoreError, ClientPayloadError, OSError, TimeoutError)):
            raise Down("storage_down", type(error).__name__) from error


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncIterator[Storage]:
    """The bucket of these settings; opening does not touch the network."""
    session, inside = get_session(), settings.aws_endpoint_url_s3
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(session, settings, inside, style="path" if inside else "auto"))
        signer, public = client, settings.s3_public_endpoint_url or inside
        if public is None or public != inside:
            # Left to itself botocore signs for Amazon's global name, which other regions redirect and so break.
            style: Style = "path" if public else "virtual"
            signer = await stack.enter_async_context(_client(session, settings, public, style=style))
        short_way = ShortWay(client, on_clock(settings))
        yield Storage(client, settings.s3_bucket_name, signer=signer, short_way=short_way)


def _client(
    session: AioSession, settings: Settings, endpoint: str | None, *, style: Style
) -> AbstractAsyncContextManager[S3Client]:
    config = AioConfig(
        signature_version="s3v4",
        user_agent="yousync",  # botocore's own is put together anew for every request
        s3={"addressing_style": style},
        connect_timeout=3,
        read_timeout=20,
        retries={"max_attempts": 1, "mode": "standard"},
        max_pool_connections=64,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.create_client(
        "s3",
        endpoint_url=endpoint,
        config=config,
        region_name=settings.aws_region,
        aws_access_key_id=settings.aws_access_key_id.get_secret_value(),
        aws_secret_access_key=settings.aws_secret_access_key.get_secret_value(),
    )
