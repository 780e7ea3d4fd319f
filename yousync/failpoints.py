"""Places where a test may end or freeze this process: before and after everything that has an effect outside it.

Nothing happens unless YOUSYNC_FAILPOINTS is set when this module is imported; one or more of these, with commas:

    record:FILE     append the name of every point that is passed, a line each
    kill:NAME:N     SIGKILL this process at the N-th passing of NAME
    kill-hit:K      SIGKILL this process at the K-th passing of any point
    stop:NAME:N     SIGSTOP this process at the N-th passing of NAME
"""

from __future__ import annotations

import functools
import os
import signal
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Failpoints:
    """What the variable asks for, and how often each point was passed. Raises ValueError for a wrong variable."""

    def __init__(self, text: str) -> None:
        self._passed: Counter[str] = Counter()
        self._file: int | None = None
        self._signals: dict[tuple[str, int], signal.Signals] = {}
        self._kill_hit: int | None = None
        for order in text.split(","):
            what, _, value = order.partition(":")
            match what:
                case "record":
                    self._file = os.open(value, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                case "kill" | "stop":
                    name, _, number = value.rpartition(":")
                    self._signals[name, int(number)] = signal.SIGKILL if what == "kill" else signal.SIGSTOP
                case "kill-hit":
                    self._kill_hit = int(value)
                case _:
                    raise ValueError(f"YOUSYNC_FAILPOINTS: {what!r} is none of record, kill, kill-hit, stop")

    def passed(self, name: str) -> None:
        """Count this passing, and do what was asked for; may not return."""
        self._passed[name] += 1
        if self._file is not None:
            os.write(self._file, f"{name}\n".encode())
        if self._kill_hit == self._passed.total():
            os.kill(os.getpid(), signal.SIGKILL)
        if wanted := self._signals.get((name, self._passed[name])):
            os.kill(os.getpid(), wanted)


_ASKED = os.environ.get("YOUSYNC_FAILPOINTS")
_ACTIVE = Failpoints(_ASKED) if _ASKED else None


def failpoint(name: str) -> None:
    """A place where this process may end or freeze; `name` reads noun.verb.moment and is stable."""
    if _ACTIVE is not None:
        _ACTIVE.passed(name)


def failpoints(name: str) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Decorate an effect with a place before and a place after it; costs nothing when not asked for."""

    def decorate(effect: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        if _ACTIVE is None:
            return effect

        @functools.wraps(effect)
        async def surrounded(*args: P.args, **kwargs: P.kwargs) -> R:
            failpoint(f"{name}.before")
            try:
                return await effect(*args, **kwargs)
            finally:
                failpoint(f"{name}.after")

        return surrounded

    return decorate
