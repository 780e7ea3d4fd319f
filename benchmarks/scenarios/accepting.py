"""Accepting alone: no worker runs, so that an upload costs what the web process, Valkey and Postgres make of it."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Spread, number, ratio
from benchmarks.findings import Plan, Row, Section, Table
from benchmarks.ground import Ground, Side
from benchmarks.load import Load
from benchmarks.wav import Recordings
from benchmarks.wire import Uploads

_CELLS: Final = ((160_000, 8), (160_000, 32), (160_000, 128), (300_000, 32), (1_000_000, 32))
_AIM: Final = 0.5
_WARM_UPLOADS: Final = 60


@dataclass(frozen=True, slots=True)
class _Found:
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float  # of the web process, per upload
    client_ms: float
    refused: int


async def measure(ground: Ground, plan: Plan) -> Section:
    """Accepted uploads a second, ours beside the floor."""
    found: dict[tuple[int, int, Side], list[_Found]] = defaultdict(list)
    for _ in range(plan.rounds):
        for size, concurrency in _CELLS:
            for side in (Side.OURS, Side.FLOOR):
                found[size, concurrency, side].append(await _flood(ground, plan, side, size, concurrency))
    section = Section(
        title="Accepting uploads, engine paused",
        how="Clients send one upload after the other; no worker runs. The floor parses the same multipart, writes the "
        "bytes to Valkey once and inserts one row.",
    )
    table = []
    for size, concurrency in _CELLS:
        ours, floor = (found[size, concurrency, side] for side in (Side.OURS, Side.FLOOR))
        rates = [Spread(tuple(one.rate for one in side)) for side in (ours, floor)]
        share = ratio(rates[0].median, rates[1].median)
        judged = size == _CELLS[0][0]
        section.rows.append(
            Row(
                what=f"accepted uploads/s, {size // 1000} kB, concurrency {concurrency}, engine paused",
                aim="≥ 50 % of the floor" if judged else "",
                ours=rates[0].text("/s"),
                beside=f"floor {rates[1].text('/s')}",
                ratio=f"{number(100 * share)} %",
                met=share >= _AIM if judged else None,
            )
        )
        table += [_cells(size, concurrency, side, found[size, concurrency, side]) for side in (Side.OURS, Side.FLOOR)]
    head = ("size", "concurrency", "server", "uploads/s", "p50 ms", "p99 ms", "CPU ms", "client's CPU ms", "refused")
    section.tables.append(Table(head, table))
    section.notes.append("CPU is that of the web process, per accepted upload; the client runs on the same cores.")
    return section


async def _flood(ground: Ground, plan: Plan, side: Side, size: int, concurrency: int) -> _Found:
    uploads = Uploads(ground.script_id, Recordings(size))
    async with ground.serving(side, worker=False) as served:
        await Load(served.ports, uploads, concurrency=8, seconds=5, most=_WARM_UPLOADS).run()
        cpu, client = served.cpu(), time.process_time()
        tally = await Load(served.ports, uploads, concurrency=concurrency, seconds=plan.of(2, 1)).run()
        accepted = max(1, len(tally.accepted))
        return _Found(
            rate=tally.rate,
            p50_ms=1000 * tally.latency(50),
            p99_ms=1000 * tally.latency(99),
            cpu_ms=1000 * (served.cpu() - cpu) / accepted,
            client_ms=1000 * (time.process_time() - client) / accepted,
            refused=sum(tally.refused.values()) + tally.unanswered,
        )


def _cells(size: int, concurrency: int, side: Side, rounds: list[_Found]) -> list[str]:
    figures = [
        Spread(tuple(getattr(one, name) for one in rounds)).text()
        for name in ("rate", "p50_ms", "p99_ms", "cpu_ms", "client_ms")
    ]
    return [f"{size // 1000} kB", str(concurrency), side.value, *figures, str(sum(one.refused for one in rounds))]
