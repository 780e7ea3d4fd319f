"""Lists of a large catalogue: what they cost does not grow with it, and their pages neither repeat nor skip."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from models.db import connected, connection
from models.token_lists import POPULAR_ONES, SHORT_ONES, latest_tokens, popular_tokens, short_tokens
from yousync.settings import Settings

CLIPS = 20_000


@pytest_asyncio.fixture(scope="module", autouse=True)
async def shelves(settings: Settings) -> AsyncIterator[None]:
    """Twenty thousand clips of 10 to 29 seconds; of many the view counts are the same."""
    async with connected(settings):
        await connection().execute_script(
            "INSERT INTO actors (name) VALUES ('Everybody'); INSERT INTO urls SELECT 'url', id FROM actors;"
            " INSERT INTO tokens (token_name, actor_name, start_time, end_time, view_count, youtube_url)"
            f" SELECT n::text, 'Everybody', 5, 15 + n % 20, n % 3, 'url' FROM generate_series(1, {CLIPS}) n;"
            " ANALYZE tokens"
        )
        yield


async def plan(statement: str, values: list[int]) -> str:
    """What Postgres did: where it looked, and at how many rows."""
    lines = await connection().execute_query_dict(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}", values)
    return "\n".join(line["QUERY PLAN"] for line in lines)


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [(SHORT_ONES, [50, 100, 0], "idx_tokens_short"), (POPULAR_ONES, [50, 100], "idx_tokens_view_co")],
)
async def test_a_page_is_read_from_its_index(statement: str, values: list[int], index: str) -> None:
    found = await plan(statement, values)
    assert index in found, found
    assert "Seq Scan" not in found, found


async def test_pages_of_a_day_neither_repeat_nor_skip() -> None:
    whole = [row["id"] for row in await short_tokens(0, CLIPS, 7)]
    assert len(set(whole)) == len(whole) == CLIPS // 2
    pages = [await short_tokens(skip, 40, 7) for skip in range(9900, 10_020, 40)]
    assert [row["id"] for page in pages for row in page] == whole[9900:]
    first = whole[:100]
    assert sorted(first) != first, "it looks like chance"
    other = [row["id"] for row in await short_tokens(0, 100, 8)]
    assert len(set(first) & set(other)) < 20, "and tomorrow like another one"


async def test_equals_stay_in_their_order() -> None:
    pages = [await popular_tokens(skip, 37) for skip in range(0, 370, 37)]
    found = [(row["view_count"], row["id"]) for page in pages for row in page]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 370
    assert [row["id"] for row in await latest_tokens(0, 3)] == [CLIPS + 35, CLIPS + 34, CLIPS + 33]
