"""`yousync seed`: bring a catalogue file into the database."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.catalogue import Loaded, load_catalogue
from models.catalogue_file import CatalogueError, parse_catalogue
from models.db import connected
from yousync import demo as bundled
from yousync.cli.failure import CommandError, Exit
from yousync.cli.lookup import DataOption, settings_for
from yousync.cli.stems import put_stems
from yousync.failures import StageFailure
from yousync.settings import Settings
from yousync.storage import open_storage


async def seed_file(settings: Settings, file: Path) -> Loaded:
    """Load one file. Raises CommandError when it cannot be read or is refused; then nothing was changed."""
    try:
        content = await asyncio.to_thread(file.read_bytes)
        catalogue = parse_catalogue(content)
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror}", Exit.USAGE) from None
    except CatalogueError as error:
        raise CommandError(f"{file} is refused, nothing was loaded:\n{error}", Exit.USAGE) from None
    async with connected(settings, pool=1, application="yousync-seed"):
        loaded = await load_catalogue(catalogue)
    if file == bundled.CATALOGUE:
        await _store_media(settings)
    return loaded


async def _store_media(settings: Settings) -> None:
    """What the demo's clips have in S3: their actors' pitch, and the stems of their dubbings."""
    try:
        async with open_storage(settings) as storage:
            for key, contour in bundled.PITCH.items():
                await storage.put(key, await asyncio.to_thread(contour.read_bytes), container="json")
            await put_stems(storage)
    except StageFailure as error:
        raise CommandError(
            f"the catalogue is loaded, but S3 does not take what belongs to it: {error}", Exit.UNREACHABLE
        ) from None


def seed(
    file: Annotated[
        Path, typer.Option("--file", help="A catalogue file (docs/catalogue.md). [default: the demo catalogue]")
    ] = bundled.CATALOGUE,
    data: DataOption = None,
) -> None:
    """Add or update actors, tokens, scripts and words from a file; the same file twice changes nothing."""
    loaded = asyncio.run(seed_file(settings_for(data), file))
    console = Console()
    if loaded.nothing:
        console.print("nothing to change")
        return
    console.print(
        f"added or changed: {loaded.actors} actors, {loaded.aliases} aliases, {loaded.urls} urls, "
        f"{loaded.tokens} tokens, {loaded.scripts} scripts; new words for {loaded.sentences_with_new_words} scripts"
    )
