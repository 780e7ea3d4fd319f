"""Schemathesis over the real thing: whatever the document allows or forbids, answers are as it says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from models.script import Script
from models.user import User
from tests.factories import bearer_of, make_attempt, make_user
from yousync.settings import Settings

CONFIG = Path(__file__).parent / "schemathesis.toml"


@pytest_asyncio.fixture(scope="module")
async def caller(settings: Settings, script: Script) -> User:
    return await make_user()


async def run(config: Path, url: str, *options: str) -> tuple[int, str]:
    """Schemathesis' exit status and report."""
    argv = ["-m", "schemathesis.cli", "--no-color", "--config-file", str(config), "run", f"{url}/openapi.json"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *argv, *options, "--generation-deterministic", "--max-examples", "1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=config.parent,  # it leaves files behind
    )
    output, _ = await process.communicate()
    return await process.wait(), output.decode()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("role", "options"),
    [
        ("nobody", ["--phases", "fuzzing", "--exclude-tag", "Operators"]),
        ("user", ["--phases", "fuzzing", "--exclude-tag", "Operators"]),
        ("admin", ["--phases", "examples,coverage,fuzzing,stateful"]),
    ],
)
async def test_answers_are_as_documented(
    client: aiohttp.ClientSession,
    settings: Settings,
    script: Script,
    caller: User,
    tmp_path: Path,
    role: str,
    options: list[str],
) -> None:
    """All of Schemathesis' checks, with ids that name something where it does not make up its own."""
    ids = {"token_id": script.token_id, "script_id": script.id, "job_id": await make_attempt(caller, script)}
    parameters = "".join(f'"path.{name}" = {value!r}\n' for name, value in ids.items())
    config = tmp_path / "schemathesis.toml"
    await asyncio.to_thread(config.write_text, f"{CONFIG.read_text()}\n[parameters]\n{parameters}")
    if role != "nobody":
        await User.filter(id=caller.id).update(is_admin=role == "admin")
        headers = await bearer_of(settings, caller)
        options = [*options, "--header", f"Authorization:{headers['Authorization']}"]
    status, report = await run(config, f"http://127.0.0.1:{settings.port}", *options)
    assert status == 0, report
