"""Mixes in child processes: a fresh one for each, so that no learner's file can reach another's mix."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from yousync.audio.process import Child, ChildError, ChildTimeoutError
from yousync.failpoints import failpoints
from yousync.mixing.plan import Part, Plan

_SECONDS_EACH = 60.0
_WAV = b"RIFF"


class Unmixable(Exception):
    """A sound cannot be read: whose it is, and the code of the error that says why."""

    def __init__(self, part: Part, code: str) -> None:
        self.part, self.code = part, code
        super().__init__(f"{part}: {code}")


class Mixer:
    """At most `processes` mixes at once, each in a process that can open nothing and is killed when it hangs."""

    def __init__(self, *, processes: int = 1, seconds_each: float = _SECONDS_EACH) -> None:
        self._places = asyncio.Semaphore(processes)
        self._seconds_each = seconds_each

    @failpoints("mixer.mix")
    async def mix(self, gathered: Callable[[], Awaitable[Plan]]) -> bytes:
        """The WAV of a plan, which is `gathered` once there is a place: nobody who waits holds any sound.

        Raises Unmixable; ChildError when the process died, did not start or took too long.
        """
        async with self._places:
            plan = await gathered()
            try:
                async with asyncio.timeout(self._seconds_each):
                    answer = await _answer(plan)
            except TimeoutError as error:
                raise ChildTimeoutError from error
            except OSError as error:
                raise ChildError("the mixing process did not start") from error
        if answer.startswith(_WAV):
            return answer
        told = json.loads(answer)
        raise Unmixable(Part(told["part"]), str(told["code"]))


async def _answer(plan: Plan) -> bytes:
    child = await Child.start("yousync.mixing.hand", [])
    try:
        return await child.ask(*plan.to_parts())
    finally:
        await child.kill()
