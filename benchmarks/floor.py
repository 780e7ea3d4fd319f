"""The floor: the least an honest server could do with an upload. `python -m benchmarks.floor --port P`.

It parses the multipart, writes the bytes to Valkey once, inserts one row, and answers. No checks, no limits, no
deduplication, no state, no log: what remains is what the libraries, the same as ours, and the servers behind cost.
"""

from __future__ import annotations

import argparse
import os
import uuid
from collections.abc import AsyncIterator

import asyncpg
import uvloop
from aiohttp import BodyPartReader, web
from redis.asyncio import BlockingConnectionPool, Redis

_ROWS: web.AppKey[asyncpg.Pool[asyncpg.Record]] = web.AppKey("rows", asyncpg.Pool)
_VALKEY: web.AppKey[Redis] = web.AppKey("valkey", Redis)

_TABLE = """
CREATE TABLE IF NOT EXISTS uploads (
    job_id text PRIMARY KEY, script_id int NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
)"""
_INSERT = "INSERT INTO uploads (job_id, script_id, status) VALUES ($1, $2, 'processing')"
_KEPT_SECONDS = 3600


async def _upload(request: web.Request) -> web.Response:
    part = await (await request.multipart()).next()
    if not isinstance(part, BodyPartReader):
        raise web.HTTPBadRequest
    audio = await part.read()
    job_id = uuid.uuid4().hex
    await request.app[_VALKEY].set(f"floor:{job_id}", bytes(audio), ex=_KEPT_SECONDS)
    await request.app[_ROWS].execute(_INSERT, job_id, int(request.match_info["script_id"]))
    return web.json_response({"job_id": job_id, "status": "processing"}, status=202)


async def _healthz(_: web.Request) -> web.Response:
    return web.Response()


async def _opened(app: web.Application) -> AsyncIterator[None]:
    connections = BlockingConnectionPool.from_url(os.environ["REDIS_URL"], max_connections=64)
    async with (
        asyncpg.create_pool(os.environ["DATABASE_URL"], max_size=20) as rows,
        Redis(connection_pool=connections) as valkey,
    ):
        await rows.execute(_TABLE)
        app[_ROWS], app[_VALKEY] = rows, valkey
        yield
    await connections.disconnect()


def main() -> None:
    """Serves on loopback until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    app = web.Application(client_max_size=32 * 2**20)
    app.cleanup_ctx.append(_opened)
    app.add_routes([web.post("/scripts/{script_id}/upload-audio", _upload), web.get("/healthz", _healthz)])
    port = parser.parse_args().port
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()
