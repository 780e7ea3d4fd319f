"""What arq's own command line reads: `arq jobs.worker_settings.WorkerSettings --check` tells whether a worker lives.

Workers themselves are started with `yousync worker`, which adds what arq's lacks: see jobs/worker.py.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from arq.connections import RedisSettings
from arq.worker import func

from jobs import keys
from jobs.actors import advance
from jobs.deps import open_deps
from jobs.healing import healed
from jobs.identity import identified
from jobs.script import ACTOR, dumps, loads
from yousync.settings import Settings

_settings = Settings.load()


async def _open(ctx: dict[str, Any]) -> None:
    stack = ctx["stack"] = AsyncExitStack()
    deps = ctx["deps"] = await stack.enter_async_context(open_deps(_settings, application="yousync-arq"))
    await identified(deps.valkey, _settings, staging=deps.staging)
    await healed(deps)


async def _close(ctx: dict[str, Any]) -> None:
    await ctx["stack"].aclose()


class WorkerSettings:
    """A plain arq worker on our queue: good for `--check`, and as another pair of hands in an emergency."""

    functions = (func(advance, name=ACTOR, keep_result=0, max_tries=1_000_000, timeout=86_400),)
    queue_name = keys.QUEUE
    health_check_key = keys.HEALTH
    redis_settings = RedisSettings.from_dsn(_settings.redis_url.get_secret_value())
    job_serializer = staticmethod(dumps)
    job_deserializer = staticmethod(loads)
    max_tries = 1_000_000
    keep_result = 0
    job_completion_wait = 5
    on_startup = _open
    on_shutdown = _close
