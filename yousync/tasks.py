"""Ending background tasks for sure."""

from __future__ import annotations

import asyncio
from typing import Any


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until each has ended.

    Again each second, because a cancellation that lands inside some libraries' calls gets lost there. Our own
    being cancelled meanwhile is not swallowed, as it would be by suppressing CancelledError around an await.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=1.0)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is warned that it never was
