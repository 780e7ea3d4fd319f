"""The web application, put together: read this first."""

from __future__ import annotations

from typing import Any

import structlog
import uvloop
from aiohttp import web

from web.auth import authenticate
from web.contract import AUTHENTICATE, Contract, register
from web.cors import install_cors, preflights
from web.docs import install_docs
from web.openapi import document
from web.problems import problems
from web.requests import install_requests, refusals, requests
from web.routes import (
    actors,
    admin,
    admin_stages,
    admin_tail,
    auth,
    batches,
    bookmarks,
    curation,
    dubbings,
    jobs,
    mypage,
    scores,
    scripts,
    service,
    tokens,
    uploads,
    urls,
    video_requests,
    webhooks,
    youtube,
)
from web.routes.metrics import install_metrics
from web.wiring import HUB, SETTINGS, resources
from yousync import logs
from yousync.settings import Settings

log = structlog.get_logger(__name__)

CONTRACTS: tuple[Contract, ...] = (
    service.routes,
    auth.routes,
    tokens.routes,
    curation.routes,
    scripts.routes,
    actors.routes,
    urls.routes,
    uploads.routes,
    jobs.routes,
    dubbings.routes,
    webhooks.routes,
    batches.routes,
    youtube.routes,
    mypage.routes,
    bookmarks.routes,
    scores.routes,
    video_requests.routes,
    admin.routes,
    admin_stages.routes,
    admin_tail.routes,
)
"""Every endpoint there is, noun by noun."""

MAX_LINE_BYTES = 80 * 2**10  # the longest query is a ticket and 4000 letters of job ids, each up to 12 bytes in a URL
_DESCRIPTION = "Dubbing practice: a learner's recording goes in, scores come out, progress is streamed."


def described() -> dict[str, Any]:
    """The OpenAPI document of all of it."""
    return document(CONTRACTS, title="YouSync", version=service.VERSION, description=_DESCRIPTION)


def make_app(settings: Settings, *, with_worker: bool) -> web.Application:
    """The application, not started; `with_worker` runs the engine in the same process."""
    app = web.Application(
        middlewares=[requests, preflights, problems, refusals],
        # A megabyte of zeros, compressed twice, is a terabyte: no client compresses, and nothing is unpacked, not even
        # to be thrown away. MeteredStream refuses such bodies.
        handler_args={"max_line_size": MAX_LINE_BYTES, "auto_decompress": False},
    )
    app[SETTINGS] = settings
    app[AUTHENTICATE] = authenticate
    install_requests(app, trusted_proxies=settings.trusted_proxies)
    install_cors(app, settings.allowed_origins)
    register(app, CONTRACTS)
    install_metrics(app)
    install_docs(app, described())
    app.cleanup_ctx.append(resources(with_worker=with_worker))
    app.on_shutdown.append(_end_streams)
    return app


async def _end_streams(app: web.Application) -> None:
    """First of all at shutdown: open streams end, readiness says no."""
    app[HUB].close()


def run(settings: Settings, *, with_worker: bool) -> None:
    """The `yousync web` command: serve until SIGTERM or SIGINT. Raises WrongValkey."""
    logs.configure(settings.log_level, settings.log_format, settings.log_file)
    web.run_app(
        make_app(settings, with_worker=with_worker),
        host=settings.host,
        port=settings.port,
        shutdown_timeout=4,
        backlog=4096,  # after a restart all streams come back at once; with 128 the kernel lets them wait for seconds
        keepalive_timeout=75,
        access_log=None,
        print=lambda _: log.info("web_ready", port=settings.port),
        loop=uvloop.new_event_loop(),
    )
