"""The earlier server's database is brought over whole, again without change, and its oddities are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from jobs.results import conclusion_of
from models.db import connected
from models.importing.earlier import TABLES, NotTheEarlierServer
from models.importing.fitting import NEVER_ENDED
from models.importing.moving import Imported, ImportRefused, Moved, import_earlier
from models.importing.recordings import Found, recordings_among
from models.practice import recordings_of
from models.take import recorded_takes
from tests.conftest import NewDatabase, settings_for
from tests.yousync.cli.test_commands import yousync
from yousync.cli.failure import Exit
from yousync.failures import LEARNER_MESSAGES
from yousync.local.postgres import Postgres
from yousync.local.stack import Stack
from yousync.storage import open_storage

SCHEMA = (Path(__file__).parent / "earlier_schema.sql").read_text(encoding="utf-8")
AT = datetime(2025, 6, 1, 12, tzinfo=UTC)
FIRST, SECOND = "0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef"


@asynccontextmanager
async def database(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@pytest_asyncio.fixture(scope="module")
async def earlier(stack: Stack) -> str:
    postgres = stack.parts["postgres"]
    assert isinstance(postgres, Postgres)
    async with database(postgres.dsn("postgres")) as connection:
        await connection.execute("CREATE DATABASE earlier_server TEMPLATE template0")
    async with database(postgres.dsn("earlier_server")) as connection:
        await connection.execute(SCHEMA)
    return postgres.dsn("earlier_server")


async def brought(earlier: str, ours: str, **how: Any) -> Imported:
    return await import_earlier(earlier, ours, timezone=how.pop("timezone", "UTC"), conclude=conclusion_of, **how)


async def everything(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    async with database(dsn) as connection:
        return {
            table.name: [tuple(row) for row in await connection.fetch(f"SELECT * FROM {table.name} ORDER BY 1")]
            for table in TABLES
        }


async def test_all_of_it_comes_over_and_the_same_again_changes_nothing(earlier: str, new_database: NewDatabase) -> None:
    ours = await new_database()

    first = await brought(earlier, ours)

    added = {moved.table: (moved.found, moved.added, moved.changed) for moved in first.tables}
    assert added == {
        "actors": (2, 2, 0),
        "actor_aliases": (3, 3, 0),
        "urls": (4, 2, 0),
        "tokens": (5, 3, 0),
        "token_actors": (4, 3, 0),
        "scripts": (5, 4, 0),
        "words": (3, 2, 0),
        "users": (2, 2, 0),
        "analysis_results": (8, 7, 0),
        "bookmarks": (3, 2, 0),
        "dubbing_results": (1, 1, 0),
        "video_requests": (4, 3, 0),
        "recordings": (0, 0, 0),
    }
    before = await everything(ours)
    again = await brought(earlier, ours)
    assert {(moved.added, moved.changed) for moved in again.tables} == {(0, 0)}
    assert again.misfits == first.misfits
    assert await everything(ours) == before


async def test_ids_stay_and_the_next_ones_come_after_them(earlier: str, new_database: NewDatabase) -> None:
    ours = await new_database()
    await brought(earlier, ours)

    async with database(ours) as connection:
        tokens = await connection.fetch("SELECT id, youtube_url, view_count FROM tokens ORDER BY id")
        assert [tuple(row) for row in tokens] == [
            (35, "https://www.youtube.com/watch?v=AAAAAAAAAAA", 7),
            (40, "https://www.youtube.com/watch?v=AAAAAAAAAAA", 0),
            (41, "https://www.youtube.com/watch?v=BBBBBBBBBBB", 2),
        ]
        assert await connection.fetchval("SELECT actor_id FROM urls WHERE youtube_url LIKE '%AAA'") == 3
        assert await connection.fetchval("SELECT mfcc FROM words WHERE id = 700") == "[[1, 2.5]]"
        assert await connection.fetchval("INSERT INTO actors (name) VALUES ('x') RETURNING id") == 10
        user = "INSERT INTO users (email, is_active, login_type, is_admin, created_at)"
        assert (
            await connection.fetchval(f"{user} VALUES ('n@example.com', true, 'email', false, now()) RETURNING id") == 7
        )
        script = "INSERT INTO scripts (token_id, start_time, end_time, script) VALUES (35, 1, 2, 'x') RETURNING id"
        assert await connection.fetchval(script) == 81  # those that were left out give up their ids
        assert await connection.fetchval("SELECT nextval('tokens_id_seq')") == 42


async def test_results_have_one_shape_a_sentence_and_an_end(earlier: str, new_database: NewDatabase) -> None:
    ours = await new_database()
    await brought(earlier, ours, timezone="Asia/Seoul")

    async with database(ours) as connection:
        rows = {row["job_id"]: row for row in await connection.fetch("SELECT * FROM analysis_results")}
    assert (rows[FIRST]["script_id"], rows[FIRST]["overall_score"], rows[FIRST]["kind"]) == (70, 0.7, "script")
    assert rows[FIRST]["created_at"] == datetime(2025, 6, 1, 3, 0, tzinfo=UTC)
    assert (rows[SECOND]["script_id"], rows[SECOND]["overall_score"]) == (None, 0.855)
    for job_id in (FIRST, SECOND, "2" + SECOND[1:]):
        assert rows[job_id]["status"] == "completed"
        assert orjson.loads(rows[job_id]["result"])["result"]["word_analysis"]
    ended = {
        job_id[-1]: (row["status"], row["state"], row["message"], row["kind"])
        for job_id, row in rows.items()
        if "-" in job_id
    }
    assert ended.keys() == {"7", "8", "9", "a"}
    assert ended["7"] == ended["8"] == ("failed", "failed", LEARNER_MESSAGES[NEVER_ENDED], "token")
    assert ended["9"] == ("failed", "failed", "S3 업로드 실패", "token")
    assert ended["a"][:2] == ("failed", "failed")
    assert rows["8a0c3c0e-1111-4222-8333-94445556667a"]["code"] == "no_speech"


async def test_a_dry_run_changes_nothing_and_lists_what_does_not_fit(earlier: str, new_database: NewDatabase) -> None:
    ours = await new_database()
    before = await everything(ours)

    dry = await brought(earlier, ours, dry_run=True)

    assert await everything(ours) == before
    told = {misfit.what.split(":")[0]: (misfit.count, misfit.examples) for misfit in dry.misfits}
    assert told["videos whose address names none on YouTube"] == (1, ("https://vimeo.com/1",))
    assert told["videos under several addresses"][0] == 1
    assert told["videos spelt otherwise"][0] == 2
    assert told["clips of no video, or of one that is not listed"] == (
        2,
        ("token 42: https://vimeo.com/1", "token 43: (null)"),
    )
    assert told["further requests of a learner who has one under review"] == (1, ("request 1: https://youtu.be/x",))
    assert told["analyses that were never ended"][0] == 2
    assert told["analyses stored as completed that hold no result"][0] == 1
    assert told["results that several sentences fit"] == (1, (f"job {SECOND}",))
    assert told["results that no sentence fits"][0] == 2
    assert dry.tables == (await brought(earlier, ours)).tables


async def test_what_came_later_is_added_and_what_was_decided_here_stays(
    stack: Stack, earlier: str, new_database: NewDatabase
) -> None:
    ours = await new_database()
    await brought(earlier, ours)
    async with database(ours) as here, database(earlier) as there:
        await here.execute("UPDATE analysis_results SET deleted_at = now() WHERE job_id = $1", FIRST)
        await here.execute("UPDATE tokens SET view_count = 100 WHERE id = 35")
        later = there.transaction()
        await later.start()
        await there.execute("INSERT INTO bookmarks (user_id, token_id) VALUES (6, 35)")
        await later.commit()
        try:
            again = await brought(earlier, ours)
        finally:
            await there.execute("DELETE FROM bookmarks WHERE user_id = 6 AND token_id = 35")
        assert sum(moved.added for moved in again.tables) == 1
        assert sum(moved.changed for moved in again.tables) == 0
        assert await here.fetchval("SELECT view_count FROM tokens WHERE id = 35") == 100
        assert await here.fetchval("SELECT deleted_at FROM analysis_results WHERE job_id = $1", FIRST) is not None


def lying(*names: str) -> list[Found]:
    """What the earlier server left in its folder, the first one last written."""
    return recordings_among((f"user_audio/{name}", AT - timedelta(days=day)) for day, name in enumerate(names))


async def test_recordings_go_with_the_latest_result_of_their_sentence(
    stack: Stack, earlier: str, new_database: NewDatabase
) -> None:
    ours = await new_database()
    recordings = lying(
        *("5/35/70.wav", "5/35/70.mp3", "5/35/71.m4a"),
        *("5/41/70.wav", "99/35/70.wav"),  # a sentence of another clip, somebody who did not come over
        *(f"5/35/70/{FIRST}.wav", "5/35/.wav", "5/35/x.wav"),  # our own, and what is nobody's
    )

    first = await brought(earlier, ours, recordings=recordings)

    assert first.tables[-1] == Moved("recordings", 4, 1, 1)
    assert first.misfits[-1].examples == ("user_audio/5/41/70.wav", "user_audio/99/35/70.wav")
    async with connected(settings_for(stack, database_url=ours)):
        kept = [(70, "user_audio/5/35/70.wav"), (71, "user_audio/5/35/71.m4a")]
        assert await recordings_of(5, 35) == kept
        assert [(take.script_id, take.s3_key) for take in await recorded_takes(5, 35)] == kept
    again = await brought(earlier, ours, recordings=recordings)
    assert again.tables[-1] == Moved("recordings", 4, 0, 0)

    async with database(ours) as here, database(earlier) as there:
        [alone] = await here.fetch("SELECT * FROM analysis_results WHERE script_id = 71")
        assert (alone["status"], alone["code"], alone["created_at"]) == ("failed", NEVER_ENDED, AT - timedelta(days=2))
        newer = "3" + FIRST[1:]
        await there.execute(
            "INSERT INTO analysis_results (job_id, token_id, user_id, status, progress, result)"
            " SELECT $1, token_id, user_id, status, progress, result FROM analysis_results WHERE job_id = $2",
            *(newer, FIRST),
        )
        try:
            await brought(earlier, ours, recordings=recordings)
        finally:
            await there.execute("DELETE FROM analysis_results WHERE job_id = $1", newer)
        keys = await here.fetch("SELECT s3_key FROM analysis_results WHERE script_id = 70 ORDER BY created_at")
        assert [row["s3_key"] for row in keys] == ["", "user_audio/5/35/70.wav"], "the object was written over"


async def test_ids_that_others_have_here_are_refused_and_nothing_is_changed(
    earlier: str, new_database: NewDatabase
) -> None:
    ours = await new_database()
    async with database(ours) as connection:
        await connection.execute("INSERT INTO actors (id, name) VALUES (3, 'Somebody Else')")
    before = await everything(ours)

    with pytest.raises(ImportRefused) as caught:
        await brought(earlier, ours)

    assert [misfit.examples for misfit in caught.value.misfits] == [("actor 3: Tom Hanks",)]
    assert await everything(ours) == before


async def test_a_database_that_is_not_the_earlier_servers_is_said(new_database: NewDatabase, earlier: str) -> None:
    empty = await new_database()
    async with database(empty) as connection:
        await connection.execute("DROP TABLE video_requests")

    with pytest.raises(NotTheEarlierServer, match="video_requests"):
        await brought(empty, await new_database())


async def test_the_command_tells_what_it_did_and_no_password(
    stack: Stack, earlier: str, new_database: NewDatabase, tmp_path: Path
) -> None:
    env = stack.env() | {"DATABASE_URL": await new_database()}
    async with open_storage(settings_for(stack)) as storage:
        await storage.put("user_audio/5/35/70.wav", b"RIFF", container="wav")

    done = await yousync(tmp_path, "import", "--from", earlier, "--dry-run", "--json", env=env)
    wrong = await yousync(tmp_path, "import", "--from", "mysql://u:secret@h/d", env=env)
    nowhere = await yousync(tmp_path, "import", "--from", earlier, "--timezone", "Nowhere/At-All", env=env)

    assert done.status == 0, done.err
    told = orjson.loads(done.out)
    assert told["dry_run"] is True
    assert {"table": "users", "found": 2, "added": 2, "changed": 0} in told["tables"]
    assert told["tables"][-1]["table"] == "recordings"
    assert told["tables"][-1]["changed"] == 1, "the one in S3 was found, and its result"
    assert (wrong.status, nowhere.status) == (Exit.USAGE, Exit.USAGE)
    assert "secret" not in wrong.err + wrong.out
    assert "Traceback" not in wrong.err + nowhere.err
