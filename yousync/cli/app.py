"""All commands in one list: the table of contents of the command line."""

from __future__ import annotations

import typer

from yousync.cli.analyzer import analyzer
from yousync.cli.bring import import_
from yousync.cli.db import db
from yousync.cli.demo import demo
from yousync.cli.jobs import jobs
from yousync.cli.openapi import openapi
from yousync.cli.seed import seed
from yousync.cli.serve import web, worker
from yousync.cli.settings import settings
from yousync.cli.token import token
from yousync.cli.up import up

app = typer.Typer(
    name="yousync",
    help="YouSync: recordings in, scores out, progress streamed live.\n\n"
    "Exit status: 0 done; 1 the outcome is a failure; 2 bad command line or refused file; "
    "3 settings missing or the stack cannot start; 4 a server does not answer; 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)
app.command()(up)
app.command()(demo)
app.add_typer(db, name="db")
app.command("import")(import_)
app.add_typer(jobs, name="jobs")
app.command()(seed)
app.command()(token)
app.command()(web)
app.command()(worker)
app.add_typer(analyzer, name="analyzer")
app.command()(openapi)
app.command()(settings)
