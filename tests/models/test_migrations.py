"""The migrations make, from nothing, exactly the schema the models describe, and can be taken back."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from tortoise.context import TortoiseContext

from models.db import MIGRATIONS, config, credentials, migrate, upgrade
from tests.conftest import NewDatabase
from yousync.settings import Settings

COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, character_maximum_length FROM information_schema.columns
WHERE table_schema = 'public' AND table_name <> 'aerich' ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text AS "table", pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 'aerich'::regclass ORDER BY 1, 2
"""
INDEXES = """
SELECT tablename, regexp_replace(indexdef, 'INDEX \\S+', 'INDEX') AS definition FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'aerich' AND indexname NOT LIKE '%_trgm' ORDER BY 1, 2
"""


async def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(**credentials(dsn))
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def execute(dsn: str, query: str) -> None:
    connection = await asyncpg.connect(**credentials(dsn))
    try:
        await connection.execute(query)
    finally:
        await connection.close()


async def empty(new_database: NewDatabase) -> str:
    dsn = await new_database()
    await execute(dsn, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return dsn


def pointing_at(settings: Settings, dsn: str) -> Settings:
    return Settings.load(_env_file=None, **(settings.model_dump() | {"database_url": dsn}))


async def test_migrated_and_generated_schemas_are_the_same(settings: Settings, new_database: NewDatabase) -> None:
    migrated, generated = await empty(new_database), await empty(new_database)
    await upgrade(pointing_at(settings, migrated))
    async with TortoiseContext() as context:
        await context.init(config=config(generated, pool=1))
        await context.generate_schemas()
    for query in (COLUMNS, CONSTRAINTS, INDEXES):
        assert await rows(migrated, query) == await rows(generated, query)


async def test_two_releases_at_once_take_turns(settings: Settings, new_database: NewDatabase) -> None:
    dsn = await empty(new_database)
    applied = await asyncio.gather(*(upgrade(pointing_at(settings, dsn)) for _ in range(3)))
    assert sorted(map(len, applied)) == [0, 0, len(list(MIGRATIONS.glob("models/*.py")))]


async def test_every_migration_can_be_taken_back_and_made_again(settings: Settings, new_database: NewDatabase) -> None:
    dsn = await empty(new_database)
    await upgrade(pointing_at(settings, dsn))
    before = await rows(dsn, COLUMNS)
    while await rows(dsn, "SELECT 1 FROM aerich"):
        await migrate(dsn, lambda command: command.downgrade(-1, delete=False))
    assert await rows(dsn, COLUMNS) == []
    await upgrade(pointing_at(settings, dsn))
    assert await rows(dsn, COLUMNS) == before


async def test_no_model_has_changed_since_the_last_migration(settings: Settings, new_database: NewDatabase) -> None:
    dsn = settings.database_url.get_secret_value()
    assert await migrate(dsn, lambda command: command.migrate("unexpected", no_input=True)) == ""


async def test_the_deployment_has_one_name_and_token_35_is_never_given(
    settings: Settings, new_database: NewDatabase
) -> None:
    dsn = await new_database()
    assert len(await rows(dsn, "SELECT id FROM deployment")) == 1
    assert (await rows(dsn, "SELECT nextval('tokens_id_seq')"))[0][0] > 35


async def test_names_can_be_searched_by_trigram(settings: Settings, new_database: NewDatabase) -> None:
    dsn = await new_database()
    found = await rows(dsn, "SELECT tablename FROM pg_indexes WHERE indexdef LIKE '%gin_trgm_ops%' ORDER BY 1")
    assert found == [("actor_aliases",), ("actors",)]


async def test_every_column_of_the_catalogue_but_the_view_count_is_watched(
    settings: Settings, new_database: NewDatabase
) -> None:
    dsn = await new_database()
    watched = await rows(
        dsn,
        "SELECT event_object_column FROM information_schema.triggered_update_columns"
        " WHERE trigger_name = 'catalogue_changed' AND event_object_table = 'tokens'",
    )
    columns = await rows(dsn, "SELECT column_name FROM information_schema.columns WHERE table_name = 'tokens'")
    assert set(columns) - set(watched) == {("view_count",)}
