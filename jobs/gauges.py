"""What lies in Valkey, read and shown as metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from redis.exceptions import RedisError

from jobs.deps import Deps
from jobs.presence import workers
from jobs.records import Stats
from yousync import metrics
from yousync.valkey import VALKEY_DOWN

_PATIENCE_SECONDS: Final = 3.0  # Prometheus gives a scrape ten


async def show_gauges(deps: Deps) -> None:
    """Set the gauges to what Valkey says now, or to unknown when it does not answer."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            stats, present, memory = await asyncio.gather(
                deps.store.stats(), workers(deps.valkey), deps.valkey.info("memory")
            )
    except (RedisError, *VALKEY_DOWN):  # a TimeoutError is an OSError
        metrics.show_unknown()
    else:
        _show(stats, memory, workers=len(present), staged_limit_bytes=deps.settings.staged_audio_bytes)


def _show(stats: Stats, memory: Mapping[str, int], *, workers: int, staged_limit_bytes: int) -> None:
    metrics.show(
        jobs=stats.states,
        oldest_seconds={state: (stats.now_ms - since) / 1000 for state, since in stats.oldest_ms.items()},
        held={gate.stage: gate.held for gate in stats.gates},
        breaker_open={gate.stage: gate.open_until_ms > 0 for gate in stats.gates},
        paused={gate.stage: gate.paused for gate in stats.gates},
        queued=stats.queued,
        staged_bytes=stats.staged_bytes,
        staged_limit_bytes=staged_limit_bytes,
        memory_bytes=memory["used_memory"],
        memory_limit_bytes=memory["maxmemory"] or memory["total_system_memory"],
        workers=workers,
    )
