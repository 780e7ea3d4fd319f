"""Which Valkey this is, and whether it may be used."""

from __future__ import annotations

import pytest

from jobs.deps import Deps
from jobs.identity import WrongValkey, identify


async def test_a_valkey_keeps_its_name_while_it_keeps_its_data(emptied: Deps) -> None:
    first = await identify(emptied.valkey, emptied.settings)
    assert await identify(emptied.valkey, emptied.settings) == first
    await emptied.valkey.flushall()
    assert await identify(emptied.valkey, emptied.settings) != first


async def test_the_valkey_of_another_deployment_is_refused(emptied: Deps) -> None:
    await emptied.valkey.set("yousync:deployment", "another")
    with pytest.raises(WrongValkey, match="another deployment"):
        await identify(emptied.valkey, emptied.settings)


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("maxmemory-policy", "volatile-lru", "noeviction"),
        ("appendonly", "no", "yes"),
        ("maxmemory", "100mb", "1gb"),
    ],
)
async def test_a_valkey_that_would_lose_uploads_is_refused_unless_that_is_acknowledged(
    emptied: Deps, name: str, bad: str, good: str
) -> None:
    await emptied.valkey.config_set(name, bad)
    try:
        with pytest.raises(WrongValkey):
            await identify(emptied.valkey, emptied.settings)
        known = emptied.settings.model_copy(update={"valkey_durability": "acknowledged"})
        assert (await identify(emptied.valkey, known)).incarnation
    finally:
        await emptied.valkey.config_set(name, good)
