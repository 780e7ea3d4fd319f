"""Watching the project's own source files for changes, by their times; for development."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("yousync", "jobs", "models", "web")
SCAN_SECONDS = 0.5


def times(root: Path = ROOT) -> dict[Path, int]:
    """Every source file's time of change, in nanoseconds."""
    found: dict[Path, int] = {}
    for package in PACKAGES:
        for pattern in ("*.py", "*.lua"):
            for file in (root / package).rglob(pattern):
                try:
                    found[file] = file.stat().st_mtime_ns
                except FileNotFoundError:
                    continue
    return found


def changes(root: Path = ROOT) -> AsyncGenerator[str, None]:
    """The name of a file that changed, was added or removed since this call, once the editor has come to rest."""
    return _changes(root, times(root))


async def _changes(root: Path, before: dict[Path, int]) -> AsyncGenerator[str, None]:
    while True:
        await asyncio.sleep(SCAN_SECONDS)
        now = await asyncio.to_thread(times, root)
        if now == before:
            continue
        changed = sorted(str(path.relative_to(root)) for path, _ in set(now.items()) ^ set(before.items()))
        while (later := await asyncio.to_thread(times, root)) != now:
            now = later
            await asyncio.sleep(SCAN_SECONDS)
        before = now
        yield changed[0]
