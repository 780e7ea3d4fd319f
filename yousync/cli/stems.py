"""Brings the demo's stems into S3, so that dubbings of its scenes can be made."""

from __future__ import annotations

import asyncio

from yousync.storage import Storage


async def put_stems(storage: Storage) -> None:
    """Make and store the stems of the demo's scenes that are not there yet. Raises StageFailure without S3."""
    from yousync.demo.stems import NAMES, folder, scenes, stems  # mixing takes half a second to import

    for scene in scenes():
        there = [await storage.size(f"{folder(scene)}/{name}") for name in NAMES]
        if None in there:
            for key, sound in (await asyncio.to_thread(stems, scene)).items():
                await storage.put(key, sound, container="wav")
