"""Runs the page's commands with bash, on a host that has the tools an operator's host has."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.docs.page import Step, steps
from tests.processes import environment
from yousync.local.part import python_env
from yousync.local.postgres import installation
from yousync.local.s3 import rclone
from yousync.settings import Settings

PROGRAMS = {"yousync": "yousync.cli", "valkey-cli": "tests.docs.valkey_cli"}
"""What is on PATH besides the tools of Postgres, rclone and Python."""


@dataclass
class Shell:
    """A shell in a folder of its own. What a block assigns, later ones see."""

    folder: Path
    env: dict[str, str]

    @classmethod
    def open(cls, folder: Path, settings: Settings, **variables: str) -> Shell:
        """A shell where the variables of `settings` are set, and these."""
        tools = folder / "bin"
        tools.mkdir()
        for name, module in PROGRAMS.items():
            (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} -P -m {module} "$@"\n')
            (tools / name).chmod(0o755)
        places = [tools, installation() / "bin", Path(sys.executable).parent, Path(rclone()).parent]
        path = os.pathsep.join([*map(str, places), os.environ["PATH"]])
        env = python_env() | environment(settings) | {"YOUSYNC_DATA": "", "PATH": path}
        return cls(folder, env | variables)

    async def follow(self, title: str) -> None:
        """Do what a section of the page says, and see what it says one sees."""
        for step in steps(title):
            await self.do(step)

    async def do(self, step: Step) -> None:
        """Run one block of it."""
        printed = await self.run(step.commands)
        missing = step.missing(printed)
        assert not missing, f"{step.commands}did not print {missing} but:\n{printed}"

    async def run(self, commands: str, *, status: int = 0) -> str:
        """What these print."""
        kept = self.folder / "variables"
        child = await asyncio.create_subprocess_exec(
            *("bash", "-a", "-eu", "-o", "pipefail", "-c", f"{commands}\nenv -0 >{shlex.quote(str(kept))}"),
            cwd=self.folder,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(child.communicate(), 60)
        printed = out.decode()
        assert child.returncode == status, f"{commands} ended with {child.returncode}:\n{printed}"
        if status == 0:
            self.env = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if pair)
        return printed
