"""The service itself: what it is, whether it lives, whether it can take work."""

from __future__ import annotations

import asyncio
from typing import Literal

import structlog
from aiohttp import web
from pydantic import BaseModel
from redis.exceptions import RedisError

from jobs.identity import WrongValkey, check_durability
from models.db import DATABASE_DOWN, connection
from web.contract import Contract
from web.wiring import DEPS, HUB
from yousync.errors import DependencyDown
from yousync.valkey import VALKEY_DOWN

log = structlog.get_logger(__name__)

VERSION = "1.0.0"

routes = Contract(tag="Service")


class Welcome(BaseModel):
    """Where to look next."""

    message: str = "YouSync API"
    docs: str = "/docs"
    redoc: str = "/redoc"
    version: str = VERSION


class Health(BaseModel):
    """The fixed answer existing monitors look for."""

    status: Literal["healthy"] = "healthy"
    service: Literal["token-script-api"] = "token-script-api"


class Liveness(BaseModel):
    """The process runs its event loop."""

    status: Literal["alive"] = "alive"


class Readiness(BaseModel):
    """Uploads would be accepted now."""

    status: Literal["ready"] = "ready"


@routes.get("/")
async def welcome(_request: web.Request) -> Welcome:
    """Say what this is."""
    return Welcome()


@routes.get("/health", limit="none")
async def health(_request: web.Request) -> Health:
    """Answer existing monitors; see /readyz for what it depends on."""
    return Health()


@routes.get("/livez", limit="none")
async def livez(_request: web.Request) -> Liveness:
    """Tell a process manager that it need not restart us."""
    return Liveness()


@routes.get("/readyz", limit="none", raises=(DependencyDown,))
async def readyz(request: web.Request) -> Readiness:
    """Tell a load balancer whether to send requests: Valkey and Postgres answer, and Valkey keeps what it is given.

    S3 and the analysis server play no part: uploads are accepted while they are away.
    """
    deps = request.app[DEPS]
    if request.app[HUB].closed:
        raise DependencyDown("종료 중입니다", retry_after=5)
    try:
        async with asyncio.timeout(3):
            kept = check_durability(deps.valkey, deps.settings, staging=deps.staging)
            await asyncio.gather(kept, connection().execute_query("SELECT 1"))
            await deps.store.probe()
    except (WrongValkey, RedisError, *VALKEY_DOWN, *DATABASE_DOWN) as error:
        log.warning("not_ready", cause=str(error) if isinstance(error, WrongValkey) else type(error).__name__)
        raise DependencyDown(retry_after=5) from None
    return Readiness()
