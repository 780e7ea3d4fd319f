"""Background tasks end when they are told to, deaf ones and failed ones too."""

from __future__ import annotations

import asyncio

from yousync.tasks import cancel


async def test_a_task_that_loses_a_cancellation_is_told_again() -> None:
    heard = 0

    async def deaf() -> None:
        nonlocal heard
        while heard < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                heard += 1

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await cancel(task)
    assert task.done()
    assert heard == 2


async def test_failed_and_finished_tasks_are_fine() -> None:
    async def fail() -> None:
        raise ValueError

    failed, finished = asyncio.create_task(fail()), asyncio.create_task(asyncio.sleep(0))
    await asyncio.wait({failed, finished})
    await cancel(failed, finished)


async def test_whoever_waits_can_be_cancelled_itself() -> None:
    async def never() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if done:
                    raise

    done = False
    stubborn = asyncio.create_task(never())
    waiting = asyncio.create_task(cancel(stubborn))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    done = True
    await cancel(stubborn)
