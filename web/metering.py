"""Reading a request body under a limit of bytes, a minimum rate and an idle timeout, whatever the client says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import nullcontext
from typing import TypeVar

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from yousync.errors import MalformedBody, TooLarge, UploadTooSlow

CHUNK = 64 * 2**10  # bytes a read asks for
MIN_BYTES_PER_S = 4 * 2**10  # the slowest mobile uplink worth a slot: 60 s of speech in about 24 s
IDLE_TIMEOUT_S = 10.0
MAX_LINES = 2000  # of boundaries and heads; 65,000 empty ones took 0.6 s, in which nobody else was answered
GRACE_S = 5.0  # waiting that is forgiven before the rate counts
_LINE = 2**13  # bytes of the longest line that is no header

_IDENTITY = frozenset({"", "identity"})

T = TypeVar("T")


class MeteredStream:
    """A request's body, read as aiohttp's multipart parser reads it, with every byte counted.

    Only the time spent waiting for the client counts against the rate, so that a slow server is not
    the client's fault. Raises `too_large` past `limit` bytes, UploadTooSlow below `min_bytes_per_s` or
    after `idle_timeout_s` without a byte, MalformedBody when the body is compressed or the transfer
    coding is broken, and ConnectionResetError when the client left.
    """

    def __init__(
        self,
        request: web.Request,
        *,
        limit: int,
        too_large: type[TooLarge] = TooLarge,
        min_bytes_per_s: float = MIN_BYTES_PER_S,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
    ) -> None:
        if request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() not in _IDENTITY:
            raise MalformedBody
        self._content = request.content
        self.limit = limit
        self.too_large = too_large
        self.min_bytes_per_s = min_bytes_per_s
        self.idle_timeout_s = idle_timeout_s
        self.consumed = 0
        self._waited = 0.0
        self._pushed = b""
        self._lines = 0

    async def read(self, n: int = CHUNK) -> bytes:
        """At most `n` bytes, empty at the end."""
        if self._pushed:
            data, self._pushed = self._pushed[:n], self._pushed[n:]
            return data
        if self._content.exception() is None and (data := self._content.read_nowait(n)):
            return self._counted(data)  # it is here already: nothing to wait for
        if self._content.exception() is None and self._content.at_eof():
            return b""  # aiohttp, asked again and again for what is over, logs the whole stack each time
        return await self._count(self._content.read(n))

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        """One line with its end; MalformedBody when it is longer than `max_line_length`, or one of too many."""
        self._lines += 1
        if self._lines > MAX_LINES:
            raise MalformedBody
        head, newline, self._pushed = self._pushed.partition(b"\n")
        if newline:
            return head + newline
        most = max_line_length or _LINE
        here = self._content.is_eof() or self._content.total_bytes - self.consumed > most
        return head + await self._count(self._content.readline(max_line_length=most), here=here)

    def unread_data(self, data: bytes) -> None:
        """Take back what the multipart parser read past its boundary."""
        self._pushed = data + self._pushed

    def at_eof(self) -> bool:
        """Whether the body has been read to its end."""
        return not self._pushed and self._content.at_eof()

    async def _count(self, reading: Awaitable[bytes], *, here: bool = False) -> bytes:
        """What is `here` already needs no timer."""
        begun = time.monotonic()
        try:
            async with nullcontext() if here else asyncio.timeout(self.idle_timeout_s):
                data = await reading
        except TimeoutError:
            raise UploadTooSlow from None
        except (RequestPayloadError, HttpProcessingError, ValueError) as error:
            raise MalformedBody from error
        self._waited += time.monotonic() - begun
        return self._counted(data)

    def _counted(self, data: bytes) -> bytes:
        self.consumed += len(data)
        if self.consumed > self.limit:
            raise self.too_large
        if self._waited > GRACE_S and self.consumed < self.min_bytes_per_s * self._waited and data:
            raise UploadTooSlow
        return data


async def read_body(
    request: web.Request,
    *,
    max_bytes: int,
    too_large: type[TooLarge] = TooLarge,
    min_bytes_per_s: float = MIN_BYTES_PER_S,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
) -> bytes:
    """The whole body, at most `max_bytes`; a longer one is refused by its Content-Length before a byte is read.

    Errors are MeteredStream's.
    """
    if (request.content_length or 0) > max_bytes:
        raise too_large
    stream = MeteredStream(
        request,
        limit=max_bytes,
        too_large=too_large,
        min_bytes_per_s=min_bytes_per_s,
        idle_timeout_s=idle_timeout_s,
    )
    body = bytearray()
    while chunk := await stream.read():
        body += chunk
    return bytes(body)
