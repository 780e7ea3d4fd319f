"""What a process remembers of the catalogue is forgotten the moment anybody changes it, wherever that was."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from models.db import connection
from models.script import Script
from models.user import ensure_user
from tests.factories import bearer_of, make_script, make_token, youtube_url
from tests.processes import WebProcess, environment, running
from tests.waiting import until
from tests.web.asking import Caller
from web.catalogue import Catalogue, Fleeting
from web.kept import Kept
from web.wiring import CATALOGUE, DEPS
from yousync.local.port import free_port
from yousync.settings import Settings


async def listening(app: web.Application) -> Catalogue:
    """The application's, once it hears of changes."""
    catalogue = app[CATALOGUE]

    await until(lambda: catalogue.listening)
    return catalogue


class Source:
    """Something to read that counts how often it was."""

    def __init__(self) -> None:
        self.reads = 0
        self.value: Any = "first"
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def read(self, _name: str = "") -> Any:
        self.reads += 1
        found = self.value
        await self.goes_on.wait()
        return found


def heard() -> Catalogue:
    """One that believes to be listening."""
    made = Catalogue()
    made.listening = True
    return made


class TestRemembering:
    async def test_what_was_read_once_is_not_read_again(self) -> None:
        catalogue, source = heard(), Source()
        first = await catalogue.reply(source.read)
        assert (first.body, source.reads) == (b'"first"', 1)
        assert await catalogue.reply(source.read) is first
        await catalogue.reply(source.read, "other")
        assert source.reads == 2

    async def test_a_change_is_seen_by_whoever_asks_after_it(self) -> None:
        catalogue, source = heard(), Source()
        source.goes_on.clear()
        before = asyncio.create_task(catalogue.reply(source.read))
        await until(lambda: source.reads == 1)
        source.value = "second"
        catalogue.forget()
        after = asyncio.create_task(catalogue.reply(source.read))
        await until(lambda: source.reads == 2)
        source.goes_on.set()
        assert (await before).body == b'"first"', "who asked before the change may be told what was"
        assert (await after).body == b'"second"'
        assert (await catalogue.reply(source.read)).body == b'"second"', "and what was is not kept"

    async def test_nothing_is_kept_while_nobody_listens(self) -> None:
        catalogue, source = Catalogue(), Source()
        await catalogue.reply(source.read)
        source.value = "second"
        assert (await catalogue.reply(source.read)).body == b'"second"'

    async def test_a_crowd_shares_one_reading_and_nobody_takes_it_along(self) -> None:
        catalogue, source = heard(), Source()
        source.goes_on.clear()
        crowd = [asyncio.create_task(catalogue.reply(source.read)) for _ in range(50)]
        await asyncio.sleep(0)
        crowd[0].cancel()
        await asyncio.sleep(0)
        source.goes_on.set()
        assert {(await each).body for each in crowd[1:]} == {b'"first"'}
        assert source.reads == 1

    async def test_a_failure_is_everybodys_and_is_not_kept(self) -> None:
        catalogue, failing = heard(), [True]

        async def read() -> str:
            await asyncio.sleep(0)
            if failing:
                raise LookupError
            return "there"

        answers = await asyncio.gather(*(catalogue.reply(read) for _ in range(3)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [LookupError] * 3
        failing.clear()
        assert (await catalogue.reply(read)).body == b'"there"'

    async def test_an_answer_may_have_a_time_of_its_own(self) -> None:
        catalogue, source = heard(), Source()
        source.value = Fleeting("brief", 0.0)
        await catalogue.reply(source.read)
        await catalogue.reply(source.read)
        assert source.reads == 2

    def test_what_is_kept_is_bounded_and_the_longest_unused_goes_first(self) -> None:
        kept: Kept[str] = Kept(max_bytes=4000)
        for key in ("a", "b", "c"):
            kept.put(key, key, size=600, seconds=60)
        assert kept.get("a") == "a"
        kept.put("d", "d", size=600, seconds=60)
        assert [kept.get(key) for key in "abcd"] == ["a", None, "c", "d"]
        kept.put("d", "D", size=1000, seconds=60)
        assert (kept.get("d"), kept.bytes <= 4000) == ("D", True)
        kept.put("e", "e", size=5000, seconds=60)
        assert kept.bytes == 0, "what is too large drives out everything, itself included"


class TestHearing:
    async def test_a_seed_is_seen_at_once(
        self, app: web.Application, client: aiohttp.ClientSession, settings: Settings, tmp_path: Path
    ) -> None:
        caller, catalogue = Caller(client), await listening(app)
        assert await caller.get("/actors/search/Seeded") == []
        file = tmp_path / "catalogue.json"
        file.write_text(json.dumps({"actors": [{"name": "Seeded Actor"}]}))
        variables = os.environ | environment(settings) | {"YOUSYNC_DATA": ""}
        seed = [sys.executable, "-m", "yousync.cli", "seed", "--file", str(file)]
        process = await asyncio.create_subprocess_exec(*seed, env=variables, stdout=asyncio.subprocess.DEVNULL)
        assert await process.wait() == 0

        async def seen() -> bool:
            return bool(await caller.get("/actors/search/Seeded"))

        await until(seen, seconds=1)
        assert catalogue.listening

    async def test_a_sentence_that_moved_to_another_clip_is_known_there(self, app: web.Application) -> None:
        catalogue, script, other = await listening(app), await make_script(), await make_token()
        assert await catalogue.token_of(script.id) == script.token_id
        await Script.filter(id=script.id).update(token_id=other.id)

        async def moved() -> bool:
            return await catalogue.token_of(script.id) == other.id

        await until(moved, seconds=1)
        await script.delete()
        await until(lambda: _is_none(catalogue.token_of(script.id)), seconds=1)

    async def test_what_one_process_writes_another_reads(
        self, app: web.Application, client: aiohttp.ClientSession, settings: Settings, tmp_path: Path
    ) -> None:
        admin = Caller(client, await bearer_of(settings, await ensure_user("boss@example.com", admin=True)))
        draft = {"token_name": "", "actor_name": "Ed", "start_time": 1, "end_time": 2, "youtube_url": youtube_url()}
        made = await admin.ask("POST", "/tokens", json=draft | {"token_name": "Zero"})
        port = free_port()
        async with (
            running(WebProcess(settings, logs=tmp_path, port=port)),
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        ):
            elsewhere, path = Caller(session), f"/tokens/{made['id']}"
            for name in ("One", "Two", "Three"):
                await elsewhere.get(path)
                await admin.ask("PUT", path, json=draft | {"token_name": name})
                assert (await admin.get(path))["token_name"] == name, "who wrote it reads it"

                async def seen(name: str = name) -> bool:
                    return bool((await elsewhere.get(path))["token_name"] == name)

                await until(seen, seconds=1)

    async def test_a_cut_is_noticed_and_nothing_is_remembered_until_it_is_mended(self, app: web.Application) -> None:
        catalogue, source = await listening(app), Source()
        await catalogue.reply(source.read)
        await connection().execute_query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'yousync-catalogue' AND datname = current_database()"
        )
        await until(lambda: not catalogue.listening)
        for reads in (2, 3):
            await catalogue.reply(source.read)
            assert source.reads == reads
        await listening(app)
        await catalogue.reply(source.read)
        await catalogue.reply(source.read)
        assert source.reads == 4

    async def test_reads_go_on_without_valkey(
        self, client: aiohttp.ClientSession, app: web.Application, script: Script
    ) -> None:
        caller, path = Caller(client), f"/tokens/{script.token_id}"
        app[CATALOGUE].forget()
        await app[DEPS].valkey.client_pause(1000)
        begun = time.monotonic()
        for each in (path, path, "/tokens", "/actors"):
            await caller.get(each)
        assert time.monotonic() - begun < 0.9


async def _is_none(found: Awaitable[Any]) -> bool:
    return await found is None
