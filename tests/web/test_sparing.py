"""Costly answers: found once for all who ask, and as seldom as they are costly."""

from __future__ import annotations

import asyncio

import pytest

from web.sparing import Sparing


class Source:
    """Finds numbers, each after `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.found = 0
        self.broken = False

    async def __call__(self) -> int:
        await asyncio.sleep(self.seconds)
        self.found += 1
        if self.broken:
            raise OSError("away")
        return self.found


async def test_all_who_ask_at_once_share_one_answer() -> None:
    sparing = Sparing(Source(0.01))
    assert await asyncio.gather(*(sparing.get() for _ in range(20))) == [1] * 20


async def test_what_takes_long_is_found_seldom() -> None:
    sparing = Sparing(Source(0.02), quick=0.01)
    assert [await sparing.get() for _ in range(5)] == [1] * 5
    await asyncio.sleep(0.5)
    assert await sparing.get() == 2


async def test_what_is_quick_is_always_fresh() -> None:
    sparing = Sparing(Source(), quick=60)
    assert [await sparing.get() for _ in range(3)] == [1, 2, 3]


async def test_a_failure_is_told_to_all_who_wait_and_not_kept() -> None:
    source = Source(0.01)
    sparing = Sparing(source)
    source.broken = True
    told = await asyncio.gather(*(sparing.get() for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in told] == [OSError] * 3
    source.broken = False
    assert await sparing.get() == 2


async def test_one_who_goes_away_does_not_take_the_answer_along() -> None:
    sparing = Sparing(Source(0.02))
    gone = asyncio.create_task(sparing.get())
    stays = asyncio.create_task(sparing.get())
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await stays == 1


async def test_it_ends_with_its_owner() -> None:
    sparing = Sparing(Source(60))
    asking = asyncio.create_task(sparing.get())
    await asyncio.sleep(0)
    await sparing.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
