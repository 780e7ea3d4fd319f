"""Ten thousand open streams in one process: what each holds, what they cost idle, and how fast all hear something."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, cast

from benchmarks.figures import Spread, number
from benchmarks.findings import Plan, Row, Section, Table
from benchmarks.following import Follower
from benchmarks.ground import Ground, Served, Side
from benchmarks.load import Load
from benchmarks.measure import resident_bytes
from benchmarks.seeds import in_batches, old_running_rows, running_jobs
from benchmarks.wav import Recordings
from benchmarks.wire import Uploads
from jobs import keys
from jobs.pipeline import Move
from jobs.store import Due, Store
from yousync.job import Job

_SOURCES: Final = tuple(f"127.0.0.{number}" for number in range(1, 9))
_BACK_SECONDS: Final = 40.0  # who is not back by then is given up
_OPENING: Final = 200  # streams opened at a time
_STALL: Final = 15.0
_BASELINE_STREAMS: Final = 1000  # it does not survive more
_KB_AIM, _IDLE_AIM, _EVENTS_AIM, _BACK_AIM = 20.0, 5.0, 2.0, 10.0

_PROGRESS: Final = 51  # like no other
_SLICE: Final = 1000
_CHANGE: Final = """
for i = 3, #ARGV do
  local key = ARGV[2] .. ARGV[i]
  redis.call('HSET', key, 'progress', ARGV[1])
  redis.call('HINCRBY', key, 'version', 1)
  redis.call('PUBLISH', KEYS[1], ARGV[i])
end
"""
_VERSIONS_BEFORE: Final = 2  # since their rows: the adoption and the burst
_MOVES: Final = ("claim", "wait", "deliver")


@dataclass(frozen=True, slots=True)
class _Found:
    kilobytes: float  # a stream
    idle: float  # percent of a core
    open_seconds: float
    burst: float  # seconds until all had heard of a change
    moves: list[tuple[float, float]]  # the same for moves by the engine's script, and what making them took
    back: float  # seconds from the kill until the last of those that came back was answered again
    missing: int  # how many did not come back


async def measure(ground: Ground, plan: Plan) -> Section:
    """Memory, idle CPU, delivery and recovery of many streams, each on a job of its own."""
    count = plan.count(10_000, 1_000)
    idle_seconds = plan.of(15, 4)  # as long as a keep-alive interval: each stream gets one
    rounds = [await _streams(ground, count, idle_seconds) for _ in range(plan.rounds)]
    old_idle = await _old_idle(ground, plan.count(_BASELINE_STREAMS, 200), plan.of(8, 4))
    section = Section(
        title=f"{count:,} open streams in one process",
        how="Each stream follows a job of its own. Then all records change at once, each with its hint, and the time "
        "runs until every stream has heard. The same again for moves by the engine's own script, where making the "
        "moves takes time of its own. Last the web process is killed and started again, and every client comes back "
        "as its stream told it to.",
    )
    old = f"old design {number(old_idle)} % with {plan.count(_BASELINE_STREAMS, 200):,} streams"
    backs = [found.back for found in rounds]
    missing = max(found.missing for found in rounds)
    lost = f"{missing:,} not back after {number(_BACK_SECONDS)} s" if missing else ""
    for what, aim, limit, unit, figures, beside, whole in (
        ("memory a stream", "≤ {} kB", _KB_AIM, " kB", [found.kilobytes for found in rounds], "", True),
        ("idle", "≤ {} % of a core", _IDLE_AIM, " %", [found.idle for found in rounds], old, True),
        (f"{count:,} events delivered", "within {} s", _EVENTS_AIM, " s", [found.burst for found in rounds], "", True),
        ("all back after kill -9 and restart", "within {} s", _BACK_AIM, " s", backs, lost, not missing),
    ):
        spread = Spread(tuple(figures))
        section.rows.append(
            Row(
                what=f"{count:,} streams: {what}",
                aim=aim.format(number(limit)),
                ours=spread.text(unit),
                beside=beside,
                met=spread.median <= limit and whole,
            )
        )
    cells = [["all at once", _seconds([found.burst for found in rounds]), ""]]
    for place, name in enumerate(_MOVES):
        heard, made = zip(*(found.moves[place] for found in rounds), strict=True)
        cells.append([f"move: {name}", _seconds(heard), _seconds(made)])
    section.tables.append(Table(("change of all jobs", "s until all have heard", "s of making it"), cells))
    section.notes.append(
        f"Opening all took {_seconds([found.open_seconds for found in rounds])} s. Idle is over "
        f"{number(idle_seconds)} s, keep-alives included."
    )
    section.figures["stream kB"] = Spread(tuple(found.kilobytes for found in rounds)).median
    return section


def _seconds(figures: Sequence[float]) -> str:
    return Spread(tuple(figures)).text()


async def _streams(ground: Ground, count: int, idle_seconds: float) -> _Found:
    async with ground.serving(Side.OURS, worker=False) as served:
        await Load(served.ports, Uploads(ground.script_id, Recordings(8_000)), concurrency=8, seconds=2, most=50).run()
        jobs = await running_jobs(ground, count)
        before = resident_bytes(served.web_pid)
        follower = Follower(served.port, sources=_SOURCES)
        try:
            open_seconds = await _open(follower, [job.id for job in jobs])
            held = resident_bytes(served.web_pid) - before
            idle = await _idle(served, idle_seconds)
            burst = await _burst(ground, follower, jobs)
            moves = await _moved(ground, follower, jobs)
            back, missing = await _back(served, follower)
            return _Found(
                kilobytes=held / count / 1000,
                idle=idle,
                open_seconds=open_seconds,
                burst=burst,
                moves=moves,
                back=back,
                missing=missing,
            )
        finally:
            await follower.close()


async def _open(follower: Follower, job_ids: list[str]) -> float:
    """Open a stream for each job, so many at a time; the seconds that took. Raises TimeoutError."""
    begun = time.perf_counter()
    for begin in range(0, len(job_ids), _OPENING):
        wanted = job_ids[begin : begin + _OPENING]
        for job_id in wanted:
            follower.follow(job_id)
        await _all(follower, wanted, lambda job_id: follower.jobs[job_id].events > 0, "were opened")
    return time.perf_counter() - begun


async def _all(follower: Follower, job_ids: list[str], condition: Callable[[str], bool], what: str) -> None:
    if not await follower.until(lambda: all(map(condition, job_ids)), stall=_STALL):
        there = sum(map(condition, job_ids))
        raise TimeoutError(f"only {there} of {len(job_ids)} streams {what}")


async def _idle(served: Served, seconds: float) -> float:
    """Percent of a core that the server uses while nothing happens."""
    await asyncio.sleep(1)
    cpu, begun = served.cpu(), time.perf_counter()
    await asyncio.sleep(seconds)
    return 100 * (served.cpu() - cpu) / (time.perf_counter() - begun)


async def _burst(ground: Ground, follower: Follower, jobs: list[Job]) -> float:
    """Seconds until every stream has heard, when Valkey changes all records at once."""
    ids = [job.id for job in jobs]

    async def change() -> None:
        async with ground.valkey() as valkey:
            for begin in range(0, len(ids), _SLICE):
                given = [str(_PROGRESS), keys.job(""), *ids[begin : begin + _SLICE]]
                await cast("Awaitable[Any]", valkey.eval(_CHANGE, 1, keys.CHANGED, *given))

    return (await _heard(follower, change))[0]


async def _moved(ground: Ground, follower: Follower, jobs: list[Job]) -> list[tuple[float, float]]:
    """Seconds until every stream has heard, and seconds of making the moves, for three moves of all jobs."""

    async def claim(store: Store, job: Job) -> None:
        await store.claim(job.id, job.version)

    async def wait(store: Store, job: Job) -> None:
        await store.move(job, Move.WAIT, due=Due(seconds=3600))

    async def deliver(store: Store, job: Job) -> None:
        await store.deliver(job.id, b'{"result": {"word_analysis": []}}')

    found = []
    jobs = [replace(job, version=job.version + _VERSIONS_BEFORE) for job in jobs]
    for step in (claim, wait, deliver):
        batch = await in_batches(ground.settings, jobs, step)
        async with ground.valkey() as valkey:
            found.append(await _heard(follower, partial(batch.send, valkey)))
        if step is claim:
            jobs = [replace(job, claim=given["claim"]) for job, given in zip(jobs, batch.arguments, strict=True)]
    return found


async def _heard(follower: Follower, change: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Seconds from the beginning of a change of all jobs until every stream has heard of its own, and of the change."""
    told = {job_id: watched.events for job_id, watched in follower.jobs.items()}
    begun = time.perf_counter()
    await change()
    changed = time.perf_counter() - begun
    await _all(follower, list(told), lambda job_id: follower.jobs[job_id].events > told[job_id], "heard of the change")
    return max(job.last_event for job in follower.jobs.values()) - begun, changed


async def _back(served: Served, follower: Follower) -> tuple[float, int]:
    """Seconds from killing the web process until every stream is answered by the next one, and how many never are."""
    web, jobs = served.parts[0], follower.jobs.values()
    begun = time.perf_counter()
    await web.kill()
    await web.start()
    await follower.until(lambda: all(job.opened > begun for job in jobs), stall=_STALL, most=_BACK_SECONDS)
    back = [job.opened - begun for job in jobs if job.opened > begun]
    return max(back, default=math.nan), len(jobs) - len(back)


async def _old_idle(ground: Ground, count: int, seconds: float) -> float:
    """The same of the old design, which asks Postgres for each stream each second."""
    async with ground.serving(Side.BASELINE) as served:
        follower = Follower(served.port, sources=_SOURCES)
        try:
            await _open(follower, await old_running_rows(ground, count))
            return await _idle(served, seconds)
        finally:
            await follower.close()
