"""Everything a stage may touch, opened once per process and passed along."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis

from jobs.originals import Originals
from jobs.store import Store
from models.db import connected
from yousync.analysis import AnalysisClient, open_analysis
from yousync.mixing import Mixer
from yousync.preprocessing import PreprocessClient, open_preprocessing
from yousync.settings import Settings
from yousync.storage import Storage, open_storage
from yousync.valkey import connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """The outside, as the engine sees it."""

    settings: Settings
    valkey: Redis
    staging: Redis | None = None  # the Valkey that staged audio has to itself, where it has one
    store: Store
    storage: Storage
    analysis: AnalysisClient
    preprocessing: PreprocessClient
    mixer: Mixer = field(default_factory=Mixer)
    originals: Originals = field(default_factory=Originals)


@asynccontextmanager
async def open_deps(settings: Settings, *, application: str) -> AsyncIterator[Deps]:
    """Open all connections, close them in reverse; nothing is contacted before it is needed."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(connected(settings, application=application))
        valkey = await stack.enter_async_context(connect(settings.redis_url.get_secret_value()))
        staging = None
        if settings.staging_redis_url is not None:
            staging = await stack.enter_async_context(connect(settings.staging_redis_url.get_secret_value()))
        yield Deps(
            settings=settings,
            valkey=valkey,
            staging=staging,
            store=Store(valkey, staging or valkey, settings),
            storage=await stack.enter_async_context(open_storage(settings)),
            analysis=await stack.enter_async_context(open_analysis(settings)),
            preprocessing=await stack.enter_async_context(open_preprocessing(settings)),
            mixer=Mixer(processes=settings.mix_processes),
        )
