"""The local stack's promises: data is kept, nothing is left behind, stacks do not meet."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.conftest import settings_for
from tests.yousync.test_webhooks import SECRET
from yousync.local.lock import is_running
from yousync.local.port import free_port
from yousync.local.process import StackError
from yousync.local.stack import Stack, throwaway_folder
from yousync.storage import open_storage

LATER = ("analyzer",)


@pytest_asyncio.fixture
async def data() -> AsyncIterator[Path]:
    folder = throwaway_folder()
    yield folder
    await Stack(folder).destroy()


async def until(condition: Callable[[], bool], *, within: float = 20.0) -> None:
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def none_alive(pids: list[int]) -> bool:
    return not any(alive(pid) for pid in pids)


def runs_anew(data: Path, name: str, before: int) -> bool:
    return told_pid(data, name) != before


async def remember(stack: Stack, word: str) -> None:
    """Leave a mark in each of the three stores."""
    settings = settings_for(stack)
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    await connection.execute("CREATE TABLE IF NOT EXISTS marks (word text)")
    await connection.execute("INSERT INTO marks VALUES ($1)", word)
    await connection.close()
    valkey = Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True)
    await valkey.rpush("marks", word)
    await valkey.aclose()
    async with open_storage(settings) as storage:
        await storage.put(f"marks/{word}", word.encode(), container="wav")


async def remembered(stack: Stack) -> tuple[list[str], list[str]]:
    settings = settings_for(stack)
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    rows = [row["word"] for row in await connection.fetch("SELECT word FROM marks ORDER BY word")]
    await connection.close()
    valkey = Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True)
    items = await valkey.lrange("marks", 0, -1)
    await valkey.aclose()
    return rows, sorted(items)


async def test_valkey_keeps_what_it_acknowledged(stack: Stack) -> None:
    client = Redis.from_url(stack.env()["REDIS_URL"], decode_responses=True)
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
    assert await client.config_get(*wanted) == wanted
    await client.aclose()


async def test_postgres_knows_hangul_and_sorts_the_same_everywhere(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.env()["DATABASE_URL"])
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        assert await connection.fetchval("SELECT similarity('미나 하퍼', '미나하퍼')") > 0.2
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
        assert await connection.fetchval("SELECT lower('ÀÉ')") == "àé"
        assert await connection.fetchval("SELECT 'B' < 'a'")
    finally:
        await connection.close()


async def test_nothing_opens_without_its_password(stack: Stack) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(stack.env()["DATABASE_URL"].replace("yousync:", "yousync:x"))
    with pytest.raises(Exception, match=r"WRONGPASS|invalid"):
        await Redis.from_url(stack.env()["REDIS_URL"].replace("redis://:", "redis://:x")).ping()


async def test_everything_listens_on_loopback_alone(stack: Stack) -> None:
    ports = {f"{part.url.rpartition(':')[2].split('/')[0]}" for part in stack.parts.values()}
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = [line[1] for line in listening if line[3] == "0A" and str(int(line[1].split(":")[1], 16)) in ports]
    assert len(ours) >= 4
    assert all(address.startswith("0100007F:") for address in ours)


async def test_secrets_are_their_owners_alone(stack: Stack) -> None:
    for name in ("secrets.json", "issuer.pem"):
        assert stat.S_IMODE((stack.data / name).stat().st_mode) == 0o600
    shown = b"".join(Path(f"/proc/{part.process.pid}/cmdline").read_bytes() for part in started(stack))
    for secret in json.loads((stack.data / "secrets.json").read_text()).values():
        assert secret.encode() not in shown


async def test_data_survives_a_stop_and_secrets_stay(data: Path) -> None:
    first = Stack(data, durable=False)
    await first.start(later=LATER)
    secrets = first.env()["WEBHOOK_TOKEN_KEYS"], first.env()["JWT_SECRET_KEY"]
    await remember(first, "one")
    await first.stop()
    again = Stack(data, given={"WEBHOOK_SECRET": SECRET}, durable=False)
    await again.start(later=LATER)
    assert await remembered(again) == (["one"], ["one"])
    assert (again.env()["WEBHOOK_TOKEN_KEYS"], again.env()["JWT_SECRET_KEY"]) == secrets
    assert again.env()["WEBHOOK_SECRET"] == SECRET
    assert again.parts["analyzer"].command().env["WEBHOOK_SECRET"] == SECRET, "our own analysis server signs"
    async with open_storage(settings_for(again)) as storage:
        assert await storage.size("marks/one") == 3
    await again.stop()
    assert not any(part.process.running for part in again.parts.values())


async def test_a_folder_takes_one_stack_and_others_run_beside_it(data: Path, stack: Stack) -> None:
    first = Stack(data, durable=False)
    await first.start(later=LATER)
    assert is_running(data)
    with pytest.raises(StackError, match=r"already running .* \(process \d+\)"):
        await Stack(data, durable=False).start(later=LATER)
    assert all(part.process.running for part in started(first))
    await remember(first, "here")
    assert is_running(stack.data)
    await first.stop()
    assert not is_running(data)


async def test_a_killed_stack_leaves_no_process_and_starts_again(data: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from yousync.local.stack import Stack\n"
        "async def main():\n"
        "    stack = Stack(pathlib.Path(sys.argv[1]), durable=False)\n"
        "    await stack.start(later=('analyzer',))\n"
        "    stack.announce()\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    root = str(Path(__file__).parents[3])
    for round_ in ("one", "two"):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, str(data), env=dict(os.environ) | {"PYTHONPATH": root}
        )
        await until(lambda: (data / "stack.json").exists() and is_running(data))
        told = json.loads((data / "stack.json").read_text())
        pids = [part["pid"] for part in told["parts"].values() if part["pid"]]
        assert told["pid"] == child.pid
        assert len(pids) == 4
        await note(told["env"]["DATABASE_URL"], round_)
        os.kill(child.pid, signal.SIGKILL)
        await child.wait()
        await until(partial(none_alive, pids))
        assert not is_running(data)
        (data / "stack.json").rename(data / "stale.json")  # the loop's next turn waits for a new one
    after = Stack(data, durable=False)
    await after.start(later=LATER)
    connection = await asyncpg.connect(after.env()["DATABASE_URL"])
    assert [row["word"] for row in await connection.fetch("SELECT word FROM notes ORDER BY 1")] == ["one", "two"]
    await connection.close()
    await after.stop()


async def note(dsn: str, word: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS notes (word text)")
    await connection.execute("INSERT INTO notes VALUES ($1)", word)
    await connection.close()


async def test_a_stale_pid_file_with_a_strangers_number_is_no_obstacle(data: Path) -> None:
    first = Stack(data, durable=False)
    await first.start(later=LATER)
    pid_file = next(data.rglob("postmaster.pid"))
    content = pid_file.read_text()
    await first.stop()
    # Postgres itself takes a live process of its own account for another server, as after a container's restart.
    pid_file.write_text(content.replace(content.split("\n")[0], str(os.getpid()), 1))
    again = Stack(data, durable=False)
    await again.start(later=LATER)
    await again.stop()


async def test_what_dies_is_started_again_and_said(data: Path) -> None:
    said: list[str] = []
    stack = Stack(data, durable=False, say=said.append)
    try:
        await stack.start(later=LATER)
        stack.announce()
        stack.supervise()
        for name in ("postgres", "valkey", "s3", "issuer"):
            before = told_pid(data, name)
            os.killpg(before, signal.SIGKILL)
            await until(partial(runs_anew, data, name, before))
            title = stack.parts[name].title
            assert f"{title} ended with SIGKILL; starting it again in 0.2 s" in said
            assert f"{title} restarted as process {told_pid(data, name)}" in said
        await remember(stack, "after")
    finally:
        await stack.stop()
    assert not (data / "stack.json").exists()


async def test_a_failed_start_leaves_nothing_running(data: Path, stack: Stack) -> None:
    taken = int(stack.parts["valkey"].url.rpartition(":")[2].split("/")[0])
    refused = Stack(data, durable=False, ports={"valkey": taken})
    with pytest.raises(StackError, match=f"port {taken} for valkey is taken"):
        await refused.start(later=LATER)
    assert not is_running(data)
    (data / "s3").write_text("a file where a folder has to be")
    broken = Stack(data, durable=False)
    with pytest.raises((StackError, OSError)):
        await broken.start(later=LATER)
    assert not any(part.process.running for part in broken.parts.values())
    assert not is_running(data)


async def test_what_is_given_from_outside_is_used_and_handed_on(data: Path, stack: Stack) -> None:
    given = {name: stack.env()[name] for name in ("DATABASE_URL", "REDIS_URL", "TARGET_SERVER_URL")}
    second = Stack(
        data, public_port=free_port(), given=given | {"LOG_LEVEL": "debug", "WEBHOOK_SECRET": SECRET}, durable=False
    )
    assert second.external == {"postgres": "DATABASE_URL", "valkey": "REDIS_URL", "analyzer": "TARGET_SERVER_URL"}
    await second.start()
    try:
        assert set(second.parts) == {"s3", "issuer"}
        assert {name: second.env()[name] for name in given} == given
        assert second.env()["LOG_LEVEL"] == "debug"
        assert second.env()["WEBHOOK_SECRET"] == SECRET
        assert second.describe()["parts"]["postgres"] == {
            "url": given["DATABASE_URL"],
            "pid": None,
            "external": True,
            "variable": "DATABASE_URL",
        }
    finally:
        await second.stop()


def test_half_given_parts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY is missing"):
        Stack(tmp_path, given={"S3_BUCKET_NAME": "bucket"})
    assert Stack(tmp_path, given={"AWS_ACCESS_KEY_ID": "as many shells have it"}).external == {}
    assert Stack(tmp_path, given={"DATABASE_URL": ""}).external == {}


def started(stack: Stack) -> list[Any]:
    return [part for part in stack.parts.values() if part.process.running]


def told_pid(data: Path, name: str) -> int:
    return int(json.loads((data / "stack.json").read_text())["parts"][name]["pid"])
