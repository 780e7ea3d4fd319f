"""`yousync demo`: send a bundled recording through a server and show what becomes of it."""

from __future__ import annotations

import asyncio
import json
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
from yousync.cli.show import follow, show_scores
from yousync.cli.signals import until_signalled
from yousync.local.port import free_port
from yousync.local.stack import Stack, throwaway_folder
from yousync.settings import Settings, SettingsMissing

TOKEN_NAME, PLACE = bundled.DEMO_SENTENCE
RECORDING = bundled.RECORDINGS[bundled.DEMO_SENTENCE]
DEADLINE_SECONDS = 300.0


async def run_demo(url: str, script_id: int, console: Console) -> dict[str, Any]:
    """Upload, watch, and fetch the result, over HTTP alone; the job as the server tells it at the end."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        client = Client(session, url)
        job_id = await client.upload(script_id, RECORDING)
        console.print(f"sent [bold]{RECORDING.name}[/] as a recording of script {script_id}: job {job_id}")
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


async def _through_throwaway(console: Console) -> dict[str, Any]:
    """A stack of its own for one recording, gone afterwards."""
    stack = Stack(throwaway_folder(), public_port=free_port(), durable=False)
    try:
        with console.status("starting a stack for this demo"):
            settings = await begin(stack, ["web"])
        return await run_demo(stack.public_url, await demo_script(settings), console)
    finally:
        await stack.destroy()


async def _demo(url: str | None, script_id: int | None, data: Path | None, console: Console) -> dict[str, Any]:
    stack = running_stack(data)
    if stack is not None and url in {None, stack["url"], f"{stack['url']}/"}:
        return await run_demo(stack["url"], script_id or await demo_script(settings_of(stack)), console)
    if url is None:
        return await _through_throwaway(console)
    return await run_demo(url, script_id or await _script_elsewhere(url), console)


async def _script_elsewhere(url: str) -> int:
    """The demo sentence's id at a server of which only the environment may know the database."""
    try:
        settings = settings_of(None)
    except SettingsMissing:
        raise CommandError(
            f"which sentence of {url} is it? Name one with --script ID, or set the variables of its database",
            Exit.USAGE,
        ) from None
    return await demo_script(settings)


def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the job as one JSON object and nothing else.")] = False,
    url: Annotated[str | None, typer.Option(help="A server to send it to, by its public URL.")] = None,
    script: Annotated[int | None, typer.Option(help="A sentence's id there; by default the demo sentence.")] = None,
    data: DataOption = None,
) -> None:
    """Send a bundled recording through the running stack, else through a fresh one, and show its scores."""
    console = Console(stderr=True, quiet=not Console(stderr=True).is_terminal) if as_json else Console(soft_wrap=True)
    found: list[dict[str, Any]] = []

    async def work() -> None:
        found.append(await _demo(url, script, data, console))

    if asyncio.run(until_signalled(work())):
        raise KeyboardInterrupt
    job = found[0]
    if as_json:
        typer.echo(json.dumps(job, ensure_ascii=False))
    else:
        console.print(f"[bold]{job.get('status')}[/] {job.get('message') or ''}")
        show_scores(job, console)
    if job.get("status") != "completed":
        raise typer.Exit(Exit.FAILED)
