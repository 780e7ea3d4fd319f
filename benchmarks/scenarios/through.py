"""Jobs through web and one worker, and empty jobs through arq alone: what the engine adds to its dispatcher."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import Final

from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool

from benchmarks import empty_job
from benchmarks.figures import Spread, number, ratio
from benchmarks.findings import Plan, Row, Section, Table
from benchmarks.ground import Ground, Side
from benchmarks.load import Load
from benchmarks.servers import BareArq
from benchmarks.wav import Recordings
from benchmarks.wire import Uploads

_SIZE: Final = 160_000
_CLIENTS: Final = 8
_HANDOVERS: Final = 2  # of a job of ours to arq: before and after the analysis
_PROCESSES: Final = ("web", "worker", "valkey", "postgres", "s3", "standin")
_AIM: Final = 0.6
_DEADLINE: Final = 90.0
_UNFINISHED: Final = "SELECT count(*) FROM analysis_results WHERE status = 'processing' AND deleted_at IS NULL"


@dataclass(frozen=True, slots=True)
class _Found:
    rate: float
    cpu_ms: dict[str, float]  # per job, by process


async def measure(ground: Ground, plan: Plan) -> Section:
    """Completed jobs a second, and where the CPU of a job goes, beside arq's own."""
    ours, alone = [], []
    for _ in range(plan.rounds):
        ours.append(await _through(ground, plan.count(300, 60)))
        alone.append(await _arq(ground, plan.count(600, 100)))
    rate, other = (Spread(tuple(one.rate for one in side)) for side in (ours, alone))
    share = ratio(rate.median, other.median)
    section = Section(
        title="Jobs through web and one worker, analysis time zero",
        how=f"{_CLIENTS} clients upload {_SIZE // 1000} kB recordings until all jobs are there; nobody watches; the "
        "time runs from the first upload to the last row. Beside it arq alone, with as many slots: "
        f"{_HANDOVERS} empty jobs for each job of ours, put in by {_CLIENTS} clients in this process, which stands for "
        "web.",
    )
    section.rows.append(
        Row(
            what="completed jobs/s through web + one worker, analysis time zero",
            aim=f"≥ {number(100 * _AIM)} % of arq with {_HANDOVERS} empty jobs each",
            ours=rate.text("/s"),
            beside=f"arq alone {other.text('/s')}",
            ratio=f"{number(100 * share)} %",
            met=share >= _AIM,
        )
    )
    cells = [_cells("YouSync", ours), _cells(f"arq, {_HANDOVERS} empty jobs", alone)]
    section.tables.append(Table(("CPU ms a job", "jobs/s", *_PROCESSES), cells))
    costs = {name: Spread(tuple(one.cpu_ms[name] for one in ours)).median for name in ("worker", "valkey", "postgres")}
    section.figures |= {"jobs/s": rate.median} | {f"{name} ms": cost for name, cost in costs.items()}
    return section


def _cells(name: str, rounds: list[_Found]) -> list[str]:
    rate = Spread(tuple(one.rate for one in rounds)).text()
    used = [Spread(tuple(one.cpu_ms.get(process, 0.0) for one in rounds)).text() for process in _PROCESSES]
    return [name, rate, *used]


async def _through(ground: Ground, jobs: int) -> _Found:
    uploads = Uploads(ground.script_id, Recordings(_SIZE))
    async with ground.serving(Side.OURS) as served:
        await Load(served.ports, uploads, concurrency=2, seconds=5, most=10).run()
        await finished(ground)
        before, begun = served.cpu_by_part() | ground.shared_cpu(), time.perf_counter()
        tally = await Load(served.ports, uploads, concurrency=_CLIENTS, seconds=_DEADLINE, most=jobs).run()
        await finished(ground)
        took, done = time.perf_counter() - begun, len(tally.accepted)
        return _Found(done / took, _used(before, served.cpu_by_part() | ground.shared_cpu(), done))


def _used(before: dict[str, float], after: dict[str, float], jobs: int) -> dict[str, float]:
    return {process: 1000 * (after[process] - seconds) / jobs for process, seconds in before.items()}


async def finished(ground: Ground) -> None:
    """Wait until no job of ours is unfinished. Raises TimeoutError."""
    async with asyncio.timeout(_DEADLINE):
        while await ground.sql(_UNFINISHED):
            await asyncio.sleep(0.05)


async def _arq(ground: Ground, jobs: int) -> _Found:
    await ground.clear()
    part = BareArq(ground.stack.env(), logs=ground.stack.logs)
    pool = ConnectionPool.from_url(ground.settings.redis_url.get_secret_value())
    client = ArqRedis(pool, default_queue_name=empty_job.QUEUE)

    def cpu() -> dict[str, float]:
        return ground.shared_cpu() | {"web": time.process_time(), "worker": part.cpu()}

    try:
        await part.start()
        await _empty(client, 2 * _CLIENTS)
        before, begun = cpu(), time.perf_counter()
        await _empty(client, _HANDOVERS * jobs)
        return _Found(jobs / (time.perf_counter() - begun), _used(before, cpu(), jobs))
    finally:
        await part.kill()
        await client.aclose()
        await pool.disconnect()


async def _empty(client: ArqRedis, jobs: int) -> None:
    """Put empty jobs in and wait until all are done."""

    async def put() -> None:
        for _ in range(math.ceil(jobs / _CLIENTS)):
            await client.enqueue_job("nothing")

    await asyncio.gather(*(put() for _ in range(_CLIENTS)))
    async with asyncio.timeout(_DEADLINE):
        while await client.zcard(empty_job.QUEUE):
            await asyncio.sleep(0.02)
