"""Growing: a second web process, and a thousand times as many stored jobs."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from benchmarks.figures import Spread, number, ratio, times
from benchmarks.findings import Plan, Row, Section, Table
from benchmarks.following import Follower
from benchmarks.ground import Ground, Served, Side
from benchmarks.load import Load
from benchmarks.seeds import ended_rows
from benchmarks.wav import Recordings
from benchmarks.wire import Uploads

_SIZE: Final = 160_000
_CONCURRENCY: Final = 32
_STORED: Final = (100, 100_000)
_CLIENTS: Final = 4
_STALL: Final = 15.0
_WEBS_AIM, _FLAT_AIM = 1.6, 1.1


async def measure(ground: Ground, plan: Plan) -> Section:
    """Uploads a second with two web processes beside one; CPU a job with many stored jobs beside few."""
    rates: dict[int, list[float]] = defaultdict(list)
    costs: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(plan.rounds):
        for webs in (1, 2):
            rates[webs].append(await _rate(ground, plan, webs))
        for stored in _STORED:
            costs[stored].append(await _cost(ground, plan, stored))
    section = Section(
        title="More processes, more stored jobs",
        how=f"{_CONCURRENCY} clients upload to one web process, or to two in turn, engine paused. Then {_CLIENTS} "
        f"clients send jobs through web and one worker, with {_STORED[0]:,} and with {_STORED[1]:,} completed jobs in "
        "the table.",
    )
    section.rows += [_webs(rates), _flat(costs)]
    cells = [[str(webs), Spread(tuple(found)).text()] for webs, found in rates.items()]
    section.tables.append(Table(("web processes", "uploads/s"), cells))
    cells = [
        [f"{stored:,}", *(Spread(tuple(one[part] for one in found)).text() for part in (0, 1))]
        for stored, found in costs.items()
    ]
    section.tables.append(Table(("stored jobs", "CPU ms a job, web + worker", "CPU ms a job, Postgres"), cells))
    return section


def _webs(rates: dict[int, list[float]]) -> Row:
    one, two = (Spread(tuple(rates[webs])) for webs in (1, 2))
    more = ratio(two.median, one.median)
    return Row(
        what="accepted uploads/s with two web processes",
        aim=f"≥ {number(_WEBS_AIM)} × one, where cores allow",
        ours=two.text("/s"),
        beside=f"one {one.text('/s')}",
        ratio=times(more),
        met=more >= _WEBS_AIM,
    )


def _flat(costs: dict[int, list[tuple[float, float]]]) -> Row:
    few, many = (Spread(tuple(sum(one) for one in costs[stored])) for stored in _STORED)
    more = ratio(many.median, few.median)
    return Row(
        what=f"CPU of web, worker and Postgres a job with {_STORED[1]:,} stored jobs",
        aim=f"flat: at most {number(100 * (_FLAT_AIM - 1))} % above {_STORED[0]}",
        ours=many.text(" ms"),
        beside=f"with {_STORED[0]}: {few.text(' ms')}",
        ratio=f"{number(100 * more)} %",
        met=more <= _FLAT_AIM,
    )


async def _rate(ground: Ground, plan: Plan, webs: int) -> float:
    uploads = Uploads(ground.script_id, Recordings(_SIZE))
    async with ground.serving(Side.OURS, worker=False, webs=webs) as served:
        await Load(served.ports, uploads, concurrency=8, seconds=5, most=60).run()
        load = Load(served.ports, uploads, concurrency=_CONCURRENCY, seconds=plan.of(3, 1))
        return (await load.run()).rate


async def _cost(ground: Ground, plan: Plan, stored: int) -> tuple[float, float]:
    """CPU milliseconds a job, of web and worker, and of Postgres."""
    uploads = Uploads(ground.script_id, Recordings(_SIZE))
    async with ground.serving(Side.OURS) as served:
        await ended_rows(ground, stored)
        await _jobs(served, uploads, 20)
        own, postgres = served.cpu(), ground.shared_cpu()["postgres"]
        jobs = await _jobs(served, uploads, plan.count(150, 40))
        return 1000 * (served.cpu() - own) / jobs, 1000 * (ground.shared_cpu()["postgres"] - postgres) / jobs


async def _jobs(served: Served, uploads: Uploads, most: int) -> int:
    """Jobs from end to end; how many were accepted. Raises TimeoutError."""
    follower = Follower(served.port)
    try:
        load = Load(served.ports, uploads, concurrency=_CLIENTS, seconds=60, most=most, accepted=follower.follow)
        tally = await load.run()
        if not await follower.settled(stall=_STALL):
            raise TimeoutError(f"{follower.unended} jobs did not end")
        return len(tally.accepted)
    finally:
        await follower.close()
