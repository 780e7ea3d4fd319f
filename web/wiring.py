"""Everything the handlers may use: all keys of the application, and the one context that opens and closes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial

from aiohttp import web

from jobs.changes import open_changes
from jobs.deps import Deps, open_deps
from jobs.engine import Engine
from jobs.identity import WrongValkey, identified
from jobs.ops import Ops
from jobs.tenancy import resident
from jobs.worker import working
from models.practice import Recorder, top_recorders
from web.catalogue import Catalogue, remembered
from web.details import Details
from web.endpoint import LIMITER, REPEATER
from web.hub import Hub, running_hub
from web.limits import Limits
from web.pitch import open_pitches
from web.repeats import Repeats
from web.sparing import Sparing
from web.stream_cap import StreamCap
from web.streams import KeepAlive, keeping_alive
from web.uploads import UploadBudget
from web.views import Views
from yousync import memory
from yousync.audio import Prober
from yousync.google import Google, open_google
from yousync.settings import Settings

SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
DEPS: web.AppKey[Deps] = web.AppKey("deps", Deps)
ENGINE: web.AppKey[Engine] = web.AppKey("engine", Engine)
OPS: web.AppKey[Ops] = web.AppKey("ops", Ops)
HUB: web.AppKey[Hub] = web.AppKey("hub", Hub)
STREAM_CAP: web.AppKey[StreamCap] = web.AppKey("stream_cap", StreamCap)
KEEP_ALIVE: web.AppKey[KeepAlive] = web.AppKey("keep_alive", KeepAlive)
PROBER: web.AppKey[Prober] = web.AppKey("prober", Prober)
CATALOGUE: web.AppKey[Catalogue] = web.AppKey("catalogue", Catalogue)
DETAILS: web.AppKey[Details] = web.AppKey("details", Details)
VIEWS: web.AppKey[Views] = web.AppKey("views", Views)
GOOGLE: web.AppKey[Google] = web.AppKey("google", Google)
BUDGET: web.AppKey[UploadBudget] = web.AppKey("budget", UploadBudget)
TOP_RECORDERS: web.AppKey[Sparing[list[Recorder]]] = web.AppKey("top_recorders")


def resources(*, with_worker: bool) -> Callable[[web.Application], AsyncIterator[None]]:
    """A cleanup context that opens all of the above, and runs the engine in this process where asked to."""

    async def opened(app: web.Application) -> AsyncIterator[None]:
        settings = app[SETTINGS]
        async with AsyncExitStack() as stack:
            deps = await stack.enter_async_context(open_deps(settings, application="yousync-web"))
            identity = await identified(deps.valkey, settings, staging=deps.staging)
            engine = Engine(deps, identity)
            app[REPEATER] = Repeats(deps.valkey, settings).once
            app[LIMITER] = Limits(deps.valkey, settings).count
            changes = await stack.enter_async_context(open_changes(settings, beside=deps.valkey))
            app[DEPS] = deps
            app[ENGINE] = engine
            app[OPS] = Ops(deps, identity)
            app[HUB] = await stack.enter_async_context(running_hub(engine, changes))
            app[STREAM_CAP] = StreamCap(settings)
            app[KEEP_ALIVE] = await stack.enter_async_context(keeping_alive(settings.sse_keepalive_seconds))
            app[PROBER] = await stack.enter_async_context(Prober.open(max_seconds=settings.max_audio_seconds))
            app[CATALOGUE] = await stack.enter_async_context(remembered(settings))
            pitches = await stack.enter_async_context(open_pitches(settings, deps.storage))
            app[DETAILS] = Details(settings, deps.storage, pitches)
            app[VIEWS] = Views()
            app[GOOGLE] = await stack.enter_async_context(open_google(settings))
            app[BUDGET] = UploadBudget(settings.uploads_in_flight_bytes)
            app[TOP_RECORDERS] = Sparing(partial(top_recorders, 3))
            stack.push_async_callback(app[TOP_RECORDERS].close)
            await stack.enter_async_context(working(deps, identity) if with_worker else resident(deps, identity))
            memory.settle()
            yield
        if identity.lost:
            raise WrongValkey(identity.lost)

    return opened
