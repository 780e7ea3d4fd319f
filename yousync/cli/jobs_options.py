"""The options of `yousync jobs`: which jobs, and who wants it why."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.filter import REASON_CHARACTERS, Filter, age
from yousync.cli.failure import CommandError, Exit
from yousync.job import Stage, State

if TYPE_CHECKING:
    from jobs.ops import By

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Go ahead without asking.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Jobs by their ids.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="A job by its id.")]


def which(
    *,
    state: Annotated[
        list[State] | None,
        typer.Option("--state", "--status", metavar="STATE", help=f"{', '.join(State)}; may be given again."),
    ] = None,
    stage: Annotated[
        Stage | None,
        typer.Option(metavar="STAGE", help=f"{', '.join(Stage)}: where a job is, or had got to when it ended."),
    ] = None,
    user: Annotated[str, typer.Option(help="A user's jobs, by id or e-mail.")] = "",
    token: Annotated[int | None, typer.Option(min=1, max=2**31 - 1, help="Jobs on this clip.")] = None,
    older_than: Annotated[str, typer.Option("--older-than", "--age", help="Uploaded so long ago: 90s, 10m, 7d.")] = "",
    younger_than: Annotated[str, typer.Option(help="Uploaded since then.")] = "",
    code: Annotated[str, typer.Option(help="Jobs whose last failure has this error code.")] = "",
) -> Filter:
    """The jobs that meet all of these."""
    return Filter(
        states=frozenset(state or State),
        stage=stage,
        user=user,
        token_id=token,
        older_than=_age(older_than),
        younger_than=_age(younger_than),
        code=code,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who wants something done, and why."""

    who: str
    why: str

    def by(self) -> By:
        """The same for the engine."""
        from jobs.ops import By

        return By(who=self.who, why=self.why)


def operator(
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the log beside your name.")],
    name: Annotated[str, typer.Option("--as", help="Who; your account on this host unless given.")] = "",
) -> Operator:
    """Who is at the keyboard. As over HTTP, nothing is done without a reason."""
    if not 1 <= len(reason) <= REASON_CHARACTERS:
        raise CommandError(f"--reason takes 1 to {REASON_CHARACTERS} characters", Exit.USAGE)
    return Operator(who=name or f"{_account()}@{socket.gethostname()}", why=reason)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such account: containers run under numbers
        return f"uid-{os.getuid()}"


def _age(text: str) -> timedelta | None:
    try:
        return age(text) if text else None
    except ValueError as error:
        raise CommandError(str(error), Exit.USAGE) from None
