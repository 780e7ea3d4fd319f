"""A queue that speaks as SQS does, and who consumes it: each message goes on to the analysis server, as it was sent."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import orjson
from aiohttp import web

from tests.faults.ground import Ground
from yousync.local.port import free_port


@asynccontextmanager
async def queueing(target: str, *, after: float = 0.0) -> AsyncIterator[int]:
    """The port of a queue whose messages reach `target` so many seconds later: two that are alike as two requests."""
    port, under_way = free_port(), set[asyncio.Task[None]]()

    async def consume(message: str) -> None:
        await asyncio.sleep(after)
        wanted = orjson.loads(message)
        async with session.post(target, data=wanted, headers={"Idempotency-Key": wanted["job_id"]}):
            pass

    async def send(request: web.Request) -> web.Response:
        assert request.headers["X-Amz-Target"] == "AmazonSQS.SendMessage"
        message = orjson.loads(await request.read())["MessageBody"]
        task = asyncio.create_task(consume(message))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        told = {"MessageId": str(uuid.uuid4()), "MD5OfMessageBody": hashlib.md5(message.encode()).hexdigest()}  # noqa: S324  # as SQS does
        return web.json_response(told, content_type="application/x-amz-json-1.0")

    app = web.Application()
    app.router.add_post("/", send)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession() as session:
        yield port
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    await runner.cleanup()


def beside_a_queue(ground: Ground, port: int) -> Ground:
    """The ground with a queue at this port, which is used where USE_SQS_QUEUE is on."""
    address = f"http://127.0.0.1:{port}"
    changes = {"aws_endpoint_url_sqs": address, "sqs_queue_url": f"{address}/0/analysis"}
    return replace(ground, settings=ground.settings.model_copy(update=changes))
