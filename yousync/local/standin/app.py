"""The stand-in's HTTP face: POST analyze, process, behaviour, release, reset; GET ledger, analyses, healthz."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web
from pydantic import ValidationError

from yousync.local.standin.behaviour import PLAN, Release
from yousync.local.standin.ledger import Ledger
from yousync.local.standin.machine import Standin

_STANDIN: web.AppKey[Standin] = web.AppKey("standin", Standin)
routes = web.RouteTableDef()


def make_app(ledger_file: Path, *, sync: bool = True) -> web.Application:
    """The application; `ledger_file` is appended to, and fsynced line by line when `sync`."""

    async def opened(app: web.Application) -> AsyncIterator[None]:
        ledger = Ledger(ledger_file, sync=sync)
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
            app[_STANDIN] = Standin(ledger, session)
            yield
            await app[_STANDIN].reset()
        ledger.close()

    app = web.Application()
    app.cleanup_ctx.append(opened)
    app.add_routes(routes)
    return app


@routes.post("/analyze")
async def _analyze(request: web.Request) -> web.StreamResponse:
    return await request.app[_STANDIN].analyze(request)


@routes.post("/process")
async def _process(request: web.Request) -> web.StreamResponse:
    return await request.app[_STANDIN].process(request)


@routes.post("/behaviour")
async def _behave(request: web.Request) -> web.Response:
    try:
        plan = PLAN.validate_json(await request.read())
    except ValidationError as error:
        return web.json_response({"error": str(error)}, status=422)
    request.app[_STANDIN].behave(plan if isinstance(plan, list) else [plan])
    return web.json_response({"ok": True})


@routes.post("/release")
async def _release(request: web.Request) -> web.Response:
    try:
        wanted = Release.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        return web.json_response({"error": str(error)}, status=422)
    return web.json_response({"sent": await request.app[_STANDIN].release(wanted)})


@routes.post("/reset")
async def _reset(request: web.Request) -> web.Response:
    await request.app[_STANDIN].reset()
    return web.json_response({"ok": True})


@routes.get("/ledger")
async def _ledger(request: web.Request) -> web.Response:
    job_id = request.query.get("job_id")
    lines = [line for line in request.app[_STANDIN].ledger.lines if job_id in {None, line.get("job_id")}]
    return web.json_response({"lines": lines})


@routes.get("/analyses/{job_id}")
async def _status(request: web.Request) -> web.Response:
    found = request.app[_STANDIN].state_of(request.match_info["job_id"])
    return web.json_response(found or {"error": "unknown"}, status=200 if found else 404)


@routes.get("/healthz")
async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
