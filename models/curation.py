"""Changing the catalogue by hand: one clip, sentence or actor at a time. What it does to others is the database's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from models.catalogue import reserve_tokens, take_turn
from models.db import connection
from yousync.errors import ActorExists, ScriptNotFound, TokenNotFound

Columns = Mapping[str, Any]

_TOKEN: Final = (
    *("token_name", "actor_name", "category", "start_time", "end_time", "youtube_url"),
    *("s3_textgrid_url", "s3_pitch_url", "s3_bgvoice_url", "thumbnail_url"),
)
_SCRIPT: Final = ("token_id", "start_time", "end_time", "script", "translation")


class WordsOutside(Exception):
    """A sentence was to be moved away from under its words."""


async def add_token(columns: Columns) -> int:
    """A new clip, nobody's view of it counted yet; its actor and video are added where they are new. Its id."""
    async with in_transaction() as turn:
        await take_turn(turn)
        await reserve_tokens(turn)
        actor_id = await _place(turn, columns)
        [made] = await turn.execute_query_dict(
            f"INSERT INTO tokens ({', '.join(_TOKEN)}, view_count) VALUES ({_numbered(_TOKEN)}, 0) RETURNING id",
            [columns[name] for name in _TOKEN],
        )
        await _link(turn, made["id"], actor_id)
    return int(made["id"])


async def replace_token(token_id: int, columns: Columns) -> None:
    """Every column of a clip anew but its view count; where its actor is another, it is no longer the former's.

    Raises TokenNotFound.
    """
    async with in_transaction() as turn:
        await take_turn(turn)
        had = await turn.execute_query_dict("SELECT actor_name FROM tokens WHERE id = $1 FOR UPDATE", [token_id])
        if not had:
            raise TokenNotFound
        actor_id = await _place(turn, columns)
        await turn.execute_query_dict(
            f"UPDATE tokens SET ({', '.join(_TOKEN)}) = ({_numbered(_TOKEN)}) WHERE id = ${len(_TOKEN) + 1}",
            [*(columns[name] for name in _TOKEN), token_id],
        )
        if had[0]["actor_name"] != columns["actor_name"]:
            await turn.execute_query_dict(
                "DELETE FROM token_actors USING actors a WHERE token_id = $1 AND actor_id = a.id AND a.name = $2",
                [token_id, had[0]["actor_name"]],
            )
        await _link(turn, token_id, actor_id)


async def remove_token(token_id: int) -> None:
    """Remove a clip with everything that hangs on it: sentences, bookmarks, results. Raises TokenNotFound."""
    if not await connection().execute_query_dict("DELETE FROM tokens WHERE id = $1 RETURNING id", [token_id]):
        raise TokenNotFound


async def add_script(columns: Columns, words: Sequence[Columns]) -> int:
    """A new sentence with its words. Its id. Raises TokenNotFound."""
    try:
        async with in_transaction() as turn:
            [made] = await turn.execute_query_dict(
                f"INSERT INTO scripts ({', '.join(_SCRIPT)}) VALUES ({_numbered(_SCRIPT)}) RETURNING id",
                [columns[name] for name in _SCRIPT],
            )
            await _put_words(turn, made["id"], words)
    except IntegrityError:
        raise TokenNotFound from None
    return int(made["id"])


async def replace_script(script_id: int, columns: Columns, words: Sequence[Columns] | None) -> None:
    """Every column of a sentence anew, and its words too unless they are None.

    Raises ScriptNotFound, TokenNotFound, and WordsOutside when words that stay would lie outside.
    """
    try:
        async with in_transaction() as turn:
            done = await turn.execute_query_dict(
                f"UPDATE scripts SET ({', '.join(_SCRIPT)}) = ({_numbered(_SCRIPT)})"
                f" WHERE id = ${len(_SCRIPT) + 1} RETURNING id",
                [*(columns[name] for name in _SCRIPT), script_id],
            )
            if not done:
                raise ScriptNotFound
            if words is not None:
                await turn.execute_query_dict("DELETE FROM words WHERE script_id = $1", [script_id])
                await _put_words(turn, script_id, words)
            elif await turn.execute_query_dict(
                "SELECT 1 FROM words WHERE script_id = $1 AND (start_time < $2 OR end_time > $3) LIMIT 1",
                [script_id, columns["start_time"], columns["end_time"]],
            ):
                raise WordsOutside
    except IntegrityError:
        raise TokenNotFound from None


async def remove_script(script_id: int) -> None:
    """Remove a sentence with its words and results. Raises ScriptNotFound."""
    if not await connection().execute_query_dict("DELETE FROM scripts WHERE id = $1 RETURNING id", [script_id]):
        raise ScriptNotFound


async def add_actor(name: str) -> int:
    """A new actor's id. Raises ActorExists."""
    statement = "INSERT INTO actors (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id"
    made = await connection().execute_query_dict(statement, [name])
    if not made:
        raise ActorExists
    return int(made[0]["id"])


async def _place(turn: BaseDBAsyncClient, columns: Columns) -> int:
    """See to it that a clip's actor and video are there; a new video becomes this actor's. The actor's id."""
    name, url = columns["actor_name"], columns["youtube_url"]
    await turn.execute_query_dict("INSERT INTO actors (name) VALUES ($1) ON CONFLICT (name) DO NOTHING", [name])
    [actor] = await turn.execute_query_dict("SELECT id FROM actors WHERE name = $1", [name])
    await turn.execute_query_dict(
        "INSERT INTO urls (youtube_url, actor_id) VALUES ($1, $2) ON CONFLICT (youtube_url) DO NOTHING",
        [url, actor["id"]],
    )
    return int(actor["id"])


async def _link(turn: BaseDBAsyncClient, token_id: int, actor_id: int) -> None:
    statement = "INSERT INTO token_actors (token_id, actor_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    await turn.execute_query_dict(statement, [token_id, actor_id])


async def _put_words(turn: BaseDBAsyncClient, script_id: int, words: Sequence[Columns]) -> None:
    """These words in this order, which is that of their ids."""
    await turn.execute_query_dict(
        "INSERT INTO words (script_id, word, start_time, end_time, probability, mfcc)"
        " SELECT $1, word, start_time, end_time, probability, mfcc FROM jsonb_to_recordset($2::jsonb)"
        " AS x (place int, word text, start_time float8, end_time float8, probability float8, mfcc jsonb)"
        " ORDER BY place",
        [script_id, json.dumps([{**word, "place": place} for place, word in enumerate(words)], ensure_ascii=False)],
    )


def _numbered(names: Sequence[str]) -> str:
    return ", ".join(f"${number}" for number in range(1, len(names) + 1))
