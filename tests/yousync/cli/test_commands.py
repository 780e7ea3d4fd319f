"""The commands, run as people run them, against the session's stack."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.conftest import settings_for
from yousync import demo
from yousync.cli.failure import Exit
from yousync.identity import verify
from yousync.local.postgres import Postgres
from yousync.local.stack import Stack
from yousync.settings import Settings

ROOT = Path(__file__).parents[3]
SECRETS = ("postgres_password", "valkey_password", "s3_secret", "jwt_secret_key", "webhook_token_keys")


@dataclass
class Ended:
    status: int
    out: str
    err: str


async def yousync(cwd: Path, *arguments: str, env: dict[str, str] | None = None) -> Ended:
    """Run the command in `cwd` with nothing in its environment but `env`."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "yousync.cli",
        *arguments,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200"} | (env or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(child.communicate(), 50)
    assert child.returncode is not None
    return Ended(child.returncode, out.decode(), err.decode())


def env_of(settings: Settings, stack: Stack) -> dict[str, str]:
    return stack.env() | {"DATABASE_URL": settings.database_url.get_secret_value()}


async def test_without_settings_each_command_names_what_is_missing(tmp_path: Path) -> None:
    for arguments in (["db", "upgrade"], ["seed"], ["token", "a@b.c"], ["settings"], ["web"], ["worker"]):
        ended = await yousync(tmp_path, *arguments)
        assert ended.status == Exit.SETUP
        assert "DATABASE_URL: Field required" in ended.err
        assert "JWT_SECRET_KEY: Field required" in ended.err
        assert "yousync up" in ended.err
        assert "Traceback" not in ended.err


async def test_a_server_that_is_not_there_is_said_without_a_trace(tmp_path: Path, stack: Stack) -> None:
    env = stack.env() | {"DATABASE_URL": "postgresql://yousync:x@127.0.0.1:1/yousync"}
    for arguments in (["db", "upgrade"], ["token", "a@b.c"], ["seed"]):
        ended = await yousync(tmp_path, *arguments, env=env)
        assert ended.status == Exit.UNREACHABLE, arguments
        assert "Traceback" not in ended.err
    for script in ([], ["--script", "1"]):
        ended = await yousync(tmp_path, "demo", "--url", "http://127.0.0.1:1", *script, env=env)
        assert ended.status == Exit.UNREACHABLE
        assert ended.err.startswith("yousync: no answer from the server")


async def test_a_database_url_of_another_kind_is_said_without_a_trace(tmp_path: Path, stack: Stack) -> None:
    env = stack.env() | {"DATABASE_URL": "mysql://root:secret@127.0.0.1/yousync"}
    ended = await yousync(tmp_path, "db", "upgrade", env=env)
    assert ended.status == Exit.SETUP
    assert "DATABASE_URL" in ended.err
    assert "postgresql://" in ended.err
    assert "secret" not in ended.err
    assert "Traceback" not in ended.err
    assert (await yousync(tmp_path, "--help", env=env)).status == 0


async def test_a_server_without_the_demo_clip_needs_a_sentence_named(tmp_path: Path) -> None:
    app = web.Application()

    async def nothing(_request: web.Request) -> web.Response:
        return web.json_response([])

    app.router.add_get("/tokens", nothing)
    async with TestServer(app) as server:
        ended = await yousync(tmp_path, "demo", "--url", str(server.make_url("/")))
    assert ended.status == Exit.USAGE
    assert "--script" in ended.err


async def test_the_password_that_is_wrong_is_no_crash(tmp_path: Path, stack: Stack) -> None:
    env = stack.env() | {"DATABASE_URL": stack.env()["DATABASE_URL"].replace("yousync:", "yousync:wrong")}
    ended = await yousync(tmp_path, "db", "upgrade", env=env)
    assert ended.status == Exit.UNREACHABLE
    assert "Traceback" not in ended.err
    assert "wrong" not in ended.err


async def test_upgrade_says_what_it_applied_and_then_that_nothing_is_left(tmp_path: Path, stack: Stack) -> None:
    postgres = stack.parts["postgres"]
    assert isinstance(postgres, Postgres)
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    await connection.execute("DROP DATABASE IF EXISTS fresh")
    await connection.execute("CREATE DATABASE fresh")
    await connection.close()
    env = stack.env() | {"DATABASE_URL": postgres.dsn("fresh")}
    early = await yousync(tmp_path, "seed", env=env)
    assert early.status == Exit.SETUP
    assert "run `yousync db upgrade`" in early.err
    several = await asyncio.gather(*(yousync(tmp_path, "db", "upgrade", env=env) for _ in range(2)))
    assert [ended.status for ended in several] == [0, 0]
    assert sum("applied" in ended.out for ended in several) == 1
    assert sum("up to date" in ended.out for ended in several) == 1


async def test_seed_loads_the_demo_once(tmp_path: Path, settings: Settings, stack: Stack) -> None:
    env = env_of(settings, stack)
    first, second = await yousync(tmp_path, "seed", env=env), await yousync(tmp_path, "seed", env=env)
    assert (first.status, second.status) == (0, 0)
    assert "3 tokens, 9 scripts" in first.out
    assert second.out == "nothing to change\n"


async def test_seed_refuses_a_bad_file_whole(tmp_path: Path, settings: Settings, stack: Stack) -> None:
    env = env_of(settings, stack)
    text = demo.CATALOGUE.read_text().replace('"Mina Harper"', '"Somebody New"')
    lines = text.splitlines()
    wrong = next(n for n, line in enumerate(lines) if '"youtube_url"' in line)
    lines[wrong] = '"youtube_url": "https://youtu.be/YouSyncDm01",'
    (tmp_path / "bad.json").write_text("\n".join(lines))
    ended = await yousync(tmp_path, "seed", "--file", "bad.json", env=env)
    assert ended.status == Exit.USAGE
    assert f"line {wrong + 1}: tokens[0].youtube_url: must be https://www.youtube.com/watch?v=" in ended.err
    connection = await asyncpg.connect(env["DATABASE_URL"])
    assert not await connection.fetch("SELECT FROM actors WHERE name = 'Somebody New'")
    await connection.close()
    missing = await yousync(tmp_path, "seed", "--file", "nowhere.json", env=env)
    assert missing.status == Exit.USAGE
    assert "cannot read nowhere.json: No such file or directory" in missing.err


async def test_token_creates_the_user_once_and_makes_an_operator(
    tmp_path: Path, settings: Settings, stack: Stack
) -> None:
    env = env_of(settings, stack)
    plain = await yousync(tmp_path, "token", "mina@example.com", env=env)
    admin = await yousync(tmp_path, "token", "mina@example.com", "--admin", env=env)
    callers = [verify(settings, ended.out.strip()) for ended in (plain, admin)]
    assert callers[0].user_id == callers[1].user_id
    assert plain.out.count("\n") == 1
    claims = jwt.decode(plain.out.strip(), options={"verify_signature": False})
    assert claims["email"] == "mina@example.com"
    connection = await asyncpg.connect(env["DATABASE_URL"])
    rows = await connection.fetch("SELECT is_admin FROM users WHERE email = 'mina@example.com'")
    await connection.close()
    assert [row["is_admin"] for row in rows] == [True]


@pytest.mark.parametrize("email", ["nobody", "a b@c.d", "@x", "x" * 400 + "@y.z"])
async def test_token_wants_an_address(tmp_path: Path, stack: Stack, email: str) -> None:
    ended = await yousync(tmp_path, "token", email, env=stack.env())
    assert ended.status == Exit.USAGE
    assert "no e-mail address" in ended.err


async def test_settings_show_everything_but_secrets(tmp_path: Path, stack: Stack) -> None:
    ended = await yousync(tmp_path, "settings", env=stack.env())
    as_json = await yousync(tmp_path, "settings", "--json", env=stack.env())
    found = json.loads(as_json.out)
    assert set(found) == {name.upper() for name in Settings.model_fields}
    assert found["PORT"] == stack.public_port
    assert found["DATABASE_URL"].startswith("postgresql://yousync:********@127.0.0.1:")
    assert "ACCESS_TOKEN_HOURS=12.0\n" in ended.out
    secrets = json.loads((stack.data / "secrets.json").read_text())
    for name in SECRETS:
        assert secrets[name] not in ended.out + as_json.out


async def test_a_running_stack_goes_before_the_environment(tmp_path: Path, stack: Stack) -> None:
    stack.announce()
    try:
        env = {"DATABASE_URL": "postgresql://elsewhere:x@192.0.2.1/x"}
        for arguments in (["--data", str(stack.data)], []):
            ended = await yousync(
                tmp_path, "settings", *arguments, env=env | ({} if arguments else {"YOUSYNC_DATA": str(stack.data)})
            )
            assert f"PORT={stack.public_port}\n" in ended.out
            assert "elsewhere" not in ended.out
        ended = await yousync(tmp_path, "settings", env=settings_env(stack) | {"YOUSYNC_DATA": ""} | env)
        assert "DATABASE_URL=postgresql://elsewhere:********@192.0.2.1/x\n" in ended.out
    finally:
        (stack.data / "stack.json").unlink()


def settings_env(stack: Stack) -> dict[str, str]:
    settings_for(stack)  # the stack's variables are enough
    return stack.env()


async def test_a_stack_that_is_still_starting_is_not_taken_for_none(tmp_path: Path, stack: Stack) -> None:
    ended = await yousync(tmp_path, "settings", "--data", str(stack.data))
    assert ended.status == Exit.SETUP
    assert "is starting or stopping" in ended.err
