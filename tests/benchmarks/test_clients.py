"""The load and the followers, against a small server of known manners."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web

from benchmarks.following import Follower
from benchmarks.load import Load
from benchmarks.wav import Recordings
from benchmarks.wire import Uploads
from yousync.local.port import free_port


class Server:
    """Refuses every third upload; a stream breaks off once before it tells the end, if it tells it at all."""

    def __init__(self, *, port: int, tells: bool = True) -> None:
        self.port = port
        self._tells = tells
        self.bodies: list[bytes] = []
        self.resumed: list[str] = []
        self._asked = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application(client_max_size=2**20)
        app.add_routes(
            [
                web.post("/scripts/{script_id}/upload-audio", self._upload),
                web.get("/scripts/analysis-progress/{job_id}", self._stream),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _upload(self, request: web.Request) -> web.Response:
        self._asked += 1
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        self.bodies.append(file.file.read())
        if self._asked % 3 == 0:
            return web.json_response({}, status=503)
        return web.json_response({"job_id": f"{self._asked:032x}"}, status=202)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        seen = request.headers.get("Last-Event-ID")
        if seen is None:
            event = {"status": "processing", "progress": 40, "result": None}
            await stream.write(b"id: 1-1\r\nretry: 10\r\ndata: " + orjson.dumps(event) + b"\r\n\r\n: ping\r\n\r\n")
            return stream
        self.resumed.append(seen)
        event = {"status": "completed", "progress": 100, "result": {}}
        if self._tells:
            await stream.write(b"id: 1-2\ndata: " + orjson.dumps(event) + b"\n\n")
        await asyncio.sleep(30)  # the client has what it wants and hangs up
        return stream


async def test_uploads_are_followed_through_a_broken_stream_to_their_end() -> None:
    server = Server(port=free_port())
    follower = Follower(server.port)
    async with server.serving():
        try:
            uploads = Uploads(7, Recordings(2_000))
            load = Load([server.port], uploads, concurrency=2, seconds=20, most=9, accepted=follower.follow)
            tally = await load.run()
            assert await follower.settled(stall=10)
        finally:
            await follower.close()
    assert (len(tally.accepted), dict(tally.refused), tally.unanswered) == (6, {503: 3}, 0)
    assert len(set(server.bodies)) == 9, "each upload has bytes of its own"
    assert server.resumed == ["1-1"] * 6
    assert {(job.status, job.progress, job.events) for job in follower.jobs.values()} == {("completed", 100, 2)}
    assert 0 < tally.latency(50) <= tally.latency(99) <= tally.seconds


async def test_followers_come_back_to_a_server_that_was_away() -> None:
    server = Server(port=free_port(), tells=False)
    follower = Follower(server.port)
    try:
        async with server.serving():
            follower.follow("a")
            assert await follower.until(lambda: server.resumed, stall=10)
        async with Server(port=server.port).serving():
            assert await follower.settled(stall=10)
    finally:
        await follower.close()
    assert follower.jobs["a"].status == "completed"


async def test_a_server_that_never_answers_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        tally = await Load([port], Uploads(7, Recordings(2_000)), concurrency=3, seconds=0.1, patience=0.1).run()
    assert (tally.accepted, tally.unanswered) == ([], 3)
