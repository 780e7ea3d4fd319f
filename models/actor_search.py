"""Finding actors by what people type: any part of a name or alias, in any script, with spaces or without.

Names and questions are compared without spaces and in lower case. `search_form` and `search_letters` are the database's
own functions, and indexes are on both: a trigram index says nothing of a part of two letters, which is half of a
Korean name, unless each letter stands there three times. Such texts contain each other when the names do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from models.db import connection

Row = dict[str, Any]

# In subqueries, which are answered once a query: Postgres' plan for any query works the rest out for every name.
_FORM: Final = "(SELECT search_form($1))"
_PATTERN: Final = r"(SELECT '%' || regexp_replace(search_letters($1), '([\\%_])', '\\\1', 'g') || '%')"
_CONTAINING: Final = f"search_letters(name) LIKE {_PATTERN}"
_RANK: Final = (
    f"ARRAY[CASE WHEN search_form(name) = {_FORM} THEN 0"
    f" WHEN starts_with(search_form(name), {_FORM}) THEN 1 ELSE 2 END, length(name)]"
)
_SIMILAR: Final = f"search_form(name) % {_FORM} AND similarity(search_form(name), {_FORM}) > 0.25"
_DISTANCE: Final = f"1 - similarity(search_form(name), {_FORM})"


def _search(condition: str, rank: str) -> str:
    """Actors of which a name or alias meets the condition, by the best rank among these, but not those of $2."""
    return (
        "SELECT a.id, a.name FROM (SELECT actor_id, min(rank) AS rank FROM ("  # all of it is ours
        f"SELECT id AS actor_id, {rank} AS rank FROM actors WHERE {condition}"
        f" UNION ALL SELECT actor_id, {rank} FROM actor_aliases WHERE {condition}"
        ") named WHERE actor_id <> ALL($2::int[]) GROUP BY actor_id ORDER BY rank, actor_id LIMIT $3) found"
        " JOIN actors a ON a.id = found.actor_id ORDER BY found.rank, a.id"
    )


NAMED_LIKE: Final = _search(_CONTAINING, _RANK)
SIMILAR: Final = _search(_SIMILAR, _DISTANCE)


async def all_actors(skip: int, limit: int) -> list[Row]:
    """All actors, by id."""
    statement = "SELECT id, name FROM actors ORDER BY id OFFSET $1 LIMIT $2"
    return await connection().execute_query_dict(statement, [skip, limit])


async def search_actors(query: str, limit: int) -> list[Row]:
    """Actors whose name or an alias contains the query, then as many as are missing whose name is similar to it.

    Among the former those come first that are equal to it, then those that begin with it, and shorter ones before
    longer ones; among the latter the most similar.
    """
    found = await actors_named_like(query, limit)
    if len(found) < limit:
        found += await similar_actors(query, limit - len(found), besides=[row["id"] for row in found])
    return found


async def actors_meant(query: str, limit: int) -> list[Row]:
    """Actors whose name or an alias contains the query; only where there is none, those with a similar one."""
    return await actors_named_like(query, limit) or await similar_actors(query, limit)


async def actors_named_like(query: str, limit: int) -> list[Row]:
    """Actors of which a name contains the query."""
    return await connection().execute_query_dict(NAMED_LIKE, [query, [], limit])


async def similar_actors(query: str, limit: int, besides: Sequence[int] = ()) -> list[Row]:
    """Actors of which a name is more than a quarter similar to the query, by trigrams."""
    return await connection().execute_query_dict(SIMILAR, [query, list(besides), limit])
