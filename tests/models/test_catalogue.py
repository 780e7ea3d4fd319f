"""Loading a catalogue: refused whole with lines, or in whole and only once."""

from __future__ import annotations

import copy
import json
from typing import Any

import asyncpg
import pytest
from hypothesis import given, strategies as st

from models.catalogue import Loaded, load_catalogue, script_id_of
from models.catalogue_file import Catalogue, CatalogueError, line_of, parse_catalogue
from models.db import connected
from tests.conftest import NewDatabase, settings_for
from yousync import demo
from yousync.local.stack import Stack

DEMO = json.loads(demo.CATALOGUE.read_text())
NOTHING = Loaded(0, 0, 0, 0, 0, 0)


def parsed(value: Any) -> Catalogue:
    return parse_catalogue(json.dumps(value).encode())


def changed(**token: Any) -> Any:
    value = copy.deepcopy(DEMO)
    value["tokens"][0] |= token
    return value


async def test_the_same_file_twice_changes_nothing(stack: Stack, new_database: NewDatabase) -> None:
    dsn = await new_database()
    async with connected(settings_for(stack, database_url=dsn)):
        first = await load_catalogue(parsed(DEMO))
        assert (first.actors, first.tokens, first.scripts) == (3, 3, 9)
        before = await everything(dsn)
        assert await load_catalogue(parsed(DEMO)) == NOTHING
    assert await everything(dsn) == before


async def test_words_stand_in_the_files_order_and_belong_to_their_script(
    stack: Stack, new_database: NewDatabase
) -> None:
    dsn = await new_database()
    async with connected(settings_for(stack, database_url=dsn)):
        await load_catalogue(parsed(DEMO))
        for token in DEMO["tokens"]:
            for place, script in enumerate(token["scripts"]):
                script_id = await script_id_of(token["token_name"], place)
                rows = await query(dsn, f"SELECT word, mfcc FROM words WHERE script_id = {script_id} ORDER BY id")
                assert [row["word"] for row in rows] == [word["word"] for word in script["words"]]
                assert all(row["mfcc"] is None for row in rows)
        assert await script_id_of("no such token", 0) is None


async def test_changes_are_taken_over_and_ids_stay(stack: Stack, new_database: NewDatabase) -> None:
    dsn = await new_database()
    async with connected(settings_for(stack, database_url=dsn)):
        await load_catalogue(parsed(DEMO))
        ids = await query(dsn, "SELECT id FROM tokens ORDER BY id")
        value = changed(category=None)
        value["tokens"][0]["scripts"][0]["translation"] = "다른 번역"
        value["tokens"][0]["scripts"][1]["words"].pop()
        value["actors"][0]["aliases"].append("새 별명")
        assert await load_catalogue(parsed(value)) == Loaded(0, 1, 0, 1, 1, 1)
        assert await load_catalogue(parsed(value)) == NOTHING
        assert await query(dsn, "SELECT id FROM tokens ORDER BY id") == ids


async def test_features_computed_since_then_stay_where_the_file_has_none(
    stack: Stack, new_database: NewDatabase
) -> None:
    dsn = await new_database()
    async with connected(settings_for(stack, database_url=dsn)):
        await load_catalogue(parsed(DEMO))
        await query(dsn, "UPDATE words SET mfcc = '[[0,1,2,3,4,5,6,7,8,9,10,11,12]]'")
        assert await load_catalogue(parsed(DEMO)) == NOTHING
        value = copy.deepcopy(DEMO)
        value["tokens"][0]["scripts"][0]["words"][0]["mfcc"] = [[0.5] * 13]
        assert (await load_catalogue(parsed(value))).sentences_with_new_words == 1


async def test_no_token_gets_the_id_that_the_client_reserves(stack: Stack, new_database: NewDatabase) -> None:
    dsn = await new_database()
    async with connected(settings_for(stack, database_url=dsn)):
        await load_catalogue(parsed(DEMO))
    assert min(row["id"] for row in await query(dsn, "SELECT id FROM tokens")) > 35


async def test_what_the_api_answers_can_be_loaded(stack: Stack, new_database: NewDatabase) -> None:
    value = changed(id=99, view_count=7, bgvoice_url=None, pitch=None)
    value["tokens"][0]["scripts"][0] |= {"id": 1, "token_id": 99}
    value["tokens"][0]["scripts"][0]["words"][0] |= {"id": 1, "script_id": 1}
    dsn = await new_database()
    async with connected(settings_for(stack, database_url=dsn)):
        await load_catalogue(parsed(value))
    assert not await query(dsn, "SELECT FROM tokens WHERE id = 99 OR view_count <> 0")


async def test_a_video_of_two_actors_is_whose_the_file_says(stack: Stack, new_database: NewDatabase) -> None:
    value = copy.deepcopy(DEMO)
    shared = value["tokens"][0]["youtube_url"]
    value["tokens"][1]["youtube_url"] = shared
    dsn = await new_database()
    owner = f"SELECT a.name FROM urls u JOIN actors a ON a.id = u.actor_id WHERE u.youtube_url = '{shared}'"
    async with connected(settings_for(stack, database_url=dsn)):
        await load_catalogue(parsed(value))
        assert (await query(dsn, owner))[0]["name"] == value["tokens"][0]["actor_name"]
        value["urls"] = [{"youtube_url": shared, "actor_name": value["tokens"][1]["actor_name"]}]
        await load_catalogue(parsed(value))
        assert (await query(dsn, owner))[0]["name"] == value["tokens"][1]["actor_name"]


REFUSED = {
    "a misspelt field": (changed(tokn_name="x"), "tokens[0].tokn_name: Extra inputs"),
    "a link that is not canonical": (changed(youtube_url="https://youtu.be/YouSyncDm01"), "tokens[0].youtube_url"),
    "more text after the id": (changed(youtube_url=DEMO["tokens"][0]["youtube_url"] + "&t=3"), "tokens[0].youtube_url"),
    "an end before its start": (changed(end_time=1.0), "tokens[0]: end_time is not after start_time"),
    "a number as text": (changed(start_time="12"), "tokens[0].start_time"),
    "not a number": (changed(start_time=float("nan")), "tokens[0].start_time"),
    "a character Postgres cannot store": (changed(token_name="a\x00b"), "tokens[0].token_name"),
    "half a character": (changed(token_name="\ud800"), "tokens[0].token_name"),
    "an unknown actor": (changed(actor_name="Nobody"), "'Nobody' is used but not listed"),
    "an actor twice": (DEMO | {"actors": [*DEMO["actors"], DEMO["actors"][0]]}, "is listed twice"),
    "a token twice": (DEMO | {"tokens": [*DEMO["tokens"], DEMO["tokens"][0]]}, "is listed twice"),
    "two lines at once": (changed(scripts=[DEMO["tokens"][0]["scripts"][0]] * 2), "two scripts start at 12.5"),
    "a list": ([], "the file: "),
    "nothing": (None, "the file: "),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name: str) -> None:
    value, reason = REFUSED[name]
    with pytest.raises(CatalogueError) as caught:
        parsed(value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{\n "actors": [\n}', "line 3, column 1: not JSON"),
        (b'{"actors":\n "\xff"}', "line 2: not UTF-8 text"),
        (b"[" * 100_000, "nested too deeply"),
        (b"", "line 1, column 1: not JSON"),
    ],
)
def test_a_file_that_is_no_json_is_refused_with_its_line(content: bytes, reason: str) -> None:
    with pytest.raises(CatalogueError, match=reason):
        parse_catalogue(content)


def test_every_fault_is_named_with_its_line() -> None:
    text = json.dumps(changed(category=5, start_time=-1), indent=1, ensure_ascii=False)
    with pytest.raises(CatalogueError) as caught:
        parse_catalogue(text.encode())
    lines = text.splitlines()
    faults = str(caught.value).splitlines()
    assert len(faults) == 2
    for fault in faults:
        number = int(fault.removeprefix("line ").split(":")[0])
        assert fault.split("].")[1].split(":")[0] in lines[number - 1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(value=JSON, data=st.data(), ascii_only=st.booleans())
def test_a_value_is_found_on_the_line_where_it_begins(value: Any, data: st.DataObject, ascii_only: bool) -> None:  # noqa: FBT001  # hypothesis
    loc: list[int | str] = []
    marker: dict[str, Any] = {"here": copy.deepcopy(value)}
    here: Any = marker
    at: Any = here["here"]
    while isinstance(at, dict | list) and at and data.draw(st.booleans()):
        step = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else list(range(len(at)))))
        loc.append(step)
        here, at = at, at[step]
    key: Any = loc[-1] if loc else "here"
    here[key] = "MARK" * 3
    text = json.dumps(marker, indent=1, ensure_ascii=ascii_only)
    expected = next(n for n, line in enumerate(text.split("\n"), start=1) if "MARKMARKMARK" in line)
    assert line_of(text, ["here", *loc]) == expected


async def query(dsn: str, statement: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [dict(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def everything(dsn: str) -> list[list[dict[str, Any]]]:
    tables = ("actors", "actor_aliases", "urls", "tokens", "token_actors", "scripts", "words")
    return [await query(dsn, f"SELECT * FROM {table} ORDER BY 1") for table in tables]
