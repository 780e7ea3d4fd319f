"""What a stream is told: the newest state, each once, and the end whatever came before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from aiohttp import web

from web.hub import Watcher, _Topic, frame_of
from web.wiring import HUB
from yousync.job import Kind, Status, View, new_job_id


def view(version: tuple[int, int], *, progress: int = 40, status: Status = Status.PROCESSING) -> View:
    return View(
        job_id="a",
        kind=Kind.SCRIPT,
        user_id=None,
        token_id=1,
        status=status,
        progress=progress,
        result=None,
        message=None,
        created_at=datetime.now(UTC),
        version=version,
    )


async def test_a_slow_reader_skips_to_the_newest() -> None:
    watcher, topic = Watcher(), _Topic()
    topic.watchers.add(watcher)
    for number in (1, 2, 3):
        topic.tell(frame_of(view((1, number), progress=number)))
    frame = await watcher.next()
    assert frame is not None
    assert frame.id == "1-3"


async def test_nothing_is_told_twice_and_nothing_older_than_what_was_told() -> None:
    watcher, topic = Watcher(), _Topic()
    topic.watchers.add(watcher)
    topic.tell(frame_of(view((1, 5))))
    assert await watcher.next()
    topic.tell(frame_of(view((1, 6))))
    topic.tell(frame_of(view((1, 4), progress=10)))
    waiting = asyncio.create_task(watcher.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    watcher.close()
    assert await waiting is None


async def test_the_end_is_told_also_by_a_life_that_counts_from_one_again() -> None:
    watcher, topic = Watcher(), _Topic()
    topic.watchers.add(watcher)
    topic.tell(frame_of(view((1, 26))))
    topic.tell(frame_of(view((1, 8), progress=100, status=Status.COMPLETED)))
    frame = await watcher.next()
    assert frame is not None
    assert frame.final


async def test_whoever_comes_while_others_leave_is_told_as_well(app: web.Application) -> None:
    hub, nobody = app[HUB], new_job_id(Kind.SCRIPT)
    with hub.watch(nobody) as first:
        assert await first.next() is None
        with hub.watch(nobody) as second:  # the first has not gone yet
            assert await asyncio.wait_for(second.next(), 5) is None


async def test_a_closed_watcher_stays_closed() -> None:
    watcher = Watcher()
    watcher.close()
    assert await watcher.next() is None
    assert await watcher.next() is None
