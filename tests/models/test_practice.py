"""My page's numbers take as many statements for a learner of years as for a new one, each by an index of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from models import bookmark, practice, video_request
from models.bookmark import Bookmark, add_bookmark, bookmarks_of, remove_bookmark
from models.db import connected, credentials
from models.practice import (
    average_score,
    dubbed_tokens,
    practice_of,
    recordings_of,
    token_status,
    top_recorders,
)
from models.script import Script
from models.token import Token
from models.user import User
from models.video_request import Wish, all_requests, ask_for, requests_of
from tests.counting import statements
from tests.factories import make_attempt, make_script, make_token, make_user
from yousync.settings import Settings

WISH = Wish(actor="송강호", content="이 장면", url="https://www.youtube.com/watch?v=abcdefghijk")


@pytest_asyncio.fixture(scope="module", autouse=True)
async def database(settings: Settings) -> AsyncIterator[None]:
    async with connected(settings):
        yield


async def practised(clips: int) -> tuple[User, Token]:
    """A learner who bookmarked and twice recorded this many clips, and one of those clips, of as many sentences."""
    user = await make_user()
    tokens = [await make_token() for _ in range(clips)]
    await Bookmark.bulk_create([Bookmark(user_id=user.id, token_id=token.id) for token in tokens])
    scripts: list[Script] = [await make_script("not alone", tokens[0]) for _ in range(clips)]
    for token, script in zip(tokens, scripts, strict=True):
        for _ in range(2):
            await make_attempt(user, script)
            await make_attempt(user, token=token)
    await ask_for(user, WISH)
    return user, tokens[0]


READS: dict[str, tuple[int, Callable[[int, int], Awaitable[Any]]]] = {
    "bookmarks": (1, lambda user, _: bookmarks_of(user, limit=1000)),
    "dubbed tokens": (1, lambda user, _: dubbed_tokens(user, limit=1000)),
    "numbers": (1, lambda user, _: practice_of(user)),
    "average of one clip": (1, average_score),
    "average of all": (1, lambda user, _: average_score(user)),
    "sentence by sentence": (2, token_status),
    "recordings": (1, recordings_of),
    "leaderboard": (1, lambda *_: top_recorders(3)),
    "video requests": (1, lambda user, _: requests_of(user, limit=1000, offset=0)),
    "everybody's video requests": (1, lambda *_: all_requests(limit=1000, offset=0)),
    "a bookmark more": (1, add_bookmark),
    "a bookmark less": (1, remove_bookmark),
}


async def test_the_number_of_statements_does_not_grow(settings: Settings) -> None:
    few, many = await practised(1), await practised(12)
    for name, (expected, read) in READS.items():
        for user, token in (few, many):
            assert await statements(read(user.id, token.id)) == expected, name


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (bookmark._LIST, (1, 20, 0), "Index Scan Backward using idx_bookmarks_user_id_577fae"),
        (practice._DUBBED, (1, 1000, 0), "Index Only Scan using idx_analysis_completed"),
        (practice._PRACTICE, (1,), "Index Only Scan using idx_analysis_completed"),
        (practice._AVERAGE, (1, 36), "Index Only Scan using idx_analysis_completed"),
        (practice._SENTENCES, (1, 36), "Index Scan using idx_analysis_re_user_id_149f80"),
        (practice._RECORDINGS, (1, 36), "Index Scan using idx_analysis_re_user_id_149f80"),
        (practice._TOP, (3,), "Index Only Scan using idx_analysis_completed"),
        (video_request._LIST, (100, 0), "Index Scan Backward using idx_video_reque_created_64e60f"),
        (video_request._LIST_OF, (1, 100, 0), "Index Scan Backward using idx_video_reque_user_id_1d8ec2"),
    ],
)
async def test_each_has_an_index(settings: Settings, statement: str, values: tuple[int, ...], index: str) -> None:
    """The planner is told that tables are large by making it dear to read them whole."""
    connection = await asyncpg.connect(**credentials(settings.database_url.get_secret_value()))
    try:
        await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        plan = "\n".join(line for (line,) in await connection.fetch(f"EXPLAIN {statement}", *values))
    finally:
        await connection.close()
    assert index in plan
