"""`yousync db`: the database's schema."""

from __future__ import annotations

import asyncio

import typer
from rich.console import Console

from yousync.cli.lookup import DataOption, settings_for

db = typer.Typer(help="The database's schema.", no_args_is_help=True)


@db.callback()
def _group() -> None:
    """The database's schema."""


@db.command()
def upgrade(data: DataOption = None) -> None:
    """Apply the migrations that the database lacks; several callers at once take turns."""
    from models.db import upgrade as apply

    applied = asyncio.run(apply(settings_for(data)))
    console = Console()
    for name in applied:
        console.print(f"applied {name}")
    if not applied:
        console.print("the database is up to date")
