"""A small catalogue whose every answer can be checked by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp

from models.actor import Actor, ActorAlias, Url
from models.script import Script, Word
from models.token import Token, TokenActor
from tests.factories import youtube_url

Json = Any


@dataclass(frozen=True)
class Shelf:
    """Five clips: two of one video by two actors, three by the first of them alone."""

    mina: int
    jun: int
    duet: tuple[int, int]
    solo: tuple[int, int, int]
    url: str
    scripts: tuple[int, int]

    @property
    def tokens(self) -> list[int]:
        return sorted((*self.duet, *self.solo))


async def fill() -> Shelf:
    """Put it into the tables, which are empty."""
    mina, jun = await Actor.create(name="Mina Harper"), await Actor.create(name="Tom Hanks")
    await ActorAlias.create(actor=mina, name="미나 하퍼")
    await ActorAlias.create(actor=jun, name="톰 행크스")
    shared = await Url.create(youtube_url=youtube_url(), actor=mina)
    one = await clip(mina, "Bridge, her side", shared, seconds=19.5, category="로맨스", views=5)
    two = await clip(jun, "Bridge, his side", shared, seconds=20.0, category="로맨스 코미디", views=5)
    solo = [
        await clip(mina, name, await Url.create(youtube_url=youtube_url(), actor=mina), **rest)
        for name, rest in (
            ("Harbour", {"seconds": 5.0, "category": "Action 100%", "views": 9}),
            ("Attic", {"seconds": 12.0, "category": None, "views": 0}),
            ("Orbit", {"seconds": 60.0, "category": "action", "views": 2}),
        )
    ]
    first = await sentence(one, 12.0, ["We", "cross"])
    second = await sentence(one, 15.0, [])
    return Shelf(
        mina.id, jun.id, (one.id, two.id), (solo[0].id, solo[1].id, solo[2].id), shared.youtube_url, (first, second)
    )


async def clip(actor: Actor, name: str, url: Url, *, seconds: float, category: str | None, views: int) -> Token:
    made = await Token.create(
        token_name=name,
        actor_name=actor.name,
        category=category,
        start_time=10.0,
        end_time=10.0 + seconds,
        thumbnail_url=f"https://img.example.com/{name}.jpg",
        youtube=url,
        view_count=views,
    )
    await TokenActor.create(token=made, actor=actor)
    return made


async def sentence(token: Token, start: float, words: list[str]) -> int:
    made = await Script.create(token=token, start_time=start, end_time=start + 2, script=" ".join(words) or "…")
    for place, word in enumerate(words):
        begin = start + place * 0.5
        await Word.create(script=made, word=word, start_time=begin, end_time=begin + 0.4, probability=0.5)
    return made.id


async def read(client: aiohttp.ClientSession, path: str, status: int = 200) -> Json:
    """The JSON that a GET of this path is answered with."""
    async with client.get(path) as reply:
        assert reply.status == status, (path, reply.status, await reply.text())
        return await reply.json(content_type=None)


async def ids(client: aiohttp.ClientSession, path: str) -> list[int]:
    """The ids of the clips that a list shows, in its order."""
    return [token["id"] for token in await read(client, path)]
