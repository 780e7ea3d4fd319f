"""One connection to Valkey that a whole process shares: commands go out as they come, replies come back in order.

redis-py gives each command a connection of its own, with a lock, a task and two timers around it, which costs several
times what the command does; Valkey works on one after the other anyway. What is large, waits, or watches keys still
goes by redis-py's own connections (`yousync.valkey`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import hiredis
from redis.asyncio.connection import DefaultParser
from redis.exceptions import (
    ConnectionError as ValkeyConnectionError,
    ReadOnlyError,
    TimeoutError as ValkeyTimeoutError,
)
from typing_extensions import override

from yousync.tasks import cancel

Command = Sequence[Any]

PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.04  # before a command is sent again
_STAY_SECONDS: Final = 1.0  # at least, with a server that takes no writes
INCOMPLETE: Final = object()


def reader_of_replies() -> hiredis.Reader:
    """Takes bytes, gives replies, and INCOMPLETE where there is none yet; refusals are redis-py's exceptions."""
    return hiredis.Reader(
        protocolError=ValkeyConnectionError, replyError=DefaultParser.parse_error, notEnoughData=INCOMPLETE
    )


def packed(command: Command) -> bytes:
    """A command as it goes over the wire. redis-py writes some names in two words."""
    name, *rest = command
    found: bytes = hiredis.pack_command((*name.split(), *rest))
    return found


class Introduced(Protocol):
    """A connection that redis-py made and introduced itself on, to be used by somebody else from now on."""

    def hand_over(self, to: asyncio.Protocol) -> asyncio.WriteTransport:
        """The transport, which `to` hears from now on."""

    def ended(self, error: Exception | None) -> None:
        """The transport is closed."""


@dataclass(slots=True, eq=False)
class _Asked:
    """So many commands that were sent together, and their replies so far."""

    number: int
    answer: asyncio.Future[list[Any]]
    until: float  # by the loop's clock
    replies: list[Any] = field(default_factory=list)


class _Link(asyncio.Protocol):
    """The connection while it lasts: replies go to who has waited longest."""

    def __init__(self, connection: Introduced, patience: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._patience = patience
        self._since = self._loop.time()
        self._reader = reader_of_replies()
        self._waiting: deque[_Asked] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self.gone = asyncio.Event()
        self._connection = connection
        self._transport = connection.hand_over(self)

    @property
    def open(self) -> bool:
        """Whether it can be asked."""
        return not self._transport.is_closing()

    def ask(self, sent: bytes, number: int) -> asyncio.Future[list[Any]]:
        """Send commands; whoever stops waiting for their replies is no reason to end the connection."""
        if not self.open:
            raise ValkeyConnectionError("the connection to Valkey ended")
        asked = _Asked(number, self._loop.create_future(), self._loop.time() + self._patience)
        self._waiting.append(asked)
        self._transport.write(sent)
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._look)
        return asked.answer

    @override
    def data_received(self, data: bytes) -> None:
        reader, waiting = self._reader, self._waiting
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not INCOMPLETE:
                asked = waiting[0]
                asked.replies.append(reply)
                if len(asked.replies) == asked.number:
                    waiting.popleft()
                    if not asked.answer.done():
                        asked.answer.set_result(asked.replies)
        except (ValkeyConnectionError, IndexError):  # what is no reply, or one that nobody waits for
            self.end(ValkeyConnectionError("Valkey said what makes no sense"))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.ended(exc)
        self.end(ValkeyConnectionError("the connection to Valkey ended"))
        self.gone.set()

    def end(self, error: Exception) -> None:
        """Close it; whoever waits is told why."""
        self._transport.abort()
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            answer = self._waiting.popleft().answer
            if not answer.done():
                answer.set_exception(error)

    def leave(self) -> None:
        """End it, as the server takes no writes: its name may lead to another one by now that does."""
        if self._loop.time() - self._since >= _STAY_SECONDS:
            self.end(ValkeyConnectionError("Valkey takes no writes"))

    def _look(self) -> None:
        """One timer for all commands: it is set anew as long as anybody waits."""
        self._watch = None
        if self._waiting:
            left = self._waiting[0].until - self._loop.time()
            if left <= 0:
                self.end(ValkeyTimeoutError(f"Valkey said nothing for {self._patience:g} s"))
            else:
                self._watch = self._loop.call_later(left, self._look)


class Wire:
    """The connection, made when it is needed and made again when it has ended.

    `connect` makes one. A command whose connection breaks is sent `again` so often: each must be safe to repeat.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Introduced]], *, again: int = 1, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._connect = connect
        self._again = again
        self._patience = patience
        self._link: _Link | None = None
        self._linking: asyncio.Task[_Link] | None = None
        self._closed = False

    @property
    def link(self) -> object:
        """What stands for the connection over which replies came last: one to another server is another one."""
        return self._link

    async def ask(self, *commands: Command) -> list[Any]:
        """The replies to commands that are sent together, nobody else's between them; refusals are among the replies.

        Raises redis-py's ConnectionError and TimeoutError, of which what a Valkey says that is starting is one.
        """
        sent = b"".join(map(packed, commands))
        for left in range(self._again, -1, -1):
            try:
                link = self._link
                if link is None or not link.open:
                    link = await self._linked()
                replies = await link.ask(sent, len(commands))
                for reply in replies:
                    if isinstance(reply, ValkeyConnectionError):
                        raise reply
                    if isinstance(reply, ReadOnlyError):
                        link.leave()
            except (ValkeyConnectionError, ValkeyTimeoutError):
                if not left or self._closed:
                    raise
            else:
                return replies
            await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError("unreachable")

    async def _linked(self) -> _Link:
        """A new connection, for all who want one at this moment."""
        if self._closed:
            raise ValkeyConnectionError("closed")
        if self._linking is None or self._linking.done():
            self._linking = asyncio.create_task(self._made())
        return await asyncio.shield(self._linking)

    async def _made(self) -> _Link:
        self._link = _Link(await self._connect(), self._patience)
        return self._link

    async def close(self) -> None:
        """End it for good."""
        self._closed = True
        if self._linking is not None:
            await cancel(self._linking)
        if self._link is not None:
            self._link.end(ValkeyConnectionError("closed"))
            await self._link.gone.wait()
