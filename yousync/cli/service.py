"""YouSync's own processes as parts of a stack."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from typing_extensions import override

from yousync.local.part import Part, python_env
from yousync.local.port import free_port
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
    """A worker process, its metrics on a port of its own."""

    title = "Worker"
    name = "worker"

    def __init__(self, settings: Callable[[], Mapping[str, str]], *, logs: Path, number: int = 1) -> None:
        if number > 1:
            self.name = f"worker-{number}"
        super().__init__(logs)
        self._settings = settings
        self.metrics_port = free_port()

    @property
    @override
    def url(self) -> str:
        """Its metrics; work it takes from Valkey."""
        return f"http://127.0.0.1:{self.metrics_port}/metrics"

    @override
    def env(self) -> dict[str, str]:
        """Nothing."""
        return {}

    @override
    def command(self) -> Command:
        """One process."""
        env = service_env(self._settings()) | {"METRICS_PORT": str(self.metrics_port)}
        return Command(argv=[*python("yousync.cli"), "worker"], env=env, grace=GRACE)

    @override
    async def ready(self) -> bool:
        """It takes no requests; that it runs is all there is to see from here."""
        return self.process.running
