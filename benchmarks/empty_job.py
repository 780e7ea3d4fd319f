"""A worker of arq's own with a job that does nothing: `python -m arq benchmarks.empty_job.WorkerSettings`."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from arq.connections import RedisSettings
from arq.worker import Function, func

from yousync.settings import Settings

QUEUE = "benchmark:queue"


async def nothing(ctx: dict[str, Any]) -> None:
    """Done."""


class WorkerSettings:
    """As many slots as ours, and no pause between polls, so that arq is what is measured."""

    functions: ClassVar[list[Function]] = [func(nothing, name="nothing", keep_result=0)]
    redis_settings = RedisSettings.from_dsn(os.environ.get("REDIS_URL", "redis://127.0.0.1"))
    queue_name = QUEUE
    max_jobs = Settings.model_fields["worker_slots"].default
    keep_result = 0
    poll_delay = 0.01
    log_results = False
