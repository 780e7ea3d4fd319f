"""The analysis server's HTTP face: POST /analyze, GET /analyses/{job_id}, GET /healthz, GET /metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import structlog
from aiohttp import web

from yousync.analyzer.config import Config
from yousync.analyzer.desk import Desk, DeskFullError, OrderClashError
from yousync.analyzer.metrics import CONTENT_TYPE
from yousync.analyzer.order import MalformedOrderError, Order
from yousync.analyzer.results import ENGINE, VERSION

_log = structlog.get_logger("yousync.analyzer")
__all__ = ["Config", "make_app", "run"]
_DESK: web.AppKey[Desk] = web.AppKey("desk", Desk)
_MAX_REQUEST_BYTES = 16 * 2**20  # scripts may carry MFCC frames for every word
_RETRY_AFTER_S = 2
routes = web.RouteTableDef()


def make_app(config: Config) -> web.Application:
    """The application; its processes and connections live as long as it is up."""

    async def opened(app: web.Application) -> AsyncIterator[None]:
        async with Desk.open(config) as desk:
            app[_DESK] = desk
            yield

    app = web.Application(client_max_size=_MAX_REQUEST_BYTES)
    app.cleanup_ctx.append(opened)
    app.add_routes(routes)
    return app


def run(config: Config) -> None:
    """Serves until SIGINT or SIGTERM."""
    web.run_app(
        make_app(config),
        host=config.analyzer_host,
        port=config.analyzer_port,
        access_log=None,
        shutdown_timeout=2.0,
        print=lambda *text: _log.info("analyzer listening", where=_address(text)),
    )


@routes.post("/analyze")
async def _analyze(request: web.Request) -> web.Response:
    """Takes either request shape and answers at once; the result goes to the webhook."""
    form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    desk = request.app[_DESK]
    try:
        analysis = desk.take(Order.read(form, request.headers.get("Idempotency-Key")))
    except MalformedOrderError as error:
        desk.metrics.refused.labels("malformed_request").inc()
        return _problem(400, "malformed_request", str(error))
    except OrderClashError:
        desk.metrics.refused.labels("job_in_progress").inc()
        return _problem(409, "job_in_progress", "Another recording is being analysed under this job id.")
    except DeskFullError:
        desk.metrics.refused.labels("queue_full").inc()
        reply = _problem(503, "queue_full", "Too many analyses are waiting.")
        reply.headers["Retry-After"] = str(_RETRY_AFTER_S)
        return reply
    job_id = analysis.order.job_id
    _log.info("order taken", job_id=job_id, progress=analysis.progress.value, words=len(analysis.order.line.words))
    return web.json_response({"job_id": job_id, "task_id": job_id, "status": "accepted"}, status=202)


@routes.get("/analyses/{job_id}")
async def _analysis(request: web.Request) -> web.Response:
    """What became of an order; 404 when it is unknown, or was forgotten."""
    analysis = request.app[_DESK].find(request.match_info["job_id"])
    if analysis is None:
        return _problem(404, "unknown_job", "No such analysis.")
    return web.json_response(analysis.as_json())


@routes.get("/healthz")
async def _health(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "engine": ENGINE, "version": VERSION})


@routes.get("/metrics")
async def _metrics(request: web.Request) -> web.Response:
    return web.Response(body=request.app[_DESK].metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def _problem(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


def _address(text: tuple[Any, ...]) -> str:
    """The URL in what run_app prints; the rest of it is for a terminal."""
    return next((part for part in " ".join(map(str, text)).split() if part.startswith("http")), "")
