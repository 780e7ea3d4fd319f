"""Where operators sit: the engine's tools, opened for one command."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from jobs.filter import Filter
from yousync import logs
from yousync.cli.failure import CommandError, Exit
from yousync.cli.jobs_options import Operator
from yousync.cli.lookup import settings_for
from yousync.cli.serve import right_valkey
from yousync.errors import YouSyncError
from yousync.job import Stage

if TYPE_CHECKING:
    from jobs.bulk import Action, Operation, Report
    from jobs.deps import Deps
    from jobs.ops import Ops

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Desk:
    """What commands work with."""

    deps: Deps
    ops: Ops


def at_desk(data: Path | None, work: Callable[[Desk], Awaitable[Answer]]) -> Answer:
    """Do `work` on the stack that is meant. Raises CommandError for what the engine refuses."""
    settings = settings_for(data)
    logs.configure("warning", "console")  # to standard error: standard output is for answers

    async def opened() -> Answer:
        from jobs.deps import open_deps
        from jobs.identity import identify
        from jobs.ops import Ops

        async with open_deps(settings, application="yousync-jobs") as deps:
            identity = await identify(deps.valkey, settings, staging=deps.staging)
            return await work(Desk(deps, Ops(deps, identity)))

    try:
        with right_valkey():
            return asyncio.run(opened())
    except YouSyncError as error:
        raise CommandError(error.in_english, Exit.FAILED) from None


def report_of(
    data: Path | None,
    action: Action,
    job_ids: list[str] | None,
    chosen: Filter,
    operator: Operator,
    *,
    stage: Stage | None = None,
    yes: bool,
) -> Report:
    """Do it to the jobs that are named, or, once somebody said yes, to all that the options describe."""
    from jobs.bulk import Operation, do_to

    if bool(job_ids) == (chosen != Filter()):
        raise CommandError("name jobs by their ids, or describe them by options: one of both", Exit.USAGE)
    operation = Operation(action=action, by=operator.by(), stage=stage)
    if job_ids:
        return at_desk(data, lambda desk: do_to(desk.ops, operation, job_ids))
    wanted = operation.applicable(chosen)
    return at_desk(data, lambda desk: _to_all(desk, operation, wanted, yes=yes))


async def _to_all(desk: Desk, operation: Operation, wanted: Filter, *, yes: bool) -> Report:
    from jobs.bulk import Report, do_to_all
    from jobs.search import count

    jobs = await count(desk.deps, wanted)
    typer.echo(f"{jobs} jobs to {operation.action}" if jobs != 1 else f"1 job to {operation.action}", err=True)
    if jobs and not yes:
        _ask()
    reports = [report async for report in do_to_all(desk.deps, desk.ops, operation, wanted)] if jobs else []
    return Report(
        action=operation.action,
        done=[job_id for report in reports for job_id in report.done],
        refused=[refusal for report in reports for refusal in report.refused],
    )


def _ask() -> None:
    """Go on only with a yes; where nobody can be asked it takes --yes."""
    if not sys.stdin.isatty():
        raise CommandError("nothing was done: say --yes to go ahead", Exit.USAGE)
    if not typer.confirm("go ahead?", err=True):
        raise CommandError("nothing was done", Exit.FAILED)
