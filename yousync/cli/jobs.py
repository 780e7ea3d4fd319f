"""`yousync jobs`: find jobs, see what happened to them, and let them go on."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.filter import Filter
from jobs.pipeline import RESTARTS
from yousync.cli import jobs_view as view
from yousync.cli.failure import Exit
from yousync.cli.jobs_desk import Desk, at_desk, report_of
from yousync.cli.jobs_options import (
    IdArgument,
    IdsArgument,
    JsonOption,
    Operator,
    YesOption,
    operator,
    which,
)
from yousync.cli.jobs_stages import drain, log, pause, resume, stats, workers
from yousync.cli.lookup import DataOption
from yousync.cli.options import gathered
from yousync.cli.signals import until_signalled
from yousync.job import Stage, State

if TYPE_CHECKING:
    from jobs.bulk import Report

jobs = typer.Typer(
    name="jobs",
    help="Find jobs, see what happened to them, and let them go on.\n\n"
    "Retry, cancel, delete and accept-late-result take ids, or the options of `list`: then they say how many jobs that "
    "is and ask. What changes something wants a --reason.\n\n"
    "Exit status 1: a job refused, one that was followed did not complete, or a drain ran out of time.",
    no_args_is_help=True,
)


@jobs.callback()
def _group() -> None:
    """Find jobs, see what happened to them, and let them go on."""


@jobs.command("list")
@gathered(chosen=which)
def list_jobs(
    *,
    chosen: Filter,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    cursor: Annotated[int | None, typer.Option(min=1, help="Where the page before this one ended.")] = None,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """List jobs, newest first."""
    from jobs.search import search

    found = at_desk(data, lambda desk: search(desk.deps, chosen, cursor=cursor, limit=limit))
    view.put(found, as_json=as_json, view=view.page(found))


@jobs.command()
def show(job_id: IdArgument, *, as_json: JsonOption = False, data: DataOption = None) -> None:
    """Show a job: where it stands, how it got there, and a link to its audio."""
    from jobs.detail import describe

    found = at_desk(data, lambda desk: describe(desk.deps, job_id))
    view.put(found, as_json=as_json, view=view.detail(found))


@jobs.command()
def tail(
    job_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="A job by its id; all of them without.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    data: DataOption = None,
) -> None:
    """Follow a job from its first event to its last; without an ID all jobs, until Ctrl-C.

    Ends with 1 when the job has ended otherwise than completed.
    """
    if job_id is None:
        at_desk(data, lambda desk: until_signalled(_follow_all(desk, as_json=as_json)))
    elif at_desk(data, lambda desk: _follow(desk, job_id, as_json=as_json)) is not State.COMPLETED:
        raise typer.Exit(Exit.FAILED)


async def _follow(desk: Desk, job_id: str, *, as_json: bool) -> State:
    from jobs.detail import describe
    from jobs.tail import tail as follow

    async with aclosing(follow(desk.deps, job_id)) as lines:
        async for line in lines:
            view.put(line, as_json=as_json, view=view.line(line.job_id, line.event))
    return (await describe(desk.deps, job_id)).state


async def _follow_all(desk: Desk, *, as_json: bool) -> None:
    from jobs.tail import tail_all

    async with aclosing(tail_all(desk.deps)) as lines:
        async for line in lines:
            view.put(line, as_json=as_json, view=view.line(line.job_id, line.event))


@jobs.command()
@gathered(chosen=which, by=operator)
def retry(
    job_ids: IdsArgument = None,
    *,
    chosen: Filter,
    by: Operator,
    begin: Annotated[
        Stage | None,
        typer.Option("--from", metavar="STAGE", help=f"{', '.join(RESTARTS)}; by default where each had got to."),
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Let jobs that ended go on, as a new run; completed ones only with --from."""
    from jobs.bulk import Action

    _tell(report_of(data, Action.RETRY, job_ids, chosen, by, stage=begin, yes=yes), as_json=as_json)


@jobs.command()
@gathered(chosen=which, by=operator)
def cancel(
    job_ids: IdsArgument = None,
    *,
    chosen: Filter,
    by: Operator,
    yes: YesOption = False,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """End jobs that are unfinished or parked."""
    from jobs.bulk import Action

    _tell(report_of(data, Action.CANCEL, job_ids, chosen, by, yes=yes), as_json=as_json)


@jobs.command()
@gathered(chosen=which, by=operator)
def delete(
    job_ids: IdsArgument = None,
    *,
    chosen: Filter,
    by: Operator,
    yes: YesOption = False,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Delete jobs for good, with their results and recordings."""
    from jobs.bulk import Action

    _tell(report_of(data, Action.DELETE, job_ids, chosen, by, yes=yes), as_json=as_json)


@jobs.command("accept-late-result")
@gathered(chosen=which, by=operator)
def accept_late_result(
    job_ids: IdsArgument = None,
    *,
    chosen: Filter,
    by: Operator,
    yes: YesOption = False,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> None:
    """Take the results that came after jobs' ends for the jobs' own; jobs without one refuse."""
    from jobs.bulk import Action

    _tell(report_of(data, Action.ACCEPT_LATE, job_ids, chosen, by, yes=yes), as_json=as_json)


def _tell(report: Report, *, as_json: bool) -> None:
    """What was done; 1 when some jobs refused."""
    view.put(report, as_json=as_json, view=view.report(report))
    if report.refused:
        raise typer.Exit(Exit.FAILED)


jobs.command()(pause)
jobs.command()(resume)
jobs.command()(log)
jobs.command()(stats)
jobs.command()(workers)
jobs.command()(drain)
