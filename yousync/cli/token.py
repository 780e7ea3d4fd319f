"""`yousync token`: sign somebody in from the command line."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated

import typer

from models.db import connected
from models.session import open_session
from models.user import ensure_user
from yousync.cli.failure import CommandError, Exit
from yousync.cli.lookup import DataOption, settings_for
from yousync.identity import mint
from yousync.settings import Settings

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


async def token_for(settings: Settings, email: str, *, admin: bool) -> str:
    """An access token of the user with this e-mail, who is created if need be; a session of its own."""
    async with connected(settings, pool=1, application="yousync-token"):
        user = await ensure_user(email, admin=admin)
        session_id = await open_session(user.id)
    return mint(settings, user_id=user.id, email=user.email, session_id=session_id)


def token(
    email: Annotated[str, typer.Argument(help="Whose token; the user is created if need be.")],
    *,
    admin: Annotated[bool, typer.Option("--admin", help="Make the user an operator.")] = False,
    data: DataOption = None,
) -> None:
    """Print an access token (JWT) for `Authorization: Bearer`."""
    if not _EMAIL.fullmatch(email) or len(email) > 320:
        raise CommandError(f"{email!r} is no e-mail address", Exit.USAGE)
    typer.echo(asyncio.run(token_for(settings_for(data), email, admin=admin)))
