"""Every change of the catalogue is told to whoever listens, and views, which are most of them, are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from models.catalogue_changes import CHANNEL, heard
from models.db import connected, connection, credentials
from models.token_lists import add_views
from tests.factories import make_script
from tests.waiting import until
from yousync.settings import Settings


class Listener:
    """Hears what is notified, in the order in which it was committed."""

    def __init__(self, made: asyncpg.Connection) -> None:
        self.connection = made
        self.heard: list[str] = []
        self._rounds = 0

    def hears(self, *args: object) -> None:
        self.heard.append(str(args[3]))

    async def since_last(self) -> int:
        """How many changes it heard of since it was asked last: up to this moment, by a word of our own."""
        self._rounds += 1
        word = f"so far {self._rounds}"
        await connection().execute_query("SELECT pg_notify($1, $2)", [CHANNEL, word])
        await until(lambda: word in self.heard)
        changes = self.heard.index(word)
        del self.heard[: changes + 1]
        return changes


@pytest_asyncio.fixture(scope="module")
async def listener(settings: Settings) -> AsyncIterator[Listener]:
    async with connected(settings):
        made = Listener(await asyncpg.connect(**credentials(settings.database_url.get_secret_value())))
        await made.connection.add_listener(CHANNEL, made.hears)
        yield made
        await made.connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tokens SET token_name = 'New' WHERE id = {token}",
        "UPDATE tokens SET view_count = 0, s3_pitch_url = 'pitch.json' WHERE id = {token}",
        "UPDATE scripts SET translation = 'New' WHERE token_id = {token}",
        "UPDATE words SET word = 'new'",
        "INSERT INTO words (script_id, word) SELECT id, 'more' FROM scripts WHERE token_id = {token}",
        "UPDATE actors SET name = name || '!'",
        "INSERT INTO actor_aliases (actor_id, name) SELECT id, 'New' FROM actors",
        "INSERT INTO token_actors (token_id, actor_id) SELECT {token}, min(id) FROM actors",
        "DELETE FROM token_actors",
        "DELETE FROM actor_aliases",
        "DELETE FROM scripts WHERE token_id = {token}",
        "DELETE FROM urls WHERE youtube_url IN (SELECT youtube_url FROM tokens WHERE id = {token})",
        "TRUNCATE words",
    ],
)
async def test_a_change_of_any_table_is_told(listener: Listener, change: str) -> None:
    script = await make_script("one two")
    await listener.since_last()
    await connection().execute_script(change.format(token=script.token_id))
    assert await listener.since_last() >= 1


async def test_views_are_not_told(listener: Listener) -> None:
    script = await make_script()
    await listener.since_last()
    assert await add_views({script.token_id: 3, 999_999: 1}) == {script.token_id: 3}
    assert await listener.since_last() == 0


async def test_two_who_count_the_same_clips_the_other_way_round_do_not_wait_for_each_other(listener: Listener) -> None:
    ids = [(await make_script()).token_id for _ in range(20)]
    there, back = dict.fromkeys(ids, 1), dict.fromkeys(reversed(ids), 1)
    await asyncio.gather(*(add_views(views) for _ in range(10) for views in (there, back)))
    assert set((await add_views(there)).values()) == {21}


async def test_who_listens_is_called_and_learns_of_a_cut(listener: Listener, settings: Settings) -> None:
    changes = 0

    def changed() -> None:
        nonlocal changes
        changes += 1

    async with heard(settings, changed) as lasting:
        await make_script()
        await until(lambda: changes)
        ended = asyncio.ensure_future(lasting())
        await connection().execute_query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'yousync-catalogue' AND datname = current_database()"
        )
        await asyncio.wait_for(asyncio.gather(ended, return_exceptions=True), 2)
