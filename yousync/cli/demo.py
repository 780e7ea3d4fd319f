"""`yousync demo`: send a bundled recording through a server and show what becomes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console

from models.catalogue import script_id_of
from models.db import connected
from yousync import demo as bundled
from yousync.cli.client import Client
from yousync.cli.failure import CommandError, Exit
from yousync.cli.lookup import DataOption, running_stack, settings_of
from yousync.cli.running import begin
from yousync.cli.seed import seed_file
from yousync.cli.show import follow, show_job
from yousync.cli.signals import until_signalled
from yousync.local.port import free_port
from yousync.local.stack import Stack, throwaway_folder
from yousync.settings import Settings

TOKEN_NAME, PLACE = bundled.DEMO_SENTENCE
DEADLINE_SECONDS = 300.0


class TakeName(StrEnum):
    """The bundled takes of the demo sentence."""

    GOOD = "good"
    BAD = "bad"


async def run_demo(url: str, script_id: int, console: Console, take: TakeName = TakeName.GOOD) -> dict[str, Any]:
    """Upload, watch, and fetch the result, over HTTP alone; the job as the server tells it at the end."""
    recording = bundled.TAKES[take]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        client = Client(session, url)
        job_id = await client.upload(script_id, recording)
        console.print(f"sent the [bold]{take}[/] take as a recording of script {script_id}: job {job_id}")
        try:
            return await asyncio.wait_for(follow(client, job_id, console), DEADLINE_SECONDS)
        except TimeoutError:
            raise CommandError(f"job {job_id} did not end within {DEADLINE_SECONDS:.0f} s", Exit.FAILED) from None


async def demo_script(settings: Settings) -> int:
    """The demo sentence's id in this database; the demo catalogue is loaded if it is not there."""
    async with connected(settings, pool=1, application="yousync-demo"):
        found = await script_id_of(TOKEN_NAME, PLACE)
    if found is None:
        await seed_file(settings, bundled.CATALOGUE)
        async with connected(settings, pool=1, application="yousync-demo"):
            found = await script_id_of(TOKEN_NAME, PLACE)
    if found is None:
        raise CommandError("the demo catalogue lacks the demo sentence", Exit.SETUP)
    return found


Send = Callable[[str, int], Awaitable[None]]
"""Sends what is to be sent to a server's sentence."""


async def _through_throwaway(send: Send, console: Console) -> None:
    """A stack of its own for this demo, gone afterwards."""
    stack = Stack(throwaway_folder(), public_port=free_port(), durable=False)
    try:
        with console.status("starting a stack for this demo"):
            settings = await begin(stack, ["web"])
        await send(stack.public_url, await demo_script(settings))
    finally:
        await stack.destroy()


async def _demo(url: str | None, script_id: int | None, data: Path | None, send: Send, console: Console) -> None:
    stack = running_stack(data)
    if stack is not None and url in {None, stack["url"], f"{stack['url']}/"}:
        await send(stack["url"], script_id or await demo_script(settings_of(stack)))
    elif url is None:
        await _through_throwaway(send, console)
    else:
        await send(url, script_id or await _script_elsewhere(url))


async def _script_elsewhere(url: str) -> int:
    """The demo sentence's id at a server of which we know nothing: its catalogue tells."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        found = await Client(session, url).script_id(TOKEN_NAME, PLACE)
    if found is None:
        raise CommandError(
            f"{url} has no clip named {TOKEN_NAME!r}: seed it there, or name a sentence with --script ID", Exit.USAGE
        )
    return found


def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the job as one JSON object and nothing else.")] = False,
    url: Annotated[str | None, typer.Option(help="A server to send it to, by its public URL.")] = None,
    script: Annotated[int | None, typer.Option(help="A sentence's id there; by default the demo sentence.")] = None,
    take: Annotated[
        TakeName | None,
        typer.Option(help="Which of the two takes. [default: both; good with --json]"),
    ] = None,
    data: DataOption = None,
) -> None:
    """Send bundled recordings through the running stack, else through a fresh one, and show their scores.

    The good take says its sentence; the bad one leaves out a word and says another one wrongly.
    """
    console = Console(stderr=True, quiet=not Console(stderr=True).is_terminal) if as_json else Console(soft_wrap=True)
    takes = [take] if take else [TakeName.GOOD] if as_json else list(TakeName)
    jobs: list[dict[str, Any]] = []

    async def send(server: str, script_id: int) -> None:
        for one in takes:
            jobs.append(await run_demo(server, script_id, console, one))
            if not as_json:
                show_job(jobs[-1], console)

    if asyncio.run(until_signalled(_demo(url, script, data, send, console))):
        raise KeyboardInterrupt
    if as_json:
        typer.echo(json.dumps(jobs[0], ensure_ascii=False))
    if any(job.get("status") != "completed" for job in jobs):
        raise typer.Exit(Exit.FAILED)
