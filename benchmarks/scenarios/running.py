"""Everything running: uploads come in, a worker works, and every job is followed on a stream of its own."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Spread, number, ratio, times
from benchmarks.findings import Plan, Row, Section, Table
from benchmarks.following import Follower
from benchmarks.ground import Ground, Served, Side
from benchmarks.load import Load
from benchmarks.wav import Recordings
from benchmarks.wire import Uploads

_SIZE: Final = 160_000
_CONCURRENCIES: Final = (8, 32, 128)
_WARM_UPLOADS: Final = 10
_PATIENCE: Final = 4.0
_STALL: Final = 8.0  # nothing heard of any job for so long: what has not ended is stuck
_FREEZES: Final = 32  # the concurrency at which the old design is first seen to
_POOL_STALL: Final = 35.0  # its database pool gives up after 30 s: once, it is waited for whether that helps
_RATE_AIM, _STEADY_AIM, _CPU_AIM, _P50_AIM, _P99_AIM = 15.0, 0.8, 7.0, 20.0, 10.0


@dataclass(frozen=True, slots=True)
class _Found:
    rate: float
    p50_ms: float
    p99_ms: float
    accepted: int
    stuck: int
    unanswered: int  # uploads without an answer, and refused ones
    cpu_ms: float  # of all the server's processes, per completed job


_Cells = dict[tuple[int, Side], list[_Found]]


async def measure(ground: Ground, plan: Plan) -> Section:
    """Uploads a second, latency, CPU a job and jobs stuck, ours beside the old design."""
    found: _Cells = defaultdict(list)
    for round_ in range(plan.rounds):
        for concurrency in _CONCURRENCIES:
            for side in (Side.OURS, Side.BASELINE):
                thaws = side is Side.BASELINE and concurrency == _FREEZES and not (round_ or plan.quick)
                stall = _POOL_STALL if thaws else _STALL
                found[concurrency, side].append(await _flood(ground, plan, side, concurrency, stall))
    section = Section(
        title="Accepting uploads, engine running, a stream open for every job",
        how=f"Clients send {_SIZE // 1000} kB uploads one after the other and follow each job on a stream of its own. "
        f"A job is stuck when it has not ended and nothing at all was heard for {number(_STALL)} s (once, for the "
        f"old design at concurrency {_FREEZES}, {number(_POOL_STALL)} s: longer than its database pool waits).",
    )
    section.rows += [*_rates(found), _steady(found), _stuck(found), *_latencies(found), _cpu(found)]
    head = ("concurrency", "server", "uploads/s", "p50 ms", "p99 ms", "accepted", "stuck", "unanswered", "CPU ms a job")
    section.tables.append(
        Table(head, [_cells(concurrency, side, rounds) for (concurrency, side), rounds in found.items()])
    )
    section.notes.append("CPU is that of web and worker together (of the one process of the old design), children too.")
    section.figures["web and worker ms"] = _both(found, _FREEZES, "cpu_ms")[0].median
    return section


async def _flood(ground: Ground, plan: Plan, side: Side, concurrency: int, stall: float) -> _Found:
    uploads = Uploads(ground.script_id, Recordings(_SIZE))
    async with ground.serving(side) as served:
        await _warm(served, uploads)
        follower = Follower(served.port)
        try:
            cpu = served.cpu()
            load = Load(
                served.ports,
                uploads,
                concurrency=concurrency,
                seconds=plan.of(3, 1),
                patience=_PATIENCE,
                accepted=follower.follow,
            )
            tally = await load.run()
            await follower.settled(stall=stall)
            accepted, stuck = len(tally.accepted), follower.unended
            done = accepted - stuck
            return _Found(
                rate=tally.rate,
                p50_ms=1000 * tally.latency(50),
                p99_ms=1000 * tally.latency(99),
                accepted=accepted,
                stuck=stuck,
                unanswered=tally.unanswered + sum(tally.refused.values()),
                cpu_ms=1000 * (served.cpu() - cpu) / done if done else math.nan,
            )
        finally:
            await follower.close()


async def _warm(served: Served, uploads: Uploads) -> None:
    """A few jobs from end to end, so that connections and code are there."""
    follower = Follower(served.port)
    try:
        await Load(served.ports, uploads, concurrency=2, seconds=5, most=_WARM_UPLOADS, accepted=follower.follow).run()
        if not await follower.settled(stall=_STALL):
            raise TimeoutError(f"{follower.unended} of the first {_WARM_UPLOADS} jobs did not end")
    finally:
        await follower.close()


def _both(found: _Cells, concurrency: int, name: str) -> tuple[Spread, Spread]:
    ours, theirs = (found[concurrency, side] for side in (Side.OURS, Side.BASELINE))
    return Spread(tuple(getattr(one, name) for one in ours)), Spread(tuple(getattr(one, name) for one in theirs))


def _rates(found: _Cells) -> list[Row]:
    rows = []
    for concurrency in _CONCURRENCIES:
        ours, theirs = _both(found, concurrency, "rate")
        more = ratio(ours.median, theirs.median)
        frozen = any(one.stuck for one in found[concurrency, Side.BASELINE])
        rows.append(
            Row(
                what=f"accepted uploads/s, concurrency {concurrency}, engine running, streams open",
                aim=f"≥ {number(_RATE_AIM)} × the old design",
                ours=ours.text("/s"),
                beside=f"old design {theirs.text('/s')}{', frozen' if frozen else ''}",
                ratio=times(more),
                met=None if math.isnan(more) else more >= _RATE_AIM,
            )
        )
    return rows


def _steady(found: _Cells) -> Row:
    low, high = (_both(found, concurrency, "rate")[0] for concurrency in _CONCURRENCIES[1:])
    share = ratio(high.median, low.median)
    return Row(
        what="the same at concurrency 128 beside 32",
        aim="at most 20 % lower",
        ours=high.text("/s"),
        beside=f"at 32: {low.text('/s')}",
        ratio=f"{number(100 * share)} %",
        met=share >= _STEADY_AIM,
    )


def _stuck(found: _Cells) -> Row:
    ours, theirs = (
        [one for (_, whose), rounds in found.items() if whose is side for one in rounds]
        for side in (Side.OURS, Side.BASELINE)
    )
    stuck = sum(one.stuck for one in ours)
    return Row(
        what="accepted jobs that got stuck, all of the above together",
        aim="none",
        ours=f"{stuck} of {sum(one.accepted for one in ours):,}",
        beside=f"old design {sum(one.stuck for one in theirs)} of {sum(one.accepted for one in theirs):,}",
        met=stuck == 0,
    )


def _latencies(found: _Cells) -> list[Row]:
    rows = []
    for name, rank, aim in (("p50_ms", "p50", _P50_AIM), ("p99_ms", "p99", _P99_AIM)):
        ours, theirs = _both(found, _CONCURRENCIES[0], name)
        less = ratio(theirs.median, ours.median)
        rows.append(
            Row(
                what=f"accept latency {rank}, concurrency {_CONCURRENCIES[0]}",
                aim=f"≤ 1/{number(aim)} of the old design",
                ours=ours.text(" ms"),
                beside=f"old design {theirs.text(' ms')}",
                ratio=f"1/{number(less)}",
                met=less >= aim,
            )
        )
    return rows


def _cpu(found: _Cells) -> Row:
    ours, theirs = _both(found, _CONCURRENCIES[0], "cpu_ms")
    less = ratio(theirs.median, ours.median)
    return Row(
        what="CPU of web + worker per completed job",
        aim=f"≤ 1/{number(_CPU_AIM)} of the old design",
        ours=ours.text(" ms"),
        beside=f"old design {theirs.text(' ms')}",
        ratio=f"1/{number(less)}",
        met=less >= _CPU_AIM,
    )


def _cells(concurrency: int, side: Side, rounds: list[_Found]) -> list[str]:
    def spread(name: str) -> str:
        return Spread(tuple(getattr(one, name) for one in rounds)).text()

    def total(name: str) -> str:
        return f"{sum(getattr(one, name) for one in rounds):,}"

    figures = [spread(name) for name in ("rate", "p50_ms", "p99_ms")]
    totals = [total(name) for name in ("accepted", "stuck", "unanswered")]
    return [str(concurrency), side.value, *figures, *totals, spread("cpu_ms")]
