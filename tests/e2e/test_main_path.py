"""From `yousync up` to scores, over HTTP only: real processes, the real analysis server, bundled recordings."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.waiting import until
from tests.web.following import Stream, read_stream
from tests.yousync.cli.test_commands import yousync
from yousync.demo import CATALOGUE, RECORDINGS
from yousync.local.part import python_env
from yousync.local.port import free_port
from yousync.local.program import python
from yousync.local.stack import Stack, throwaway_folder

README = Path(__file__).parents[2] / "README.md"
WALK = README.parent / "docs" / "walkthrough.sh"


@dataclass
class Service:
    """A running `yousync up`."""

    data: Path
    client: aiohttp.ClientSession

    async def upload(self, path: str, recording: Path, headers: dict[str, str] | None = None) -> dict[str, Any]:
        form = aiohttp.FormData()
        form.add_field("file", recording.read_bytes(), filename="script_1.wav", content_type="audio/wav")
        async with self.client.post(path, data=form, headers=headers) as reply:
            assert reply.status == 202, await reply.text()
            body: dict[str, Any] = await reply.json()
            return body

    async def follow(self, path: str) -> Stream:
        async with asyncio.timeout(40), self.client.get(path) as reply:
            assert reply.status == 200
            return await read_stream(reply)


@pytest_asyncio.fixture(scope="module")
async def service() -> AsyncIterator[Service]:
    data, port = throwaway_folder(), free_port()
    child = await asyncio.create_subprocess_exec(
        *python("yousync.cli"),
        *("up", "--port", str(port), "--data", str(data)),
        cwd=data,
        env=python_env(),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await until((data / "stack.json").exists, seconds=40)
        assert (await yousync(data, "seed", "--data", str(data))).status == 0
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            yield Service(data, client)
    finally:
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 30) == 0
        await Stack(data).destroy()


def sentences() -> list[tuple[int, str, Path]]:
    """Every line of the demo: its id in a fresh database, its text, its recording."""
    tokens = json.loads(CATALOGUE.read_text())["tokens"]
    lines = [
        (token["token_name"], place, line["script"]) for token in tokens for place, line in enumerate(token["scripts"])
    ]
    return [(number, text, RECORDINGS[name, place]) for number, (name, place, text) in enumerate(lines, start=1)]


@pytest.mark.parametrize(
    ("script_id", "text", "recording"), sentences(), ids=lambda value: getattr(value, "name", None)
)
async def test_every_bundled_recording_gets_its_scores(
    service: Service, script_id: int, text: str, recording: Path
) -> None:
    job = await service.upload(f"/api/scripts/{script_id}/upload-audio", recording)
    stream = await service.follow(f"/api/scripts/analysis-progress/{job['job_id']}")
    assert stream.statuses[-1] == "completed"
    result = stream.last["result"]["result"]
    assert [word["word"] for word in result["word_analysis"]] == text.rstrip(".?!").replace(",", "").split()
    assert all(0 <= word["word_score"] <= 1 for word in result["word_analysis"])
    assert result["overall_score"] > 0.5, "an honest reading"
    assert result["engine"]["name"]


async def test_a_clip_by_a_signed_in_learner(service: Service) -> None:
    token = (await yousync(service.data, "token", "learner@example.com", "--data", str(service.data))).out.strip()
    headers = {"Authorization": f"Bearer {token}"}
    job = await service.upload("/tokens/36/upload-audio", RECORDINGS["Last Train Home", 0], headers)
    assert job["token_info"]["id"] == 36
    stream = await service.follow(f"/tokens/analysis-progress/{job['job_id']}")
    assert stream.statuses[-1] == "completed"
    async with service.client.get(f"/tokens/analysis-result/{job['job_id']}") as reply:
        assert (await reply.json())["result"] == stream.last["result"]


async def test_silence_is_a_failure_with_a_message(service: Service, tmp_path: Path) -> None:
    header = RECORDINGS["Last Train Home", 0].read_bytes()[:44]
    (tmp_path / "silence.wav").write_bytes(header + bytes(40_000))
    job = await service.upload("/scripts/1/upload-audio", tmp_path / "silence.wav")
    stream = await service.follow(f"/scripts/analysis-progress/{job['job_id']}")
    assert stream.statuses[-1] == "failed"
    assert "목소리" in stream.last["message"]


@pytest.mark.timeout(120)
async def test_the_walk_through_the_api(service: Service) -> None:
    status, printed = await walk(service.data)
    assert status == 0, printed
    assert "completed 100" in printed
    assert printed.rstrip().endswith("That was all of it.")


async def test_the_walk_ends_at_the_first_answer_that_is_another_than_it_says(service: Service) -> None:
    another = json.loads((service.data / "stack.json").read_text())["parts"]["issuer"]["url"]
    status, printed = await walk(service.data, API=another)
    assert status == 1
    assert "404  GET    /readyz" in printed
    assert "expected 200" in printed
    assert "Sign in" not in printed


async def test_what_the_readme_says_to_try(service: Service) -> None:
    (commands,) = re.findall(r"^```bash\n(.*?)^docs/walkthrough.sh\n```", README.read_text(), re.MULTILINE | re.DOTALL)
    url = json.loads((service.data / "stack.json").read_text())["url"]
    for said, here in {
        "http://127.0.0.1:8000": url,
        ".yousync/": f"{service.data}/",
        ".venv/bin/python": sys.executable,
    }.items():
        assert said in commands
        commands = commands.replace(said, here)
    status, printed = await ran("bash", "-eu", "-o", "pipefail", "-c", commands, cwd=README.parent)
    assert status == 0, printed
    assert printed.count('"job_id"') >= 2
    assert '"status":"completed"' in printed
    assert '"word_analysis"' in printed
    assert '"token_info"' in printed, "the signed-in upload"


async def walk(data: Path, **variables: str) -> tuple[int | None, str]:
    """How docs/walkthrough.sh ends against the stack under `data`, and all that it prints."""
    command = shlex.join([sys.executable, "-P", "-m", "yousync.cli"])
    return await ran(str(WALK), cwd=data, YOUSYNC_DATA=str(data), YOUSYNC=command, **variables)


async def ran(*command: str, cwd: Path, **variables: str) -> tuple[int | None, str]:
    """How a command ends, and all that it prints."""
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=python_env() | variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(child.communicate(), 110)
    return child.returncode, out.decode()


async def test_the_logs_tell_of_every_job_and_of_no_secret(service: Service) -> None:
    job = await service.upload("/scripts/3/upload-audio", RECORDINGS["Last Train Home", 2])
    await service.follow(f"/scripts/analysis-progress/{job['job_id']}")
    logs = {path.name: path.read_text() for path in (service.data / "logs").glob("*.log")}
    lines = [json.loads(line) for line in logs["web.log"].splitlines() if job["job_id"] in line]
    assert "job_ended" in {line["event"] for line in lines}
    assert [line["job_id"] for line in lines if line.get("delivery") == "delivered"] == [job["job_id"]]
    assert all(line["job_id"] == job["job_id"] for line in lines if line["event"] == "job_ended")
    assert all(line["request_id"] for line in lines if line["event"] in {"request", "job_ended"})
    upload = next(line for line in lines if line["event"] == "request" and "upload-audio" in line["path"])
    assert {line["request_id"] for line in lines if line["event"] == "job_ended"} == {upload["request_id"]}
    secrets = json.loads((service.data / "stack.json").read_text())["env"]
    for name in ("JWT_SECRET_KEY", "WEBHOOK_TOKEN_KEYS", "AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "REDIS_URL"):
        assert not [file for file, text in logs.items() if secrets[name] in text], name
    assert not [file for file, text in logs.items() if "token=" in text]


async def test_the_demo_finds_its_sentence_at_any_server(service: Service, tmp_path: Path) -> None:
    url = json.loads((service.data / "stack.json").read_text())["url"]
    told = await yousync(tmp_path, "demo", "--json", "--url", f"{url}/", env={"YOUSYNC_DATA": ""})
    assert told.status == 0, told.err
    assert json.loads(told.out)["status"] == "completed"


async def test_the_yousync_command_asks_the_same_stack(service: Service) -> None:
    url = json.loads((service.data / "stack.json").read_text())["url"]
    for server in ([], ["--url", url], ["--url", url, "--script", "2"]):
        told = await yousync(service.data, "demo", "--json", "--data", str(service.data), *server)
        assert told.status == 0, told.err
        assert json.loads(told.out)["status"] == "completed"
    shown = await yousync(service.data, "settings", "--json", "--data", str(service.data))
    secret = json.loads((service.data / "stack.json").read_text())["env"]["JWT_SECRET_KEY"]
    assert secret not in shown.out
