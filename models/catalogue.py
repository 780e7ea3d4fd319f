"""Bringing a catalogue file into the tables: everything or nothing, and the same file twice changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from models.catalogue_file import Catalogue

_LOCK = 0x43415441  # "CATA": tokens have no unique key, so two loads at once take turns
_LAST_RESERVED_TOKEN = 35
"""The web client shows built-in data for token 35; ids up to it are never given out."""

_TOKEN = "youtube_url text, actor_name text, token_name text"  # noqa: S105  # columns, not a secret
_SAME_TOKEN = "t.youtube_url = x.youtube_url AND t.actor_name = x.actor_name AND t.token_name = x.token_name"  # noqa: S105
_DETAILS = (
    "category text, start_time float8, end_time float8, thumbnail_url text, "
    "s3_textgrid_url text, s3_pitch_url text, s3_bgvoice_url text"
)
_DETAIL_NAMES = ", ".join(part.split()[0] for part in _DETAILS.split(", "))


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many rows a load added or changed."""

    actors: int
    aliases: int
    urls: int
    tokens: int
    scripts: int
    sentences_with_new_words: int

    @property
    def nothing(self) -> bool:
        """Whether the tables held all of it already."""
        return not any((self.actors, self.aliases, self.urls, self.tokens, self.scripts, self.sentences_with_new_words))


async def load_catalogue(catalogue: Catalogue) -> Loaded:
    """Add what is missing and change what differs, in one transaction; nothing is ever removed but replaced words.

    An actor is known by name, a video by its URL, a token by video, actor and name, a script by its token and
    start time.
    """
    async with in_transaction() as connection:
        await take_turn(connection)
        actors = await _actors(connection, catalogue)
        aliases = await _aliases(connection, catalogue)
        urls = await _urls(connection, catalogue)
        tokens = await _tokens(connection, catalogue)
        scripts = await _scripts(connection, catalogue)
        words = await _words(connection, catalogue)
    return Loaded(actors, aliases, urls, tokens, scripts, words)


async def script_id_of(token_name: str, place: int) -> int | None:
    """The id of a token's sentence, counted from 0 in the order of time; None when it is not there."""
    async with in_transaction() as connection:
        rows = await connection.execute_query_dict(
            "SELECT s.id FROM scripts s JOIN tokens t ON t.id = s.token_id WHERE t.token_name = $1"
            " ORDER BY t.id, s.start_time OFFSET $2 LIMIT 1",
            [token_name, place],
        )
    return int(rows[0]["id"]) if rows else None


async def take_turn(connection: BaseDBAsyncClient) -> None:
    """Wait until nobody else changes tokens: until the end of this transaction nobody else will."""
    await connection.execute_query_dict("SELECT pg_advisory_xact_lock($1)", [_LOCK])


async def reserve_tokens(connection: BaseDBAsyncClient) -> None:
    """See to it that no token is given a reserved id, whatever has been done to the sequence."""
    await connection.execute_query_dict(
        "SELECT setval(pg_get_serial_sequence('tokens', 'id'), $1) FROM tokens_id_seq WHERE last_value < $1",
        [_LAST_RESERVED_TOKEN],
    )


async def _actors(connection: BaseDBAsyncClient, catalogue: Catalogue) -> int:
    statement = "INSERT INTO actors (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING RETURNING id"
    return len(await connection.execute_query_dict(statement, [[actor.name for actor in catalogue.actors]]))


async def _aliases(connection: BaseDBAsyncClient, catalogue: Catalogue) -> int:
    pairs = [(actor.name, alias) for actor in catalogue.actors for alias in dict.fromkeys(actor.aliases)]
    statement = (
        "INSERT INTO actor_aliases (actor_id, name) SELECT a.id, x.alias"
        " FROM unnest($1::text[], $2::text[]) AS x (actor, alias) JOIN actors a ON a.name = x.actor"
        " ON CONFLICT (actor_id, name) DO NOTHING RETURNING id"
    )
    values = [[actor for actor, _ in pairs], [alias for _, alias in pairs]]
    return len(await connection.execute_query_dict(statement, values))


async def _urls(connection: BaseDBAsyncClient, catalogue: Catalogue) -> int:
    """Where a video is not listed by itself, it becomes its first token's actor's, and stays whose it was."""
    listed = {entry.youtube_url: entry.actor_name for entry in catalogue.urls}
    owners: dict[str, str] = {}
    for token in catalogue.tokens:
        owners.setdefault(token.youtube_url, token.actor_name)
    owners |= listed
    statement = (
        "INSERT INTO urls AS u (youtube_url, actor_id) SELECT x.url, a.id"
        " FROM unnest($1::text[], $2::text[]) AS x (url, actor) JOIN actors a ON a.name = x.actor"
        " ON CONFLICT (youtube_url) DO UPDATE SET actor_id = EXCLUDED.actor_id"
        " WHERE u.actor_id <> EXCLUDED.actor_id AND u.youtube_url = ANY($3::text[]) RETURNING youtube_url"
    )
    values = [list(owners), list(owners.values()), list(listed)]
    return len(await connection.execute_query_dict(statement, values))


async def _tokens(connection: BaseDBAsyncClient, catalogue: Catalogue) -> int:
    records = [token.model_dump(exclude={"scripts"}) | {"place": place} for place, token in enumerate(catalogue.tokens)]
    wanted = f"jsonb_to_recordset($1::jsonb) AS x ({_TOKEN}, {_DETAILS}, place int)"
    given = ", ".join(f"x.{name}" for name in _DETAIL_NAMES.split(", "))
    had = ", ".join(f"t.{name}" for name in _DETAIL_NAMES.split(", "))
    await reserve_tokens(connection)
    changed = await connection.execute_query_dict(
        f"UPDATE tokens t SET ({_DETAIL_NAMES}) = ROW ({given}) FROM {wanted}"  # names are ours
        f" WHERE {_SAME_TOKEN} AND ({had}) IS DISTINCT FROM ({given}) RETURNING t.id",
        [_json(records)],
    )
    added = await connection.execute_query_dict(
        f"INSERT INTO tokens (youtube_url, actor_name, token_name, view_count, {_DETAIL_NAMES})"
        f" SELECT x.youtube_url, x.actor_name, x.token_name, 0, {given} FROM {wanted}"
        f" WHERE NOT EXISTS (SELECT FROM tokens t WHERE {_SAME_TOKEN}) ORDER BY x.place RETURNING id",
        [_json(records)],
    )
    await connection.execute_query_dict(
        "INSERT INTO token_actors (token_id, actor_id) SELECT t.id, a.id"
        f" FROM {wanted} JOIN tokens t ON {_SAME_TOKEN} JOIN actors a ON a.name = x.actor_name"
        " ON CONFLICT (token_id, actor_id) DO NOTHING",
        [_json(records)],
    )
    return len(changed) + len(added)


async def _scripts(connection: BaseDBAsyncClient, catalogue: Catalogue) -> int:
    records = _sentences(catalogue)
    wanted = (
        f"jsonb_to_recordset($1::jsonb) AS x ({_TOKEN}, place int, start_time float8, end_time float8,"
        f" script text, translation text) JOIN tokens t ON {_SAME_TOKEN}"
    )
    changed = await connection.execute_query_dict(
        "UPDATE scripts s SET end_time = x.end_time, script = x.script, translation = x.translation"
        f" FROM {wanted} WHERE s.token_id = t.id AND s.start_time = x.start_time"
        " AND (s.end_time, s.script, s.translation) IS DISTINCT FROM (x.end_time, x.script, x.translation)"
        " RETURNING s.id",
        [_json(records)],
    )
    added = await connection.execute_query_dict(
        "INSERT INTO scripts (token_id, start_time, end_time, script, translation)"
        f" SELECT t.id, x.start_time, x.end_time, x.script, x.translation FROM {wanted}"
        " WHERE NOT EXISTS (SELECT FROM scripts s WHERE s.token_id = t.id AND s.start_time = x.start_time)"
        " ORDER BY x.place RETURNING id",
        [_json(records)],
    )
    return len(changed) + len(added)


async def _words(connection: BaseDBAsyncClient, catalogue: Catalogue) -> int:
    """Words have no key of their own, so a sentence whose words differ gets all of them anew, in order."""
    rows = await connection.execute_query_dict(
        "SELECT x.place, s.id AS script_id, w.word, w.start_time, w.end_time, w.probability, w.mfcc"
        f" FROM jsonb_to_recordset($1::jsonb) AS x ({_TOKEN}, place int, start_time float8)"
        f" JOIN tokens t ON {_SAME_TOKEN} JOIN scripts s ON s.token_id = t.id AND s.start_time = x.start_time"
        " LEFT JOIN words w ON w.script_id = s.id ORDER BY s.id, w.id",
        [_json(_sentences(catalogue))],
    )
    sentences = [script for token in catalogue.tokens for script in token.scripts]
    stored: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in rows:
        words = stored.setdefault((row["place"], row["script_id"]), [])
        if row["word"] is not None or row["start_time"] is not None:
            words.append(row)
    replaced: list[int] = []
    records: list[dict[str, Any]] = []
    for (place, script_id), had in stored.items():
        wanted = [word.model_dump() for word in sentences[place].words]
        if [_comparable(row, like) for row, like in zip(had, wanted, strict=False)] != wanted or len(had) != len(
            wanted
        ):
            replaced.append(script_id)
            records += [{"script_id": script_id, "place": len(records) + n, **word} for n, word in enumerate(wanted)]
    if replaced:
        await connection.execute_query_dict("DELETE FROM words WHERE script_id = ANY($1::int[])", [replaced])
        await connection.execute_query_dict(
            "INSERT INTO words (script_id, word, start_time, end_time, probability, mfcc)"
            " SELECT script_id, word, start_time, end_time, probability, mfcc FROM jsonb_to_recordset($1::jsonb)"
            " AS x (script_id int, place int, word text, start_time float8, end_time float8, probability float8,"
            " mfcc jsonb) ORDER BY place",
            [_json(records)],
        )
    return len(replaced)


def _comparable(row: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """A stored word in the file's shape; features computed since then are no difference where the file has none."""
    mfcc = row["mfcc"]
    found = {name: row[name] for name in ("word", "start_time", "end_time", "probability")}
    return found | {"mfcc": None if like["mfcc"] is None else json.loads(mfcc) if isinstance(mfcc, str) else mfcc}


def _sentences(catalogue: Catalogue) -> list[dict[str, Any]]:
    keys = {"youtube_url", "actor_name", "token_name"}
    found = [
        token.model_dump(include=keys) | script.model_dump(exclude={"words"})
        for token in catalogue.tokens
        for script in token.scripts
    ]
    return [record | {"place": place} for place, record in enumerate(found)]


def _json(records: list[dict[str, Any]]) -> str:
    return json.dumps(records, ensure_ascii=False)
