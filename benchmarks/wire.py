"""HTTP/1.1 as a client speaks it, with as little CPU as can be: it shares the machine with what it measures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from benchmarks.wav import Recordings

HOST: Final = "127.0.0.1"
_PIECE: Final = 256 * 2**10
_BOUNDARY: Final = "------------------------yousyncbenchmark"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    body: bytes


class ReplyReader:
    """Reads replies from bytes as they come: a head, then a body by its length or in chunks.

    `head` is told the status, `body` each piece, `end` that the reply is whole.
    """

    __slots__ = ("_body", "_buffer", "_chunked", "_end", "_head", "_in_body", "_left")

    def __init__(self, head: Callable[[int], None], body: Callable[[bytes], None], end: Callable[[], None]) -> None:
        self._head = head
        self._body = body
        self._end = end
        self._buffer = b""
        self._in_body = False
        self._chunked = False
        self._left = 0  # of the body, or of the present chunk with its line end; 0 where a size is expected

    def feed(self, data: bytes) -> None:
        """Take bytes off the wire."""
        self._buffer += data
        while self._in_piece() if self._in_body else self._read_head():
            pass

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head, self._buffer = self._buffer[:end].lower(), self._buffer[end + 4 :]
        self._chunked = b"transfer-encoding: chunked" in head
        _, found, after = head.partition(b"\r\ncontent-length:")
        self._left = int(after.split(b"\r\n", 1)[0]) if found else 0
        self._in_body = True
        self._head(int(head[9:12]))
        if not (self._chunked or self._left):
            self._over()
        return bool(self._buffer)

    def _in_piece(self) -> bool:
        return self._read_chunk() if self._chunked else self._read_length()

    def _read_length(self) -> bool:
        piece, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(piece)
        self._body(piece)
        if not self._left:
            self._over()
        return bool(self._buffer)

    def _read_chunk(self) -> bool:
        line = self._buffer.find(b"\r\n")
        if line < 0:
            return False
        size = int(self._buffer[:line], 16)
        end = line + 2 + size + 2
        if len(self._buffer) < end:
            return False
        piece, self._buffer = self._buffer[line + 2 : end - 2], self._buffer[end:]
        if size:
            self._body(piece)
        else:
            self._over()
        return bool(self._buffer)

    def _over(self) -> None:
        self._in_body = False
        self._end()


class Connection(asyncio.Protocol):
    """A keep-alive connection that carries one request after the other."""

    def __init__(self) -> None:
        self._reader = ReplyReader(self._on_head, self._on_body, self._on_end)
        self._waiting: asyncio.Future[Reply] | None = None
        self._status = 0
        self._pieces: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    async def request(self, data: bytes) -> Reply:
        """Send a whole request and wait for its reply. Raises ConnectionError when the server hangs up."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._waiting = asyncio.get_running_loop().create_future()
        view = memoryview(data)
        for begin in range(0, len(data), _PIECE):  # a large one at once would keep our own loop from looking
            self._transport.write(view[begin : begin + _PIECE])
            await self._writable.wait()
            if self._transport.is_closing():
                break  # whoever waits for the reply is told why there is none
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError())

    def _on_head(self, status: int) -> None:
        self._status = status
        self._pieces = []

    def _on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def _on_end(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Reply(self._status, b"".join(self._pieces)))


async def connect(port: int) -> Connection:
    """A connection to a server on this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, HOST, port)
    return connection


class Uploads:
    """Upload requests for one sentence, each with a recording of its own."""

    def __init__(self, script_id: int, recordings: Recordings) -> None:
        self._recordings = recordings
        opening = (
            f"--{_BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="script_{script_id}.wav"\r\n'
            "Content-Type: audio/wav\r\n\r\n"
        ).encode()
        self._closing = f"\r\n--{_BOUNDARY}--\r\n".encode()
        length = len(opening) + sum(map(len, recordings.parts())) + len(self._closing)
        head = (
            f"POST /scripts/{script_id}/upload-audio HTTP/1.1\r\nHost: {HOST}\r\nAccept: */*\r\n"
            f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
        ).encode()
        self._opening = head + opening
        self.bytes = length

    def next(self) -> bytes:
        """A whole request."""
        return b"".join((self._opening, *self._recordings.parts(), self._closing))


def get(path: str, *, accept: str = "text/event-stream", last_event_id: str = "", bearer: str = "") -> bytes:
    """A GET: of a stream, unless it asks for something else."""
    headers = {"Accept": accept, "Last-Event-ID": last_event_id, "Authorization": bearer and f"Bearer {bearer}"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n".encode()


def post(target: str, body: bytes) -> bytes:
    """A POST of JSON."""
    return (
        f"POST {target} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
