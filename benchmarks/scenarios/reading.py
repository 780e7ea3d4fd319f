"""Reading: the catalogue and my page at concurrency 32, beside the old design."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import jwt

from benchmarks.figures import Spread, percentile, ratio, times
from benchmarks.findings import Plan, Row, Section, Table
from benchmarks.ground import Ground, Served, Side
from benchmarks.reading_seed import FIRST_TOKEN, READER, seed_reading
from benchmarks.wire import Connection, connect, get
from yousync.cli.token import token_for

PATHS: Final = (
    "/tokens/",
    "/tokens/popular/",
    f"/tokens/{FIRST_TOKEN + 7}",
    "/mypage/bookmarks",
    "/mypage/overview",
)
_CONCURRENCY: Final = 32
_PATIENCE: Final = 2.0  # seconds that a reader goes on waiting at the end
_AIM: Final = 10.0


@dataclass(slots=True)
class _Found:
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    unanswered: int = 0
    cpu_ms: float = 0.0  # of the server's processes, a request

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def p99_ms(self) -> float:
        return 1000 * percentile(self.latencies, 99)


async def measure(ground: Ground, plan: Plan) -> Section:
    """Requests a second and latency of each read, ours beside the old design."""
    found: dict[tuple[str, Side], list[_Found]] = defaultdict(list)
    for _ in range(plan.rounds):
        for side in (Side.OURS, Side.BASELINE):
            async with ground.serving(side, worker=False) as served:
                await seed_reading(ground, side)
                bearer = await _bearer(ground, side)
                for path in PATHS:
                    await _read(served, path, bearer, concurrency=4, seconds=0.3)
                    found[path, side].append(
                        await _read(served, path, bearer, concurrency=_CONCURRENCY, seconds=plan.of(2, 0.5))
                    )
    section = Section(
        title="Reading",
        how=f"{_CONCURRENCY} readers ask for the same page again and again: lists of 100 clips of 300, a clip with 5 "
        "sentences of 8 words, and the page of somebody with 60 bookmarks and 200 results among 20,000 of others.",
    )
    section.rows += [_row(path, found[path, Side.OURS], found[path, Side.BASELINE]) for path in PATHS]
    head = ("page", "server", "requests/s", "p50 ms", "p99 ms", "CPU ms", "refused", "unanswered")
    cells = [_cells(path, side, rounds) for (path, side), rounds in sorted(found.items())]
    section.tables.append(Table(head, cells))
    return section


def _row(path: str, ours: list[_Found], theirs: list[_Found]) -> Row:
    mine, other = (Spread(tuple(one.rate for one in rounds)) for rounds in (ours, theirs))
    slow, slower = (Spread(tuple(one.p99_ms for one in rounds)) for rounds in (ours, theirs))
    better = ratio(mine.median, other.median)
    return Row(
        what=f"GET {_named(path)}, requests/s at concurrency {_CONCURRENCY}",
        aim=f"≥ {_AIM:.0f} × the old design, at a lower p99",
        ours=f"{mine.text('/s')}, p99 {slow.text(' ms')}",
        beside=f"old design {other.text('/s')}, p99 {slower.text(' ms')}",
        ratio=times(better),
        met=better >= _AIM and not slow.median >= slower.median,
    )


def _named(path: str) -> str:
    return path.replace(str(FIRST_TOKEN + 7), "{id}")


def _cells(path: str, side: Side, rounds: list[_Found]) -> list[str]:
    figures = [
        Spread(tuple(one.rate for one in rounds)),
        Spread(tuple(1000 * percentile(one.latencies, 50) for one in rounds)),
        Spread(tuple(one.p99_ms for one in rounds)),
        Spread(tuple(one.cpu_ms for one in rounds)),
    ]
    sums = [sum(one.refused for one in rounds), sum(one.unanswered for one in rounds)]
    return [_named(path), side.value, *(figure.text() for figure in figures), *map(str, sums)]


async def _bearer(ground: Ground, side: Side) -> str:
    if side is Side.OURS:
        return await token_for(ground.settings, READER, admin=False)
    user_id = await ground.sql("SELECT id FROM users WHERE email = $1", "baseline", READER)
    claims = {"sub": str(user_id), "email": READER, "exp": int(time.time()) + 3600}
    return jwt.encode(claims, ground.stack.env()["JWT_SECRET_KEY"], algorithm="HS256")


async def _read(served: Served, path: str, bearer: str, *, concurrency: int, seconds: float) -> _Found:
    found = _Found()
    request = get(path, accept="application/json", bearer=bearer if path.startswith("/mypage") else "")
    begun, cpu = time.perf_counter(), served.cpu()
    readers = [asyncio.create_task(_reader(served.port, request, found, begun + seconds)) for _ in range(concurrency)]
    _, hanging = await asyncio.wait(readers, timeout=seconds + _PATIENCE)
    found.seconds = time.perf_counter() - begun
    found.cpu_ms = 1000 * (served.cpu() - cpu) / max(1, len(found.latencies))
    found.unanswered = len(hanging)
    for reader in hanging:
        reader.cancel()
    for outcome in await asyncio.gather(*readers, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome
    return found


async def _reader(port: int, request: bytes, found: _Found, until: float) -> None:
    connection: Connection | None = None
    try:
        while (begun := time.perf_counter()) < until:
            connection = connection or await connect(port)
            try:
                reply = await connection.request(request)
            except ConnectionError:
                found.refused += 1
                connection = None
                continue
            if reply.status == 200:
                found.latencies.append(time.perf_counter() - begun)
            else:
                found.refused += 1
    finally:
        if connection is not None:
            connection.close()
