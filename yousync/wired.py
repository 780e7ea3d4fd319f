"""redis-py's client on a wire: its commands, its pipelines and its reading of replies, without its connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError
from typing_extensions import override

from yousync.wire import Command, Wire


class WiredRedis(Redis):
    """redis-py's client with its commands and pipelines sent over a wire."""

    wire: Wire

    @override
    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command and its reply."""
        [reply] = await self.wire.ask(args)
        if isinstance(reply, Exception):
            raise reply
        return _read(self, args, options, reply)

    @override
    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Commands that are sent together, as one transaction or just so."""
        return _WiredPipeline(self, transaction=transaction)


class _WiredPipeline(Pipeline):
    """What watches keys needs a connection of its own: redis-py's way."""

    def __init__(self, client: WiredRedis, *, transaction: bool) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, None)
        self._wire = client.wire

    @override
    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The replies, in order."""
        if self.watching or self.scripts or self.explicit_transaction:
            return await super().execute(raise_on_error)
        stack, self.command_stack = self.command_stack, []
        if not stack:
            return []
        commands = [args for args, _ in stack]
        if self.is_transaction:
            _, *queued, replies = await self._wire.ask(("MULTI",), *commands, ("EXEC",))
            if isinstance(replies, Exception):  # it is not made, for the first reason that was given
                raise next((reply for reply in queued if isinstance(reply, ResponseError)), replies)
        else:
            replies = await self._wire.ask(*commands)
        if raise_on_error:
            self.raise_first_error(stack, replies)
        return [
            reply if isinstance(reply, Exception) else _read(self, args, options, reply)
            for (args, options), reply in zip(stack, replies, strict=True)
        ]


def _read(client: Redis, command: Command, options: Mapping[str, Any], reply: Any) -> Any:
    """A reply as redis-py hands it out."""
    callback = client.response_callbacks.get(command[0])
    if callback is None:
        return reply
    return callback(reply, **{name: value for name, value in options.items() if name != "keys"})  # for its own cache
