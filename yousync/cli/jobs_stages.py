"""The engine as a whole, from the terminal: counts, the ways into its stages, its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from yousync.cli import jobs_view as view
from yousync.cli.failure import CommandError, Exit
from yousync.cli.jobs_desk import Desk, at_desk
from yousync.cli.jobs_options import JsonOption, Operator, operator
from yousync.cli.lookup import DataOption
from yousync.cli.options import gathered
from yousync.job import Stage

if TYPE_CHECKING:
    from jobs.records import Stats

StageArgument = Annotated[
    Stage | None, typer.Argument(metavar="STAGE", help=f"{', '.join(Stage)}; all of them without.")
]


@gathered(by=operator)
def pause(stage: StageArgument = None, *, by: Operator, as_json: JsonOption = False, data: DataOption = None) -> None:
    """Let no job start this stage, or any; those at work finish, and uploads go on being accepted."""

    async def work(desk: Desk) -> Stats:
        await desk.ops.pause(_stages(stage), by=by.by())
        return await desk.ops.stats()

    _tell_gates(at_desk(data, work), as_json=as_json)


@gathered(by=operator)
def resume(stage: StageArgument = None, *, by: Operator, as_json: JsonOption = False, data: DataOption = None) -> None:
    """Open this stage again, or all; jobs that stand in line go on."""

    async def work(desk: Desk) -> Stats:
        await desk.ops.resume(_stages(stage), by=by.by())
        return await desk.ops.stats()

    _tell_gates(at_desk(data, work), as_json=as_json)


def _stages(stage: Stage | None) -> list[Stage]:
    return list(Stage) if stage is None else [stage]


def _tell_gates(found: Stats, *, as_json: bool) -> None:
    view.put(found.gates, as_json=as_json, view=view.gates(found.gates, now_ms=found.now_ms))


def stats(*, as_json: JsonOption = False, data: DataOption = None) -> None:
    """Count what is under way: jobs by state, leases, lines before the stages."""
    found = at_desk(data, lambda desk: desk.ops.stats())
    view.put(found, as_json=as_json, view=view.stats(found))


def log(*, as_json: JsonOption = False, data: DataOption = None) -> None:
    """Tell who paused and resumed which stage, when and why, newest first."""
    found = at_desk(data, lambda desk: desk.ops.gatekeeping())
    view.put(found, as_json=as_json, view=view.gatekeeping(found))


def workers(*, as_json: JsonOption = False, data: DataOption = None) -> None:
    """List the processes that work on jobs."""
    found = at_desk(data, lambda desk: desk.ops.workers())
    view.put(found, as_json=as_json, view=view.workers(found))


@gathered(by=operator)
def drain(
    *,
    by: Operator,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait for jobs at work.")] = 60.0,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Pause all stages and wait until no job is at work; they stay paused until `yousync jobs resume`.

    Ends with 1 when some still are after --timeout.
    """
    found = at_desk(data, lambda desk: desk.ops.drain(timeout, by=by.by()))
    view.put(found, as_json=as_json, view=view.stats(found))
    if found.running:
        raise CommandError(f"still at work: {found.running}; all stages stay paused", Exit.FAILED)
