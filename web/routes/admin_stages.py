"""The engine as a whole, as operators see it: counts, the ways into its stages, its processes."""

# ruff: noqa: ARG001  # asking for an admin is what protects a route

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field

from jobs.presence import WorkerInfo
from jobs.records import Gate, GateEvent, Stats
from models.user import User
from web.contract import Contract
from web.routes.admin import Reason, by
from web.wiring import OPS
from yousync.errors import DependencyDown
from yousync.job import Stage, State

routes = Contract(tag="Operators")


class StagePath(BaseModel):
    """A stage."""

    stage: Stage


class EngineOverview(BaseModel):
    """All that is under way, counted. Times are milliseconds since 1970 on Valkey's clock."""

    now_ms: int
    states: dict[str, int]
    oldest_ms: dict[str, int]  # when the job that is longest in a state got there
    queued: int
    due: int
    running: int
    staged_bytes: int
    gates: list[Gate]


class Drain(Reason):
    """How long to wait for jobs at work."""

    timeout_seconds: Annotated[float, Field(ge=0, le=60)] = 30.0


@routes.get("/admin/stats", raises=(DependencyDown,))
async def admin_stats(request: web.Request, *, admin: User) -> EngineOverview:
    """Count what is under way: jobs by state, leases, lines before the stages."""
    return _overview(await request.app[OPS].stats())


def _overview(found: Stats) -> EngineOverview:
    return EngineOverview(
        now_ms=found.now_ms,
        states=_by_name(found.states),
        oldest_ms=_by_name(found.oldest_ms),
        queued=found.queued,
        due=found.due,
        running=found.running,
        staged_bytes=found.staged_bytes,
        gates=found.gates,
    )


@routes.get("/admin/stages", raises=(DependencyDown,))
async def admin_stages(request: web.Request, *, admin: User) -> list[Gate]:
    """List the stages: open, paused by an operator, or held by their breakers, and how many jobs stand in line."""
    return await request.app[OPS].gates()


@routes.post("/admin/stages/{stage}/pause", raises=(DependencyDown,))
async def admin_pause_stage(request: web.Request, *, path: StagePath, body: Reason, admin: User) -> Gate:
    """Let no job start this stage; those at work finish, and uploads go on being accepted."""
    await request.app[OPS].pause([path.stage], by=by(admin, body))
    return await _gate(request, path.stage)


@routes.post("/admin/stages/{stage}/resume", raises=(DependencyDown,))
async def admin_resume_stage(request: web.Request, *, path: StagePath, body: Reason, admin: User) -> Gate:
    """Open a stage again; jobs that stand in line go on."""
    await request.app[OPS].resume([path.stage], by=by(admin, body))
    return await _gate(request, path.stage)


@routes.post("/admin/stages/pause", raises=(DependencyDown,))
async def admin_pause_all_stages(request: web.Request, *, body: Reason, admin: User) -> list[Gate]:
    """Let no job start any stage; those at work finish, and uploads go on being accepted."""
    await request.app[OPS].pause(list(Stage), by=by(admin, body))
    return await request.app[OPS].gates()


@routes.post("/admin/stages/resume", raises=(DependencyDown,))
async def admin_resume_all_stages(request: web.Request, *, body: Reason, admin: User) -> list[Gate]:
    """Open all stages again; jobs that stand in line go on."""
    await request.app[OPS].resume(list(Stage), by=by(admin, body))
    return await request.app[OPS].gates()


@routes.post("/admin/drain", raises=(DependencyDown,))
async def admin_drain(request: web.Request, *, body: Drain, admin: User) -> EngineOverview:
    """Pause all stages and wait until no job is at work; they stay paused until they are resumed.

    Where `running` is not 0, some still are after `timeout_seconds`: ask again.
    """
    return _overview(await request.app[OPS].drain(body.timeout_seconds, by=by(admin, body)))


@routes.get("/admin/stages/log", raises=(DependencyDown,))
async def admin_stages_log(request: web.Request, *, admin: User) -> list[GateEvent]:
    """List who paused and resumed which stage, when and why, newest first."""
    return await request.app[OPS].gatekeeping()


@routes.get("/admin/workers", raises=(DependencyDown,))
async def admin_workers(request: web.Request, *, admin: User) -> list[WorkerInfo]:
    """List the processes that work on jobs."""
    return await request.app[OPS].workers()


async def _gate(request: web.Request, stage: Stage) -> Gate:
    return next(gate for gate in await request.app[OPS].gates() if gate.stage is stage)


def _by_name(counts: dict[State, int]) -> dict[str, int]:
    """JSON takes plain strings as names."""
    return {state.value: number for state, number in counts.items()}
