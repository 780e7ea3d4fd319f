"""Keeps parts running: one that ends by itself is started again, with a pause that grows while it keeps ending."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from yousync.local.part import Part
from yousync.local.process import StackError, ending, trim

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
STEADY_SECONDS = 20.0
"""A part that ran this long is taken for healthy: its next end starts with the first pause again."""
TRIM_SECONDS = 30.0


class Supervisor:
    """Watches parts. `say` gets a line for people; `changed` is called when a process id is another one."""

    def __init__(self, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        self._say = say
        self._changed = changed
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._trimmer: asyncio.Task[None] | None = None
        self._parts: dict[str, Part] = {}

    def watch(self, part: Part) -> None:
        """From now on, start `part` again whenever it ends."""
        self._parts[part.name] = part
        self._watchers[part.name] = asyncio.create_task(self._keep(part), name=f"watch {part.name}")
        if self._trimmer is None:
            self._trimmer = asyncio.create_task(self._trim(), name="trim logs")

    async def forget(self, name: str) -> None:
        """Let this part end."""
        self._parts.pop(name, None)
        task = self._watchers.pop(name, None)
        if task is not None:
            await _cancelled(task)

    async def restart(self, part: Part) -> None:
        """Stop and start a part on purpose, without it counting as an end."""
        await self.forget(part.name)
        await part.stop()
        try:
            await part.start()
        except StackError as error:
            self._say(str(error))
        self.watch(part)
        self._changed()

    async def close(self) -> None:
        """Watch nothing any more."""
        for name in list(self._watchers):
            await self.forget(name)
        if self._trimmer is not None:
            await _cancelled(self._trimmer)
            self._trimmer = None

    async def _keep(self, part: Part) -> None:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            began = loop.time()
            code = await part.process.wait()
            if loop.time() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE
            self._say(f"{part.title} ended with {ending(code)}; starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                await part.start()
            except StackError as error:
                self._say(str(error))
                await part.stop()
                continue
            self._say(f"{part.title} restarted as process {part.process.pid}")
            self._changed()

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            for part in self._parts.values():
                await asyncio.to_thread(trim, part.process.log)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
