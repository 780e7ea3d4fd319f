"""`yousync web` and `worker`: the processes of a deployment, as the Procfile names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from yousync.cli.failure import CommandError, Exit
from yousync.cli.lookup import DataOption, settings_for


def web(
    *,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Run the engine in this process as well.")] = False,
    data: DataOption = None,
) -> None:
    """Serve HTTP until SIGTERM."""
    from web.app import run

    with right_valkey():
        run(settings_for(data), with_worker=with_worker)


def worker(data: DataOption = None) -> None:
    """Work on jobs until SIGTERM."""
    from jobs.worker import run

    with right_valkey():
        run(settings_for(data))


@contextmanager
def right_valkey() -> Iterator[None]:
    """A Valkey that must not be used is a matter of setup."""
    from jobs.identity import WrongValkey

    try:
        yield
    except WrongValkey as error:
        raise CommandError(str(error), Exit.SETUP) from None
