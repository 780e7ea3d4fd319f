"""The script that moves records: the files of lua/ as one, and how a command of it is sent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from arq.jobs import serialize_job
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError

from jobs import keys
from jobs.encoding import SHOWN
from yousync.failpoints import failpoint
from yousync.job import MESSAGES, PROGRESS, PROGRESS_OF, STAGE_OF, Stage, State
from yousync.settings import Settings
from yousync.valkey import PROCESS_ID, writing

ACTOR: Final = "advance"
DISPATCH_LEASES: Final = 2  # a hand-over that leads to no claim within so many leases is made again
_FILES: Final = ("base", "lines", "record", "operators", "clock")

dumps = orjson.dumps
loads = orjson.loads


def _lua(value: Any) -> str:
    """A value as Lua writes it: JSON's strings and numbers are its own."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name} = {_lua(each)}' for name, each in value.items())}}}"
    if isinstance(value, list):
        return f"{{{', '.join(map(_lua, value))}}}"
    return dumps(value).decode()


_VOCABULARY: Final = {
    "PROGRESS": PROGRESS,
    "PROGRESS_OF": PROGRESS_OF,
    "STAGES": STAGE_OF,
    "FACES": {state: f"{PROGRESS[state]} {MESSAGES[state]}" for state in State},
    "NAMES": list(Stage),
    "SHOWN": list(SHOWN),
}
"""What yousync.job says of states, as the script's own: sent along it would be most of each command."""

_TEXT: Final = "\n".join(
    [
        *(f"local {name} = {_lua(value)}" for name, value in _VOCABULARY.items()),
        *((Path(__file__).parent / "lua" / f"{name}.lua").read_text() for name in _FILES),
    ]
)


class Fenced(Exception):
    """The claim this write was made under is no longer ours: somebody else has the job, or it moved on."""


class Script:
    """Runs commands; raises yousync.valkey.VALKEY_DOWN errors when Valkey is away."""

    def __init__(self, valkey: Redis, settings: Settings) -> None:
        self._script = valkey.register_script(_TEXT)
        self._always = {
            "actor": PROCESS_ID,
            "dispatch_ms": round(DISPATCH_LEASES * settings.lease_seconds * 1000),
            "in_flight_limits": {
                Stage.SUBMIT: settings.analysis_max_in_flight,
                Stage.MIX: settings.mix_max_in_flight,
            },
        }

    async def run(self, command: str, body: bytes = b"", **arguments: Any) -> list[Any]:
        """One command, sent again once by the client when the connection breaks; None is an argument left out."""
        point = f"record.{arguments.get('move', command)}"
        failpoint(f"{point}.before")
        with writing():
            reply: list[Any] = await self._script(keys=[keys.PREFIX], args=[command, self._text(arguments), body])
        failpoint(f"{point}.after")
        return reply

    async def run_after(self, pipeline: Pipeline, command: str, **arguments: Any) -> list[Any]:
        """What `pipeline` holds and then a command, in one round trip and in that order."""
        point = f"record.{arguments.get('move', command)}"
        failpoint(f"{point}.before")
        pipeline.execute_command("EVALSHA", self._script.sha, 1, keys.PREFIX, command, self._text(arguments), b"")
        try:
            with writing():
                reply: list[Any] = (await pipeline.execute())[-1]
        except NoScriptError:  # a Valkey that was started anew; what came before the command is done
            return await self.run(command, **arguments)
        failpoint(f"{point}.after")
        return reply

    def _text(self, arguments: Mapping[str, Any]) -> bytes:
        payload = serialize_job(ACTOR, (), {}, None, int(time.time() * 1000), serializer=dumps)
        given = {name: value for name, value in arguments.items() if value is not None}
        return dumps(self._always | {"payload": payload.decode()} | given, option=orjson.OPT_NON_STR_KEYS)


def checked(reply: list[Any]) -> list[Any]:
    """The reply to a command made under a claim. Raises Fenced when that claim does not hold any more."""
    if reply[0] in {b"fenced", b"illegal"}:
        raise Fenced
    return reply
