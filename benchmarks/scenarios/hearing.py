"""Hearing of the end: from the answer to the analysis server's webhook to `completed` on the browser's stream."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.analysis import result_of
from benchmarks.figures import Spread, number, percentile, ratio, times
from benchmarks.findings import Plan, Row, Section, Table
from benchmarks.following import Follower
from benchmarks.ground import Ground, Served, Side
from benchmarks.load import Load
from benchmarks.wav import Recordings
from benchmarks.wire import Connection, Uploads, connect, post

_SIZE: Final = 160_000
_LARGE: Final = 15 * 2**20
_LARGE_RATE: Final = 192_000  # Hz: so that 15 MiB are less than a minute
_LARGE_A_SECOND: Final = 2
_UPLOADERS: Final = 2  # few enough for the old design not to freeze
_PAUSE: Final = 0.03  # between two webhooks
_STALL: Final = 10.0
_P50_AIM_MS, _P99_AIM_MS, _BETTER_AIM = 15.0, 100.0, 100.0


async def measure(ground: Ground, plan: Plan) -> Section:
    """Milliseconds from webhook to browser, ours beside the old design, and while large uploads arrive."""
    found: dict[tuple[Side, bool], list[list[float]]] = defaultdict(list)
    for _ in range(plan.rounds):
        for side, large in ((Side.OURS, False), (Side.BASELINE, False), (Side.OURS, True)):
            found[side, large].append(await _hear(ground, plan, side, large=large))
    section = Section(
        title="From the webhook to the browser",
        how="Jobs wait for their results, each with its stream open. Webhooks are sent one by one; the time runs from "
        "the answer to the webhook to `completed` on that job's stream.",
    )
    table = []
    for (side, large), rounds in found.items():
        load = f"{_LARGE_A_SECOND} recordings of 15 MiB a second arrive" if large else "nothing else"
        spreads = [Spread(tuple(percentile(one, rank) for one in rounds)).text() for rank in (50, 99)]
        table.append([side.value, load, *spreads, str(sum(map(len, rounds)))])
    section.tables.append(Table(("server", "meanwhile", "p50 ms", "p99 ms", "webhooks"), table))
    for large in (False, True):
        section.rows += _rows(found[Side.OURS, large], found[Side.BASELINE, False], large=large)
    return section


def _rows(ours: list[list[float]], theirs: list[list[float]], *, large: bool) -> list[Row]:
    rows = []
    for rank, aim in ((50, _P50_AIM_MS), (99, _P99_AIM_MS)):
        mine, other = (Spread(tuple(percentile(one, rank) for one in rounds)) for rounds in (ours, theirs))
        better = ratio(other.median, mine.median)
        row = Row(
            what=f"webhook answered → `completed` on the stream, p{rank}{', while 15 MiB uploads arrive' * large}",
            aim=f"≤ {number(aim)} ms" + ("" if large else f", ≥ {number(_BETTER_AIM)} × better than the old design"),
            ours=mine.text(" ms"),
            beside="" if large else f"old design {other.text(' ms')}",
            ratio="" if large else times(better),
            met=mine.median <= aim and (large or better >= _BETTER_AIM),
        )
        rows.append(row)
    return rows


async def _hear(ground: Ground, plan: Plan, side: Side, *, large: bool) -> list[float]:
    """Milliseconds, webhook by webhook."""
    uploads = Uploads(ground.script_id, Recordings(_SIZE))
    async with ground.serving(side) as served:
        await ground.analysis.behave("hold")
        follower = Follower(served.port)
        try:
            load = Load(
                served.ports,
                uploads,
                concurrency=_UPLOADERS,
                seconds=30,
                most=plan.count(100, 20),
                accepted=follower.follow,
            )
            await load.run()
            waiting = await follower.until(
                lambda: all(job.progress == 90 for job in follower.jobs.values()), stall=_STALL
            )
            if not waiting:
                raise TimeoutError("not every job got to wait for its result")
            async with _arriving(ground, served, large=large):
                return await _deliver(ground, served, follower)
        finally:
            await follower.close()


async def _deliver(ground: Ground, served: Served, follower: Follower) -> list[float]:
    urls = await ground.analysis.webhooks()
    result = result_of(ground.words)
    connection: Connection = await connect(served.port)
    answered: dict[str, float] = {}
    for job_id in follower.jobs:
        url = urlsplit(urls[job_id])
        reply = await connection.request(post(f"{url.path}?{url.query}", result))
        if reply.status != 200:
            raise ValueError(f"a webhook was answered with {reply.status}")
        answered[job_id] = time.perf_counter()
        await asyncio.sleep(_PAUSE)
    connection.close()
    await follower.settled(stall=_STALL)
    return [1000 * (job.ended - answered[job.job_id]) for job in follower.jobs.values() if job.ended]


@asynccontextmanager
async def _arriving(ground: Ground, served: Served, *, large: bool) -> AsyncIterator[None]:
    """Large uploads come in all the while, if asked for."""
    if not large:
        yield
        return
    uploads = Uploads(ground.script_id, Recordings(_LARGE, rate=_LARGE_RATE))
    sending: list[asyncio.Task[Any]] = []

    async def send() -> None:
        while True:
            load = Load(served.ports, uploads, concurrency=1, seconds=30, most=1)
            sending.append(asyncio.create_task(load.run()))
            await asyncio.sleep(1 / _LARGE_A_SECOND)

    sending.append(asyncio.create_task(send()))
    try:
        yield
    finally:
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
