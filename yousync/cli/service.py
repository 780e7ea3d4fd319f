"""YouSync's own processes as parts of a stack."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from typing_extensions import override

from yousync.local.part import Part, python_env
from yousync.local.process import Command
from yousync.local.program import Program, answers, python

GRACE = 15.0
"""Seconds a process may take to end after SIGTERM; it promises less."""


def service_env(settings: Mapping[str, str]) -> dict[str, str]:
    """Our whole environment, then the stack's settings; YOUSYNC_DATA set to nothing makes these the only ones."""
    return dict(os.environ) | python_env() | dict(settings) | {"YOUSYNC_DATA": ""}


class Web(Program):
    """The HTTP server; with the engine in the same process unless workers run apart."""

    name = "web"
    title = "Web server"

    def __init__(self, settings: Callable[[], Mapping[str, str]], *, logs: Path, port: int, with_worker: bool) -> None:
        super().__init__(logs=logs, port=port)
        self._settings = settings
        self._with_worker = with_worker

    @override
    def env(self) -> dict[str, str]:
        """Nothing: others reach it by the stack's public URL."""
        return {}

    @override
    def command(self) -> Command:
        """One process."""
        argv = [*python("yousync.cli"), "web", *(["--with-worker"] if self._with_worker else [])]
        return Command(argv=argv, env=service_env(self._settings()), grace=GRACE)

    @override
    async def ready(self) -> bool:
        """Whether it would get traffic from a load balancer."""
        return await answers(f"{self.url}/readyz")


class Worker(Part):
    """A worker process."""

    title = "Worker"
    name = "worker"

    def __init__(self, settings: Callable[[], Mapping[str, str]], *, logs: Path, number: int = 1) -> None:
        if number > 1:
            self.name = f"worker-{number}"
        super().__init__(logs)
        self._settings = settings

    @property
    @override
    def url(self) -> str:
        """It has none: it takes its work from Valkey."""
        return ""

    @override
    def env(self) -> dict[str, str]:
        """Nothing."""
        return {}

    @override
    def command(self) -> Command:
        """One process."""
        return Command(argv=[*python("yousync.cli"), "worker"], env=service_env(self._settings()), grace=GRACE)

    @override
    async def ready(self) -> bool:
        """It listens nowhere; that it runs is all there is to see from here."""
        return self.process.running
