"""Sessions through time: what any sequence of refreshes, replays, uses and sign-outs comes to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

import jwt
import pytest_asyncio
import time_machine
from hypothesis import example, given, settings as limits, strategies as st

from models.db import connected, connection
from models.session import end_session, signed_in
from models.user import User
from tests.factories import make_user
from web.auth import refresh, sign_in
from yousync.errors import TokenExpired, TokenInvalid, TokenReused, Unauthenticated
from yousync.identity import verify
from yousync.settings import Settings

HOUR, DAY = 3600, 86_400
GOOD = 12 * HOUR
Step = tuple[Literal["refresh", "together", "use", "wait", "leave"], int]


@pytest_asyncio.fixture(scope="module", autouse=True)
async def database(settings: Settings) -> AsyncIterator[None]:
    async with connected(settings, pool=6, application="yousync-tests"):
        yield


@dataclass
class Kept:
    """A token a client keeps, and what the rules say of it; times are seconds of the story."""

    text: str
    ends: float
    spent: float | None = None
    became: str = ""


@dataclass
class Story:
    """One session, and the world's clock: this process' and, by moving its rows back, Postgres'."""

    settings: Settings
    user: User
    now: float = 0.0
    begun: float = field(default_factory=time.time)
    alive: bool = True
    tokens: list[Kept] = field(default_factory=list)

    async def begin(self) -> Story:
        self.tokens = [Kept(await sign_in(self.settings, self.user), GOOD)]
        return self

    async def wait(self, seconds: float) -> None:
        self.now += seconds
        query = "UPDATE spent_tokens SET spent_at = spent_at - make_interval(secs => $1)"
        await connection().execute_query(query, [seconds])

    async def ask(self, token: Kept) -> str | type[Unauthenticated]:
        try:
            return await refresh(self.settings, token.text)
        except Unauthenticated as error:
            return type(error)

    async def use(self, token: Kept) -> bool:
        try:
            caller = verify(self.settings, token.text)
        except TokenExpired:
            return False
        return await signed_in(caller.user_id, caller.session_id) == self.user

    def foretold(self, token: Kept) -> type[Unauthenticated] | Literal["new", "same"]:
        """What the rules say of refreshing this token now."""
        if self.now >= token.ends + 14 * DAY + 5:
            return TokenExpired
        if not self.alive:
            return TokenInvalid
        if self.now < token.ends + 5 or token.spent is None:
            return "new"
        return "same" if self.now - token.spent < 60 else TokenReused

    def learn(self, token: Kept, answer: str | type[Unauthenticated]) -> None:
        """Hold an answer against the rules, and remember what it changed."""
        foretold = self.foretold(token)
        if not isinstance(answer, str):
            assert answer is foretold
            self.alive = self.alive and answer is not TokenReused
            return
        assert foretold in ("new", "same")
        if foretold == "same":
            assert answer == token.became
            return
        assert answer not in [kept.text for kept in self.tokens]
        self.tokens.append(Kept(answer, self.now + GOOD))
        if self.now >= token.ends + 5:
            token.spent, token.became = self.now, answer


# Around every edge there is: a token's end, a minute after it was spent, two weeks after its end.
WAITS = (1, 50, 70, HOUR, GOOD, GOOD + 4, GOOD + 6, 14 * DAY - GOOD, 14 * DAY, 14 * DAY + 10)
steps = st.lists(
    st.tuples(st.sampled_from(["refresh", "refresh", "together", "use", "wait", "wait"]), st.integers(0, 9))
    | st.tuples(st.just("leave"), st.just(0)),
    max_size=14,
)


@given(steps=steps)
@example(steps=[("wait", 6), ("together", 0), ("wait", 1), ("refresh", 0), ("wait", 2), ("refresh", 0), ("use", 1)])
@example(steps=[("wait", 6), ("refresh", 0), ("wait", 2), ("together", 0), ("refresh", 1), ("use", 1)])
@example(steps=[("refresh", 0), ("refresh", 1), ("use", 0), ("leave", 0), ("use", 1), ("refresh", 2)])
@example(steps=[("wait", 9), ("wait", 6), ("refresh", 0)])
@limits(max_examples=40, deadline=None)
async def test_any_story_of_a_session_goes_by_the_rules(settings: Settings, steps: list[Step]) -> None:
    with time_machine.travel(time.time(), tick=False):
        story = await Story(settings, await make_user()).begin()
    for step, number in steps:
        with time_machine.travel(story.begun + story.now, tick=False):
            await play(story, step, number)


async def play(story: Story, step: str, number: int) -> None:
    token = story.tokens[number % len(story.tokens)]
    match step:
        case "wait":
            await story.wait(WAITS[number])
        case "leave":
            claims = jwt.decode(token.text, options={"verify_signature": False})
            await end_session(claims["sid"])
            story.alive = False
        case "use":
            assert await story.use(token) == (story.alive and story.now < token.ends + 5)
        case "refresh":
            story.learn(token, await story.ask(token))
        case "together":
            answers = await asyncio.gather(*(story.ask(token) for _ in range(3)))
            if TokenReused in answers:  # the session ends with the first of them
                assert story.foretold(token) is TokenReused
                assert set(answers) <= {TokenReused, TokenInvalid}
                story.alive = False
            else:
                for answer in answers:
                    story.learn(token, answer)
