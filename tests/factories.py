"""Rows that tests start from."""

from __future__ import annotations

import itertools
import secrets
import string
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from models.actor import Actor, Url
from models.analysis_result import AnalysisResult
from models.script import Script, Word
from models.session import open_session
from models.token import Token
from models.user import User
from yousync.identity import mint
from yousync.settings import Settings

_minutes = itertools.count()


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


async def make_user(full_name: str | None = None, *, is_admin: bool = False) -> User:
    """An active learner, or an operator."""
    return await User.create(email=f"{secrets.token_hex(6)}@example.com", full_name=full_name, is_admin=is_admin)


async def make_attempt(user: User, script: Script | None = None, *, token: Token | None = None, **changes: Any) -> str:
    """The row of an attempt at a sentence, or at a whole clip, that was completed a minute after the one before.

    `score` goes into its result and its column; anything else is a column. Returns its job id.
    """
    job_id = uuid.uuid4().hex
    score = changes.pop("score", 0.5)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=next(_minutes))
    row: dict[str, Any] = {
        "job_id": job_id,
        "kind": "token" if script is None else "script",
        "token_id": script.token_id if script is not None else token.id if token is not None else None,
        "script_id": None if script is None else script.id,
        "user_id": user.id,
        "status": "completed",
        "state": "completed",
        "progress": 100,
        "result": {"result": {"overall_score": score, "word_analysis": [{"word": "we"}]}},
        "overall_score": score,
        "s3_key": f"user_audio/{user.id}/{job_id}.wav",
        "incarnation": "0" * 32,
        "created_at": at,
        "updated_at": at,
    }
    unfinished = {"result": None, "overall_score": None} if changes.get("status", "completed") != "completed" else {}
    await AnalysisResult.create(**(row | unfinished | changes))
    return job_id


async def bearer_of(settings: Settings, user: User) -> dict[str, str]:
    """The header of somebody who has just signed in."""
    token = mint(settings, user_id=user.id, email=user.email, session_id=await open_session(user.id))
    return {"Authorization": f"Bearer {token}"}
