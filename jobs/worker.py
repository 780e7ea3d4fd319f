"""The worker: arq's, started inside our loop, woken instead of polling, and started again when Valkey blips."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final

import structlog
import uvloop
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.worker import Worker, func
from redis.exceptions import RedisError
from typing_extensions import override

from jobs import keys
from jobs.actors import advance
from jobs.changes import open_changes
from jobs.deps import Deps, open_deps
from jobs.gauges import show_gauges
from jobs.healing import healed
from jobs.identity import Identity, WrongValkey, identified
from jobs.presence import announce_forever
from jobs.reconciler import reconcile_forever
from jobs.retention import retain_forever
from jobs.script import ACTOR, dumps, loads
from models.db import DATABASE_DOWN
from yousync import logs, memory
from yousync.exposition import exposed
from yousync.settings import Settings
from yousync.tasks import cancel
from yousync.valkey import PROCESS_ID, VALKEY_DOWN, pool_of, wire_of
from yousync.wired import WiredRedis

log = structlog.get_logger(__name__)

SWEEP_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 2.0  # only the fallback: a wake-up comes with every hand-over
_HAND_BACK_SECONDS: Final = 3.0  # for cancelled stages to give their jobs back
_HAND_BACK_ROUNDS: Final = 20
_LOCK_SECONDS: Final = 600.0  # longer than any run: arq would start the same hand-over beside a run it lost sight of
_HEALTH_SECONDS: Final = 10
_NEVER: Final = 1_000_000  # arq's own budget of tries; ours is counted per stage in the record


class WokenWorker(Worker):
    """arq's worker with a wake-up channel, and a shutdown that loses nothing.

    arq's lock and queue entry only spread the work: who may write for a job is decided by the claim in its
    record, and a job whose worker died comes back through the clock, under another of arq's ids.
    """

    def __init__(self, deps: Deps, pool: ArqRedis) -> None:
        settings = deps.settings
        super().__init__(
            functions=[func(advance, name=ACTOR, keep_result=0, max_tries=_NEVER, timeout=86_400)],
            queue_name=keys.QUEUE,
            redis_pool=pool,
            handle_signals=False,
            max_jobs=settings.worker_slots,
            keep_result=0,
            poll_delay=_POLL_SECONDS,
            queue_read_limit=10 * settings.worker_slots + 100,
            health_check_interval=_HEALTH_SECONDS,
            health_check_key=f"{keys.QUEUE}:health:{PROCESS_ID}",
            max_tries=_NEVER,
            ctx={"deps": deps},
            job_serializer=dumps,
            job_deserializer=loads,
            log_results=False,
        )
        self.in_progress_timeout_s = _LOCK_SECONDS
        self._woken = asyncio.Event()
        self._left = False  # the last look into the queue found more than there were free slots
        self._over = False

    @override
    async def main(self) -> None:
        """Poll when woken, when a slot gets free that was waited for, and every other second."""
        async with open_changes(self.ctx["deps"].settings, keys.WAKE) as calls:
            ears = asyncio.create_task(calls.listen_once(lambda _: self._woken.set(), self._woken.set))
            try:
                while not (ears.done() or self._over):
                    self._woken.clear()
                    self._left = self.job_counter >= self.max_jobs  # then it does not even look
                    await self._poll_iteration()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await self._woken.wait()
                if ears.done():
                    await ears
            finally:
                await cancel(ears)

    @override
    async def start_jobs(self, job_ids: list[bytes]) -> None:
        """Take as many hand-overs as there are free slots, in one round trip instead of three for each."""
        waiting = [name for name in map(bytes.decode, job_ids) if name not in self.tasks]
        while waiting and (free := self.max_jobs - self.job_counter) > 0:
            chosen, waiting = waiting[:free], waiting[free:]
            async with self.pool.pipeline(transaction=False) as pipeline:
                for name in chosen:
                    pipeline.set(in_progress_key_prefix + name, b"1", nx=True, px=round(_LOCK_SECONDS * 1000))
                    pipeline.zscore(self.queue_name, name)
                replies = await pipeline.execute()
            for name, taken, place in zip(chosen, replies[::2], replies[1::2], strict=True):
                if taken and place is None:  # somebody else has finished it meanwhile
                    await self.pool.delete(in_progress_key_prefix + name)
                elif taken:
                    await self._start(name, int(place))
        self._left = bool(waiting) or len(job_ids) >= self.queue_read_limit

    async def _start(self, name: str, place: int) -> None:
        """One of arq's runs, with arq's own counting of slots."""
        await self.sem.acquire()
        self.job_counter += 1
        run = self.loop.create_task(self.run_job(name, place))
        run.add_done_callback(self._free)
        self.tasks[name] = run

    def _free(self, _: asyncio.Task[None]) -> None:
        self._release_sem_dec_counter_on_complete()
        if self._left:
            self._woken.set()  # not before: whoever polls looks at the counter first

    @override
    async def record_health(self) -> None:
        """Say under a key of this process's own that it works, and under arq's usual one that somebody does."""
        before = self._last_health_check
        await super().record_health()
        if self._last_health_check != before:
            told = await self.pool.get(self.health_check_key)
            await self.pool.set(keys.HEALTH, told or b"alive", px=3000 * _HEALTH_SECONDS)

    @property
    def running(self) -> int:
        """How many jobs it is at."""
        return sum(not task.done() for task in self.tasks.values())

    async def drain(self, seconds: float) -> None:
        """Take nothing new, give running stages some time, then have the rest hand their jobs back.

        The loop is asked to end, not cancelled: a cancellation may get lost inside a Redis call, and it may
        be in the middle of starting jobs. Only what it has started by then is everything there is.
        """
        self.allow_pick_jobs = False
        self._over = True
        self._woken.set()
        if self.main_task is not None:
            await asyncio.wait({self.main_task}, timeout=2)
        if self.tasks:
            await asyncio.wait(self.tasks.values(), timeout=seconds)
        for number in range(_HAND_BACK_ROUNDS):
            running = [task for task in self.tasks.values() if not task.done()]
            if not running:
                break
            for task in list(self.job_tasks.values()):
                # Once is enough for whoever is handing back; halfway, once more for whoever did not hear.
                if not task.cancelling() or number == _HAND_BACK_ROUNDS // 2:
                    task.cancel()
            await asyncio.wait(running, timeout=_HAND_BACK_SECONDS / _HAND_BACK_ROUNDS)
        await asyncio.gather(*(task for task in self.tasks.values() if task.done()), return_exceptions=True)
        with suppress(RedisError, OSError):
            await self.pool.delete(self.health_check_key)


@asynccontextmanager
async def working(deps: Deps, identity: Identity) -> AsyncIterator[None]:
    """A worker, its sweep, reconciler and retention run while inside, in this loop; leaving drains them.

    Each goes on when Valkey or Postgres has been away under it.
    """
    supervisor = _Supervisor(deps)
    worker = asyncio.create_task(supervisor.run())
    slots = deps.settings.worker_slots
    others = [
        asyncio.create_task(_again("sweep", lambda: _sweep_forever(deps))),
        asyncio.create_task(reconcile_forever(deps, identity)),
        asyncio.create_task(_again("retention", lambda: retain_forever(deps, identity))),
        asyncio.create_task(deps.originals.listen(deps.settings)),
        asyncio.create_task(
            _again("presence", lambda: announce_forever(deps.valkey, slots=slots, running=supervisor.running))
        ),
    ]
    try:
        yield
    finally:
        supervisor.stopping.set()
        await cancel(*others)
        await worker


class _Supervisor:
    """Runs arq workers one after the other until told to stop; any error of Valkey's ends one of them."""

    def __init__(self, deps: Deps) -> None:
        self.stopping = asyncio.Event()
        self._deps = deps
        self._worker: WokenWorker | None = None

    def running(self) -> int:
        """How many jobs this process is at."""
        return self._worker.running if self._worker is not None else 0

    async def run(self) -> None:
        while not self.stopping.is_set():
            try:
                await self._run_once()
            except (*VALKEY_DOWN, *DATABASE_DOWN) as error:
                log.warning("worker_restarts", cause=type(error).__name__)
            except Exception:
                log.exception("worker_restarts")
            if not self.stopping.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await self.stopping.wait()

    async def _run_once(self) -> None:
        """One arq worker, until it fails or is told to stop. Records are checked before it takes any job."""
        await healed(self._deps)
        async with _arq_pool(self._deps.settings) as pool:
            worker = self._worker = WokenWorker(self._deps, pool)
            run = asyncio.create_task(worker.async_run())
            stop = asyncio.create_task(self.stopping.wait())
            await asyncio.wait({run, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            await worker.drain(self._deps.settings.drain_seconds if self.stopping.is_set() else 0.0)
            if run.done() and not run.cancelled() and (error := run.exception()) is not None:
                log.warning("worker_restarts", cause=repr(error))
            await cancel(run)


class _WiredArq(WiredRedis, ArqRedis):  # type: ignore[misc]  # redis-py 5.3 inherits one method twice
    """arq's client with its commands sent over a wire."""


@asynccontextmanager
async def _arq_pool(settings: Settings) -> AsyncIterator[ArqRedis]:
    pool = pool_of(
        settings.redis_url.get_secret_value(),
        max_connections=settings.worker_slots + 4,
        timeout=5,
        socket_connect_timeout=3,
        socket_timeout=5,
    )
    client = _WiredArq(pool, job_serializer=dumps, job_deserializer=loads, default_queue_name=keys.QUEUE)
    client.wire = wire_of(pool, again=0)  # any failure ends the worker, and another one starts
    try:
        yield client
    finally:
        await client.wire.close()
        await client.aclose()
        await pool.disconnect()


async def _sweep_forever(deps: Deps) -> None:
    while True:
        handed = await deps.store.sweep()
        if handed:
            log.info("swept", jobs=handed)
        await asyncio.sleep(SWEEP_SECONDS)


async def _again(name: str, run: Any) -> None:
    """Run something that never ends, again after every error."""
    while True:
        try:
            await run()
        except (*VALKEY_DOWN, *DATABASE_DOWN) as error:
            log.warning("restarts", part=name, cause=type(error).__name__)
        except Exception:
            log.exception("restarts", part=name)
        await asyncio.sleep(1.0)


async def main(settings: Settings) -> None:
    """A worker process: runs until SIGTERM or SIGINT, then drains."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        deps = await stack.enter_async_context(open_deps(settings, application="yousync-worker"))
        await stack.enter_async_context(exposed(settings, lambda: show_gauges(deps)))
        identity = await _unless(stop, identified(deps.valkey, settings, staging=deps.staging))
        if identity is not None:
            await stack.enter_async_context(working(deps, identity))
            memory.settle()
            log.info("worker_ready", slots=settings.worker_slots)
            await stop.wait()
        log.info("worker_stops")
    if identity is not None and identity.lost:
        raise WrongValkey(identity.lost)


async def _unless(stop: asyncio.Event, wanted: Coroutine[Any, Any, Identity]) -> Identity | None:
    """What `wanted` gives, or None when told to stop before."""
    found = asyncio.create_task(wanted)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({found, stopped}, return_when=asyncio.FIRST_COMPLETED)
    await cancel(stopped)
    if found.done():
        return found.result()
    await cancel(found)
    return None


def run(settings: Settings) -> None:
    """The `yousync worker` command. Raises WrongValkey."""
    logs.configure(settings.log_level, settings.log_format, settings.log_file)
    os.nice(settings.worker_nice)
    uvloop.run(main(settings))
