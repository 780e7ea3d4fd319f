"""The parts that are our own programs: the issuer, the analysis server, and its controllable stand-in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
from typing_extensions import override

from yousync.local.part import Part, python_env
from yousync.local.process import Command

CLIENT_ID = "yousync-local.apps.googleusercontent.com"
"""The audience of the local issuer's tokens."""


class Program(Part):
    """A Python module of ours that answers 200 at `/healthz` once it serves."""

    def __init__(self, *, logs: Path, port: int) -> None:
        super().__init__(logs)
        self.port = port

    @property
    @override
    def url(self) -> str:
        """The server's root."""
        return f"http://127.0.0.1:{self.port}"

    @override
    async def ready(self) -> bool:
        """Whether `/healthz` answers."""
        return await answers(f"{self.url}/healthz")


class Issuer(Program):
    """The local Google-style issuer; its key stays in the data folder."""

    name = "issuer"
    title = "Google-style issuer"

    def __init__(self, key: Path, *, logs: Path, port: int) -> None:
        super().__init__(logs=logs, port=port)
        self._key = key

    @override
    def env(self) -> dict[str, str]:
        """The client id and where its certificates are."""
        return {"GOOGLE_CLIENT_ID": CLIENT_ID, "GOOGLE_CERTS_URL": f"{self.url}/certs"}

    @override
    def command(self) -> Command:
        """A process of its own, as Google's is."""
        module = python("yousync.local.issuer")
        argv = [*module, "--port", str(self.port), "--key", str(self._key), "--audience", CLIENT_ID]
        return Command(argv=argv, env=python_env())


class Analyzer(Program):
    """The reference analysis server. `told` says, when it is started, where recordings are and how to sign."""

    name = "analyzer"
    title = "Analysis server"

    def __init__(self, told: Callable[[], Mapping[str, str]], *, logs: Path, port: int) -> None:
        super().__init__(logs=logs, port=port)
        self._told = told

    @override
    def env(self) -> dict[str, str]:
        """Where to ask, where to ask again, and that asking twice does no harm."""
        return analysis_env(self.url)

    @override
    def command(self) -> Command:
        """Configured by environment alone, as a stranger would run it."""
        own = {"ANALYZER_HOST": "127.0.0.1", "ANALYZER_PORT": str(self.port)}
        return Command(argv=[*python("yousync.cli"), "analyzer"], env=python_env() | dict(self._told()) | own)


class Standin(Program):
    """The controllable stand-in for tests: answers as told, and keeps a ledger of what it got."""

    name = "standin"
    title = "Stand-in for the analysis server"

    def __init__(self, ledger: Path, *, logs: Path, port: int) -> None:
        super().__init__(logs=logs, port=port)
        self.ledger = ledger

    @override
    def env(self) -> dict[str, str]:
        """The same variables as the real one."""
        return analysis_env(self.url)

    @override
    def command(self) -> Command:
        """Its own process, so that tests can kill it."""
        argv = [*python("yousync.local.standin"), "--port", str(self.port), "--ledger", str(self.ledger)]
        return Command(argv=argv, env=python_env())


def analysis_env(url: str) -> dict[str, str]:
    """The settings of an analysis server of ours at `url`."""
    return {
        "TARGET_SERVER_URL": f"{url}/analyze",
        "ANALYSIS_STATUS_URL": f"{url}/analyses/{{job_id}}",
        "ANALYSIS_IDEMPOTENT": "true",
    }


def python(module: str) -> list[str]:
    """The command line of a module; `-P` keeps the caller's folder out of its imports."""
    return [sys.executable, "-P", "-m", module]


async def answers(url: str) -> bool:
    """Whether a GET is answered with 200 now."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            return response.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
