"""A whole YouSync on a local stack: parts, schema, and the processes that serve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.db import upgrade
from yousync.cli.lookup import settings_of
from yousync.cli.seed import seed_file
from yousync.cli.service import Web, Worker
from yousync.local.stack import Stack
from yousync.settings import Settings


async def begin(stack: Stack, processes: Sequence[str], *, seed: Path | None = None) -> Settings:
    """Start the parts, migrate, load `seed`, start `web` and as many `worker` as named, and write stack.json.

    Without a worker of its own the web process runs the engine itself. The caller stops the stack, also when
    this fails.
    """
    await stack.start()
    settings = settings_of({"env": stack.env()})
    await upgrade(settings)
    if seed is not None:
        await seed_file(settings, seed)
    workers = processes.count("worker")
    for number in range(1, workers + 1):
        await stack.add(Worker(stack.env, logs=stack.logs, number=number))
    if "web" in processes:
        await stack.add(Web(stack.env, logs=stack.logs, port=stack.public_port, with_worker=not workers))
    stack.announce()
    return settings
