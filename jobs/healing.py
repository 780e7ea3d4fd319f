"""A Valkey that was started anew may have come back with an older memory: its records are held against their rows."""

from __future__ import annotations

import structlog

from jobs import keys
from jobs.deps import Deps
from jobs.pipeline import CHOICES, Move
from models.analysis_result import ended_runs
from yousync.job import State

log = structlog.get_logger(__name__)

_BATCH = 200


async def healed(deps: Deps) -> int:
    """Hold every unfinished record against its row, once for each start of the Valkey server; how many were wrong.

    Postgres knows every end. A record that is unfinished although its run, or a later one, has ended in Postgres
    was restored from a backup: it ends, so that no finished job runs again. To be called before any job is
    claimed. Raises what Valkey and Postgres raise.
    """
    server: str = (await deps.valkey.info("server"))["run_id"]
    if await deps.valkey.get(keys.SERVER) == server.encode():
        return 0
    wrong = 0
    for state in CHOICES[Move.HEAL][0]:
        wrong += await _heal_state(deps, state)
    await deps.valkey.set(keys.SERVER, server)
    log.info("records_checked", healed=wrong)
    return wrong


async def _heal_state(deps: Deps, state: State) -> int:
    start = wrong = 0
    while ids := await deps.store.ids(state, start=start, limit=_BATCH):
        rows = await ended_runs(ids)
        records = await deps.store.read_many([row.job_id for row in rows])
        done = 0
        for row in rows:
            job = records.get(row.job_id)
            if job is None or (job.state is row.state and job.run >= row.run and not row.deleted):
                continue
            if row.deleted:
                await deps.store.erase(job, code="deleted")
                done += 1
            else:
                done += await deps.store.heal(job, row.state, run=row.run, code=row.code)
        start += len(ids) - done
        wrong += done
    return wrong
