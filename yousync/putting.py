"""The short way into S3: a PUT signed and sent without all that botocore considers anew for each request.

What it considers (parameters, endpoint rules, event handlers, the answer's parts) makes most of what a PUT costs, and
comes out the same for every object of a bucket. So the first PUT goes its way and shows where it leads; those after it
are signed by botocore's signer and sent over aiobotocore's connections. Whatever does not answer with a plain 200 goes
botocore's way again, which knows all that may be wrong.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_SENT: ContextVar[list[str] | None] = ContextVar("sent", default=None)
_AT_ONCE: Final = 2**20  # bytes that aiohttp writes in one go
_SAFE: Final = "/~"  # what botocore leaves as it is in a key, beside what every URL does


class ShortWay:
    """PUTs of one client, once it was seen where its own go."""

    def __init__(self, client: S3Client, auth: S3SigV4Auth) -> None:
        self._auth = auth
        self._http: Any = client._endpoint.http_session  # type: ignore[attr-defined]  # noqa: SLF001  # goes by no other name
        self._places: dict[str, str] = {}  # by bucket: the address of an object, without its key
        client.meta.events.register("before-send.s3.PutObject", _note)

    async def put(self, bucket: str, key: str, body: bytes, *, content_type: str) -> bool:
        """Whether S3 has it now; if not nothing is known. Raises botocore's errors for an S3 that is away."""
        place = self._places.get(bucket)
        if place is None:
            return False
        headers = {"Content-Type": content_type}
        data = body if len(body) <= _AT_ONCE else io.BytesIO(body)
        request = AWSRequest(method="PUT", url=place + quote(key, safe=_SAFE), data=data, headers=headers)
        self._auth.add_auth(request)
        reply = await self._http.send(request.prepare())
        await reply.content
        return bool(reply.status_code == 200)

    async def watching(self, bucket: str, key: str, put: Callable[[], Awaitable[object]]) -> None:
        """Let botocore put, and learn where that goes: not from what was redirected or repeated."""
        sent: list[str] = []
        token = _SENT.set(sent)
        try:
            await put()
        finally:
            _SENT.reset(token)
        end = f"/{quote(key, safe=_SAFE)}"
        if len(sent) == 1 and sent[0].endswith(end):
            self._places[bucket] = sent[0].removesuffix(end) + "/"


def _note(request: Any, **_: object) -> None:
    """What botocore is about to send."""
    if (sent := _SENT.get()) is not None:
        sent.append(request.url)
