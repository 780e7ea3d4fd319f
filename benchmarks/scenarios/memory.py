"""Memory under large uploads: bounded by the budget for uploads in flight, not by how many arrive."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Spread, number, ratio
from benchmarks.findings import Plan, Row, Section, Table
from benchmarks.ground import Ground, Side
from benchmarks.load import Load
from benchmarks.measure import forget_peak, peak_bytes, resident_bytes
from benchmarks.wav import Recordings
from benchmarks.wire import Uploads

_SIZE: Final = 10_000_000
_RATE: Final = 96_000  # Hz: so that 10 MB are less than a minute
_BUDGET: Final = 128 * 2**20
_LOADS: Final = (16, 64)  # clients; the fewer ones fill the budget already
_MOST: Final = 160  # attempts, refused ones included
_MIB: Final = 2**20
_AIM: Final = 1.25


@dataclass(frozen=True, slots=True)
class _Found:
    grown: float  # MiB between before and the peak
    accepted: int
    refused: int


async def measure(ground: Ground, plan: Plan) -> Section:
    """The web process' peak while large uploads arrive, for two loads that both fill the budget."""
    found: dict[int, list[_Found]] = defaultdict(list)
    for _ in range(plan.rounds):
        for clients in _LOADS:
            found[clients].append(await _flood(ground, plan, clients))
    few, many = (Spread(tuple(one.grown for one in found[clients])) for clients in _LOADS)
    more = ratio(many.median, few.median)
    budget = number(_BUDGET / _MIB)
    section = Section(
        title="Memory while large uploads arrive",
        how=f"Clients send {_SIZE // 10**6} MB recordings, again and again; UPLOADS_IN_FLIGHT_BYTES is {budget} MiB. "
        "What does not fit is refused with Retry-After. Growth is the web process' peak less what it held before.",
    )
    section.rows.append(
        Row(
            what=f"memory of the web process while {_LOADS[1]} uploads of {_SIZE // 10**6} MB arrive",
            aim=f"bounded by the budget: at most {number(100 * (_AIM - 1))} % above {_LOADS[0]} uploads",
            ours=many.text(" MiB"),
            beside=f"{_LOADS[0]} uploads {few.text(' MiB')}, budget {budget} MiB",
            ratio=f"{number(100 * more)} %",
            met=more <= _AIM,
        )
    )
    cells = [
        [
            str(clients),
            Spread(tuple(one.grown for one in rounds)).text(),
            str(sum(one.accepted for one in rounds)),
            str(sum(one.refused for one in rounds)),
        ]
        for clients, rounds in found.items()
    ]
    section.tables.append(Table(("clients", "growth MiB", "accepted", "refused"), cells))
    return section


async def _flood(ground: Ground, plan: Plan, clients: int) -> _Found:
    uploads = Uploads(ground.script_id, Recordings(_SIZE, rate=_RATE))
    small = Uploads(ground.script_id, Recordings(160_000))
    async with ground.serving(Side.OURS, worker=False, UPLOADS_IN_FLIGHT_BYTES=str(_BUDGET)) as served:
        await Load(served.ports, small, concurrency=8, seconds=5, most=50).run()
        before = resident_bytes(served.web_pid)
        forget_peak(served.web_pid)
        tally = await Load(
            served.ports, uploads, concurrency=clients, seconds=plan.of(4, 1.5), most=_MOST, patience=10
        ).run()
        grown = (peak_bytes(served.web_pid) - before) / _MIB
        return _Found(grown=grown, accepted=len(tally.accepted), refused=sum(tally.refused.values()))
