"""GET /metrics: what this process has counted, for Prometheus.

It is no part of the API: text for one reader inside the house, so there is no Contract for it, and it is not in
the OpenAPI document. Served at the root alone: a proxy that passes on /api passes none of it on.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator

from aiohttp import web
from prometheus_client.aiohttp import make_aiohttp_handler

from jobs.gauges import show_gauges
from web.routes.service import readyz
from web.wiring import DEPS, SETTINGS
from yousync.errors import DependencyDown, TokenInvalid, TokenMissing
from yousync.exposition import measured_loop
from yousync.metrics import READY

METRICS_PATH = "/metrics"

_render = make_aiohttp_handler()


def install_metrics(app: web.Application) -> None:
    """Serve the metrics of `app`'s process, and measure its event loop."""
    app.router.add_get(METRICS_PATH, metrics)
    app.cleanup_ctx.append(_measured)


async def metrics(request: web.Request) -> web.StreamResponse:
    """Read what is not counted as it happens, then everything in the format that the scraper asks for.

    Raises TokenMissing and TokenInvalid where METRICS_TOKEN is set.
    """
    _check_token(request)
    await asyncio.gather(show_gauges(request.app[DEPS]), _show_readiness(request))
    return await _render(request)


def _check_token(request: web.Request) -> None:
    wanted = request.app[SETTINGS].metrics_token
    if wanted is None:
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenMissing
    if not hmac.compare_digest(given.strip().encode(errors="surrogateescape"), wanted.get_secret_value().encode()):
        raise TokenInvalid


async def _show_readiness(request: web.Request) -> None:
    try:
        await readyz(request)
    except DependencyDown:
        READY.set(0)
    else:
        READY.set(1)


async def _measured(_app: web.Application) -> AsyncIterator[None]:
    async with measured_loop():
        yield
