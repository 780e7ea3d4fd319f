"""Rows that tests start from."""

from __future__ import annotations

import secrets
import string

from models.actor import Actor, Url
from models.script import Script, Word
from models.token import Token
from models.user import User


def youtube_url() -> str:
    """A canonical address nobody else in the test run has."""
    name = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(11))
    return f"https://www.youtube.com/watch?v={name}"


async def make_token(name: str = "The bridge") -> Token:
    """A clip of an actor of its own."""
    actor = await Actor.create(name=f"Actor {secrets.token_hex(4)}")
    url = await Url.create(youtube_url=youtube_url(), actor=actor)
    return await Token.create(token_name=name, actor_name=actor.name, start_time=10.0, end_time=20.0, youtube=url)


async def make_script(words: str = "we cross at dawn", token: Token | None = None) -> Script:
    """A sentence whose words take 0.4 s each, with pauses of 0.1 s."""
    token = token or await make_token()
    spoken = words.split()
    script = await Script.create(
        token=token, start_time=10.0, end_time=10.0 + 0.5 * len(spoken), script=words, translation="새벽에 건넌다"
    )
    for number, word in enumerate(spoken):
        begin = 10.0 + 0.5 * number
        await Word.create(script=script, word=word, start_time=begin, end_time=begin + 0.4, probability=0.9)
    return script


async def make_user() -> User:
    """An active learner."""
    return await User.create(email=f"{secrets.token_hex(6)}@example.com")
