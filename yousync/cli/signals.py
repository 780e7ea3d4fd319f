"""Ending on Ctrl-C and SIGTERM: the work is cancelled once, and then may take its time to clean up."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_signalled(work: Coroutine[Any, Any, None]) -> bool:
    """Run `work` to its end or to the first signal; True for the latter. What `work` raises is raised here."""
    loop = asyncio.get_running_loop()
    signalled = asyncio.Event()
    for number in ENDINGS:
        loop.add_signal_handler(number, signalled.set)
    task = asyncio.ensure_future(work)
    waiter = asyncio.ensure_future(signalled.wait())
    try:
        await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return True
        await task
        return False
    finally:
        waiter.cancel()
        for number in ENDINGS:
            loop.remove_signal_handler(number)
