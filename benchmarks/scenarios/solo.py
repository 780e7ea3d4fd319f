"""One job at a time on an idle server: what a learner waits for besides the analysis itself."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Final

from benchmarks.figures import Spread, number, percentile, ratio, times
from benchmarks.findings import Plan, Row, Section, Table
from benchmarks.following import Follower
from benchmarks.ground import Ground, Served, Side
from benchmarks.load import Load
from benchmarks.wav import Recordings
from benchmarks.wire import Uploads

_SIZE: Final = 160_000
_ANALYSIS_SECONDS: Final = 0.1
_STALL: Final = 15.0
_AIM_MS: Final = 50.0


async def measure(ground: Ground, plan: Plan) -> Section:
    """Milliseconds from the first byte of the upload to `completed`, less the analysis."""
    found: dict[Side, list[list[float]]] = defaultdict(list)
    for _ in range(plan.rounds):
        for side, jobs in ((Side.OURS, plan.count(30, 8)), (Side.BASELINE, plan.count(6, 3))):
            async with ground.serving(side) as served:
                await ground.analysis.behave("normal", delay_s=_ANALYSIS_SECONDS)
                uploads = Uploads(ground.script_id, Recordings(_SIZE))
                await _job(served, uploads)
                found[side].append([await _job(served, uploads) for _ in range(jobs)])
    medians = {side: Spread(tuple(percentile(one, 50) for one in rounds)) for side, rounds in found.items()}
    ours, theirs = medians[Side.OURS], medians[Side.BASELINE]
    section = Section(
        title="A whole job, unloaded",
        how="One client uploads, opens the stream and waits for `completed`; then again. The stand-in calls the "
        f"webhook {number(1000 * _ANALYSIS_SECONDS)} ms after it was asked, and that time is taken off.",
    )
    section.rows.append(
        Row(
            what="whole job minus the analysis server's own time, p50",
            aim=f"≤ {number(_AIM_MS)} ms",
            ours=ours.text(" ms"),
            beside=f"old design {theirs.text(' ms')}",
            ratio=times(ratio(theirs.median, ours.median)),
            met=ours.median <= _AIM_MS,
        )
    )
    cells = [
        [side.value, *(Spread(tuple(percentile(one, rank) for one in rounds)).text() for rank in (50, 99))]
        for side, rounds in found.items()
    ]
    section.tables.append(Table(("server", "p50 ms", "p99 ms"), cells))
    return section


async def _job(served: Served, uploads: Uploads) -> float:
    follower = Follower(served.port)
    try:
        begun = time.perf_counter()
        load = Load(served.ports, uploads, concurrency=1, seconds=10, most=1, accepted=follower.follow)
        await load.run()
        if not (follower.jobs and await follower.settled(stall=_STALL)):
            raise TimeoutError("a single job did not end")
        ended = max(job.ended for job in follower.jobs.values())
        return 1000 * (ended - begun - _ANALYSIS_SECONDS)
    finally:
        await follower.close()
