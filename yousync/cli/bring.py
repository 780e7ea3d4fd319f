"""`yousync import`: bring the earlier server's database over."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs.results import conclusion_of
from models.importing.earlier import NotTheEarlierServer
from models.importing.misfits import Misfit
from models.importing.moving import Imported, ImportRefused, import_earlier
from models.importing.recordings import FOLDER, Found, recordings_among
from yousync.cli.failure import CommandError, Exit
from yousync.cli.lookup import DataOption, settings_for
from yousync.failures import StageFailure
from yousync.settings import Settings
from yousync.storage import open_storage


def import_(
    *,
    source: Annotated[str, typer.Option("--from", help="The earlier server's database: postgresql://…", metavar="DSN")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; count, and list misfits.")] = False,
    timezone: Annotated[str, typer.Option(help="What its timestamps without a zone mean.")] = "UTC",
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON object.")] = False,
    data: DataOption = None,
) -> None:
    """Bring users, catalogue, results and all that belongs to them over from the earlier server; repeatable.

    Everything or nothing, in one transaction. Ids, job ids and S3 keys stay valid. Audio stays where it is in S3,
    which is looked through for recordings.
    """
    settings = settings_for(data)
    try:
        done = asyncio.run(_import(settings, source, timezone=timezone, dry_run=dry_run))
    except ImportRefused as error:
        raise CommandError(f"{error}; nothing was changed:\n{_lines(error.misfits)}", Exit.FAILED) from None
    except NotTheEarlierServer as error:
        raise CommandError(f"that is not the earlier server's database: {error}", Exit.USAGE) from None
    except StageFailure as error:
        raise CommandError(f"S3, where the recordings lie, does not answer: {error}", Exit.UNREACHABLE) from None
    except asyncpg.InvalidParameterValueError as error:
        raise CommandError(str(error), Exit.USAGE) from None
    except ValueError:
        raise CommandError("--from must be as postgresql://user:password@host/database", Exit.USAGE) from None
    if as_json:
        typer.echo(json.dumps(asdict(done) | {"dry_run": dry_run}, ensure_ascii=False))
    else:
        _show(done, dry_run=dry_run)


async def _import(settings: Settings, source: str, *, timezone: str, dry_run: bool) -> Imported:
    return await import_earlier(
        source,
        settings.database_url.get_secret_value(),
        timezone=timezone,
        conclude=conclusion_of,
        recordings=await _recordings(settings),
        dry_run=dry_run,
    )


async def _recordings(settings: Settings) -> list[Found]:
    """What the earlier server recorded: it kept no note of where, so its folder is looked through, this once."""
    async with open_storage(settings) as storage:
        return recordings_among([each async for page in storage.pages((FOLDER,)) for each in page])


def _show(done: Imported, *, dry_run: bool) -> None:
    console = Console(soft_wrap=True)
    table = Table("table", "there", "added", "changed", box=None, header_style="dim")
    for moved in done.tables:
        table.add_row(moved.table, str(moved.found), str(moved.added), str(moved.changed))
    console.print(table)
    if done.misfits:
        console.print(escape(_lines(done.misfits)), highlight=False)
    if dry_run:
        console.print("a dry run: nothing was changed")


def _lines(misfits: list[Misfit] | tuple[Misfit, ...]) -> str:
    lines = []
    for misfit in misfits:
        lines.append(f"{misfit.count} {misfit.what}")
        lines += [f"    {example}" for example in misfit.examples]
        if misfit.count > len(misfit.examples):
            lines.append(f"    and {misfit.count - len(misfit.examples)} more")
    return "\n".join(lines)
