"""Actors are found by an index, among a hundred thousand aliases too, and what people type is never a pattern."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import given, settings as hypothesis_settings, strategies as st
from tortoise.transactions import in_transaction

from models.actor_search import NAMED_LIKE, SIMILAR, actors_meant, search_actors
from models.db import connected, connection
from yousync.settings import Settings


@pytest_asyncio.fixture(scope="module", autouse=True)
async def crowd(settings: Settings) -> AsyncIterator[None]:
    """Five actors, the last with a hundred thousand aliases, of letters that the others' names are not made of."""
    async with connected(settings):
        await connection().execute_script(
            "INSERT INTO actors (name) VALUES ('Tom Hanks'), ('미나 하퍼'), ('100% Wolf_Man'), ('Tom Hanksson'),"
            " ('Vq');"
            " INSERT INTO actor_aliases (actor_id, name) SELECT 1, '톰 행크스' UNION ALL SELECT 2, 'Mina Harper'"
            " UNION ALL SELECT 5, translate(n::text, '0123456789', 'gvqxzjbdfy') FROM generate_series(1, 100000) n;"
            " ANALYZE actors, actor_aliases"
        )
        yield


async def plan(statement: str, query: str) -> str:
    """What Postgres means to do."""
    lines = await connection().execute_query_dict(f"EXPLAIN {statement}", [query, [], 10])
    return "\n".join(line["QUERY PLAN"] for line in lines)


async def names(query: str, limit: int = 10) -> list[str]:
    return [actor["name"] for actor in await search_actors(query, limit)]


@pytest.mark.parametrize(
    ("statement", "query"),
    [(NAMED_LIKE, "Tom H"), (NAMED_LIKE, "미나"), (NAMED_LIKE, "크스"), (NAMED_LIKE, "m"), (SIMILAR, "Tom Henks")],
)
async def test_names_are_looked_up_in_the_index(statement: str, query: str) -> None:
    found = await plan(statement, query)
    assert "Bitmap Index Scan on idx_actor_aliases_search_trgm" in found, found
    assert "Seq Scan on actor_aliases" not in found, found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tomhanks", ["Tom Hanks", "Tom Hanksson"]),
        ("Tom Hanksson", ["Tom Hanksson", "Tom Hanks"]),  # the second is similar only
        ("ANKS", ["Tom Hanks", "Tom Hanksson"]),
        ("톰행크스", ["Tom Hanks"]),
        ("행 크스", ["Tom Hanks"]),
        ("mina", ["미나 하퍼"]),
        ("나하", ["미나 하퍼"]),
        ("Tom Henks", ["Tom Hanks", "Tom Hanksson"]),
        ("%", ["100% Wolf_Man"]),
        ("_", ["100% Wolf_Man"]),
        ("\\", []),
        ("H_nks", []),
    ],
)
async def test_what_is_found(query: str, expected: list[str]) -> None:
    assert await names(query) == expected


@pytest.mark.parametrize("query", ["%" * 255, "\u200b" * 255], ids=["%", "zero width"])
async def test_what_is_asked_for_is_worked_out_once_and_not_for_each_name(query: str) -> None:
    async with in_transaction() as turn:
        # The plan that Postgres comes to after five queries, and a tenth of the time it has.
        await turn.execute_script("SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL statement_timeout = '2s'")
        assert await search_actors(query, 10) == []
        assert await actors_meant(query, 10) == []


async def test_full_width_and_decomposed_letters_are_the_same(settings: Settings) -> None:
    assert await names("ＴＯＭ　ＨＡＮＫＳ", 1) == ["Tom Hanks"]
    assert await names("미나") == ["미나 하퍼"]


async def test_similar_names_are_meant_only_where_none_contains_what_was_typed(settings: Settings) -> None:
    assert [actor["name"] for actor in await actors_meant("Tom Hanksson", 10)] == ["Tom Hanksson"]
    assert [actor["name"] for actor in await actors_meant("Tom Hankssen", 10)] == ["Tom Hanks", "Tom Hanksson"]


@given(st.text("ab", max_size=6), st.text("ab", max_size=4))
@hypothesis_settings(max_examples=200)
def test_stretched_texts_contain_each_other_exactly_when_the_texts_do(text: str, part: str) -> None:
    assert (stretched(part) in stretched(text)) == (part in text)


def stretched(text: str) -> str:
    return "".join(letter * 3 for letter in text)
