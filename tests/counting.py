"""Counting statements on Postgres."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from yousync.metrics import QUERY_SECONDS


async def statements(work: Awaitable[Any]) -> int:
    """How many this process sends while `work` is done; nothing else may be going on in it."""
    before = _sent()
    await work
    return _sent() - before


def _sent() -> int:
    return round(
        sum(s.value for metric in QUERY_SECONDS.collect() for s in metric.samples if s.name.endswith("_count"))
    )
