"""What recordings are held against is remembered, and never longer than it holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from jobs import originals
from jobs.deps import Deps
from jobs.originals import Originals
from models.script import Script, Word
from tests.factories import make_script
from tests.waiting import until
from yousync.tasks import cancel


@pytest_asyncio.fixture
async def remembered(deps: Deps) -> AsyncIterator[Originals]:
    made = Originals()
    listening = asyncio.create_task(made.listen(deps.settings))
    await until(lambda: made.listening)
    yield made
    await cancel(listening)


async def words(found: Originals, script: Script) -> list[str | None] | None:
    original = await found.of(script.token_id, script.id)
    return None if original is None else [word.word for each in original.sentences for word in each.words]


async def test_a_sentence_is_read_once_and_again_when_the_catalogue_changed(remembered: Originals) -> None:
    script = await make_script("one two")
    await until(lambda: _twice_the_same(remembered, script))
    assert await words(remembered, script) == ["one", "two"]
    await Word.filter(script_id=script.id, word="two").update(word="three")
    await until(lambda: _says(remembered, script, ["one", "three"]))
    await Script.filter(id=script.id).delete()
    await until(lambda: _says(remembered, script, []))


async def test_while_nobody_listens_all_is_read(deps: Deps) -> None:
    script = await make_script("one two")
    assert not await _twice_the_same(Originals(), script)


async def test_what_is_remembered_has_a_bound(remembered: Originals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(originals, "_MAX_VALUES", 40)
    first, second = await make_script("one two"), await make_script("three four")
    await until(lambda: _twice_the_same(remembered, first))
    kept = await remembered.of(first.token_id, first.id)
    assert await words(remembered, second) == ["three", "four"]
    assert await remembered.of(first.token_id, first.id) is not kept


async def _twice_the_same(found: Originals, script: Script) -> bool:
    return await found.of(script.token_id, script.id) is await found.of(script.token_id, script.id)


async def _says(found: Originals, script: Script, expected: list[str]) -> bool:
    return await words(found, script) == expected
