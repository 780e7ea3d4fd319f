"""`yousync up` and `yousync demo`, from start to Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.yousync.cli.test_commands import ROOT, yousync
from yousync import demo
from yousync.cli.failure import CommandError, Exit
from yousync.cli.up import processes_of
from yousync.local.port import free_port
from yousync.local.program import Standin
from yousync.local.stack import Stack, throwaway_folder

WORDS = [
    word["word"]
    for token in json.loads(demo.CATALOGUE.read_text())["tokens"]
    if token["token_name"] == demo.DEMO_SENTENCE[0]
    for word in token["scripts"][demo.DEMO_SENTENCE[1]]["words"]
]


@dataclass
class Running:
    """A `yousync up` that is up."""

    child: asyncio.subprocess.Process
    data: Path
    port: int

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "stack.json").read_text())
        return found

    def pids(self) -> list[int]:
        return [part["pid"] for part in self.told()["parts"].values() if part["pid"]]

    async def stop(self, number: signal.Signals) -> tuple[int, str]:
        self.child.send_signal(number)
        out, _ = await asyncio.wait_for(self.child.communicate(), 30)
        assert self.child.returncode is not None
        return self.child.returncode, out.decode()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def bring_up(data: Path, standin: Standin, *options: str) -> Running:
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "yousync.cli",
        *("up", "--port", str(port), "--data", str(data), *options),
        cwd=data,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200"} | standin.env(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(40):
        while not (data / "stack.json").exists():
            if child.returncode is not None:
                out, _ = await child.communicate()
                pytest.fail(out.decode())
            await asyncio.sleep(0.02)
    return Running(child, data, port)


@pytest_asyncio.fixture
async def data() -> AsyncIterator[Path]:
    folder = throwaway_folder()
    yield folder
    await Stack(folder).destroy()


async def test_up_serves_shows_a_demo_and_ends_with_nothing_left(data: Path, standin: Standin, tmp_path: Path) -> None:
    running = await bring_up(data, standin, "--demo")
    try:
        told = running.told()
        assert told["pid"] == running.child.pid
        assert told["url"] == f"http://127.0.0.1:{running.port}"
        assert {name for name, part in told["parts"].items() if part["pid"]} == {
            *("postgres", "valkey", "s3", "issuer", "web"),
        }
        assert told["parts"]["analyzer"]["external"] is True
        async with aiohttp.ClientSession() as session, session.get(f"{told['url']}/health") as response:
            assert response.status == 200

        ended = await yousync(tmp_path, "demo", "--json", "--data", str(data))
        assert ended.status == 0
        job = json.loads(ended.out)
        assert job["status"] == "completed"
        assert [word["word"] for word in job["result"]["result"]["word_analysis"]] == WORDS

        second = await yousync(tmp_path, "up", "--port", str(free_port()), "--data", str(data))
        assert second.status == Exit.SETUP
        assert f"already running on {data} (process {running.child.pid})" in second.err
        taken = await yousync(tmp_path, "up", "--port", str(running.port), "--data", str(tmp_path / "other"))
        assert taken.status == Exit.SETUP
        assert f"port {running.port} is taken" in taken.err
        assert not (tmp_path / "other").exists()

        before = told["parts"]["web"]["pid"]
        os.kill(before, signal.SIGKILL)
        async with asyncio.timeout(30):
            while running.told()["parts"]["web"]["pid"] in (before, None):
                await asyncio.sleep(0.02)
        pids = running.pids()
    finally:
        status, out = await running.stop(signal.SIGINT)
    assert status == 0
    assert "Web server ended with SIGKILL; starting it again" in out
    assert "Web server restarted as process" in out
    assert "analyzer is external: TARGET_SERVER_URL is set" in out
    for word in (*WORDS, "completed", "/docs", "yousync.cli token you@example.com", "stopped"):
        assert word in out
    assert not any(alive(pid) for pid in pids)
    assert not (data / "stack.json").exists()


async def test_processes_apart_survive_a_kill_of_up_and_start_again(
    data: Path, standin: Standin, tmp_path: Path
) -> None:
    running = await bring_up(data, standin, "--processes", "web,worker")
    assert {"web", "worker"} <= set(running.told()["parts"])
    ended = await yousync(tmp_path, "demo", "--json", "--data", str(data))
    assert json.loads(ended.out)["status"] == "completed"
    pids = running.pids()
    os.kill(running.child.pid, signal.SIGKILL)
    await running.child.communicate()
    async with asyncio.timeout(20):
        while any(alive(pid) for pid in pids):
            await asyncio.sleep(0.02)
    (data / "stack.json").rename(data / "stale.json")
    again = await bring_up(data, standin)
    status, _ = await again.stop(signal.SIGTERM)
    assert status == 0


async def test_demo_without_a_stack_brings_its_own_and_leaves_nothing(data: Path, tmp_path: Path) -> None:
    ended = await yousync(tmp_path, "demo", "--json", env={"TMPDIR": str(data)})
    assert ended.status == 0, ended.err
    result = json.loads(ended.out)["result"]["result"]
    assert [word["word"] for word in result["word_analysis"]] == WORDS
    assert result["overall_score"] > 0.8
    assert result["intonation_score"] > 0.8, "the clip's pitch is in S3, and the request names it"
    assert {word["error_type"] for word in result["word_analysis"]} == {"None"}
    assert list(data.iterdir()) == list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "names"), [("web", ["web"]), ("web, worker,worker", ["web", "worker", "worker"])])
def test_processes(text: str, names: list[str]) -> None:
    assert processes_of(text) == names


@pytest.mark.parametrize("text", ["", "worker", "web,web", "web,cron"])
def test_processes_that_make_no_sense(text: str) -> None:
    with pytest.raises(CommandError) as caught:
        processes_of(text)
    assert caught.value.status == Exit.USAGE
