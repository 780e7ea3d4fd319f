"""`yousync up`: everything on this machine with one command, until Ctrl-C."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from yousync import demo as bundled
from yousync.cli.demo import TakeName, demo_script, run_demo
from yousync.cli.failure import CommandError, Exit
from yousync.cli.lookup import DEFAULT_DATA, data_of, given_variables
from yousync.cli.reload import changes
from yousync.cli.running import begin
from yousync.cli.show import show_job
from yousync.cli.signals import until_signalled
from yousync.local.port import port_is_free
from yousync.local.process import StackError
from yousync.local.stack import Stack

DataFolder = Annotated[
    Path | None,
    typer.Option("--data", help="Where data is kept. [env: YOUSYNC_DATA; default: .yousync]", show_default=False),
]


def up(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The public port, on 127.0.0.1.")] = 8000,
    data: DataFolder = None,
    processes: Annotated[
        str, typer.Option(help="`web` runs the engine in the web process; `web,worker` runs them apart.")
    ] = "web",
    with_demo: Annotated[
        bool, typer.Option("--demo", help="Load the demo catalogue and send two recordings through.")
    ] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start web and workers again when a source file changes.")
    ] = False,
) -> None:
    """Start Postgres, Valkey, S3, an analysis server and YouSync itself; stop them all on Ctrl-C."""
    console = Console(soft_wrap=True)
    names = processes_of(processes)
    if not port_is_free(port):
        raise CommandError(f"port {port} is taken: stop what listens there, or give another with --port", Exit.SETUP)
    stack = Stack(
        data_of(data) or Path(DEFAULT_DATA),
        public_port=port,
        given=given_variables(),
        say=lambda line: console.print(f"[yellow]·[/] {escape(line)}", highlight=False),
    )
    asyncio.run(until_signalled(_serve(stack, names, console, demo=with_demo, reload=reload)))


def processes_of(text: str) -> list[str]:
    """The process names in `web,worker`; `worker` may stand there more than once. Raises CommandError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names.count("web") != 1 or any(name not in {"web", "worker"} for name in names):
        raise CommandError("--processes takes `web`, or `web,worker` with as many workers as wanted", Exit.USAGE)
    return names


async def _serve(stack: Stack, processes: list[str], console: Console, *, demo: bool, reload: bool) -> None:
    """Bring everything up and keep it up until cancelled."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        for part, variable in stack.external.items():
            console.print(f"[yellow]·[/] {part} is external: {variable} is set")
        with console.status("starting"):
            settings = await begin(stack, processes, seed=bundled.CATALOGUE if demo else None)
        stack.supervise()
        console.print(f"up in {loop.time() - began:.1f} s: " + ", ".join(part.title for part in stack.parts.values()))
        if demo:
            await _demonstrate(stack, await demo_script(settings), console)
        _where_to_look(stack, console)
        if reload:
            async for name in changes():
                console.print(f"[yellow]·[/] {name} changed")
                for part in processes_in(stack):
                    await stack.restart(part)
        await asyncio.Event().wait()
    except StackError:
        await stack.stop()
        raise
    except BaseException:
        console.print("stopping")
        await stack.stop()
        console.print("stopped")
        raise


def processes_in(stack: Stack) -> list[str]:
    """The names of our own processes in this stack."""
    return [name for name in stack.parts if name == "web" or name.startswith("worker")]


async def _demonstrate(stack: Stack, script_id: int, console: Console) -> None:
    """Both takes; a demo that fails says so and leaves the server running, which is what one wants to look into."""
    try:
        for take in TakeName:
            show_job(await run_demo(stack.public_url, script_id, console, take), console)
    except CommandError as error:
        console.print(f"[red]the demo did not work:[/] {escape(str(error))}", highlight=False)


def _where_to_look(stack: Stack, console: Console) -> None:
    url = stack.public_url
    data = "" if stack.data == Path(DEFAULT_DATA).absolute() else f" --data {stack.data}"
    program = sys.argv[0] if Path(sys.argv[0]).name == "yousync" else "python -m yousync.cli"
    lines = {
        "API": f"{url}/docs  {url}/redoc  {url}/openapi.json",
        "health": f"{url}/health",
        "data, logs": f"{stack.data}  {stack.logs}",
        "sign in": f"{program} token you@example.com{data}",
        "another run": f"{program} demo{data}",
        "stop": "Ctrl-C",
    }
    console.print()
    for name, text in lines.items():
        console.print(f"  [dim]{name:<12}[/]{text}", highlight=False)
