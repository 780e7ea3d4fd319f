"""`yousync web`, `worker` and `analyzer`: the processes of a deployment, as the Procfile names them."""

from __future__ import annotations

from typing import Annotated

import typer

from yousync.cli.lookup import DataOption, settings_for


def web(
    *,
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Run the engine in this process as well.")] = False,
    data: DataOption = None,
) -> None:
    """Serve HTTP until SIGTERM."""
    from web.app import run

    run(settings_for(data), with_worker=with_worker)


def worker(data: DataOption = None) -> None:
    """Work on jobs until SIGTERM."""
    from jobs.worker import run

    run(settings_for(data))


def analyzer() -> None:
    """Serve the reference analysis server until SIGTERM; ANALYZER_HOST, ANALYZER_PORT and the AWS variables say how."""
    from yousync.analyzer.app import Config, run

    run(Config.load())
