"""What a stage may say of its own action; what follows from it the engine decides.

A stage returns one of these, or raises one of yousync.failures.
"""

from __future__ import annotations

from dataclasses import dataclass

from yousync.job import State


@dataclass(frozen=True, slots=True)
class Done:
    """The stage did its work: on to the next."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to do until a result comes, or `seconds` have passed.

    Whether the server `answered` just now, and whether it has yet to take the request from a queue.
    """

    seconds: float
    answered: bool = False
    queued: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """A result is stored and has moved the job already."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A budget or deadline is used up: park, with the reason."""

    code: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Concluded:
    """Postgres holds the outcome of this run."""

    state: State
    code: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """There is nothing to keep a result for any more: the recording goes too. `code` says why."""

    code: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Nothing is left of the job but its record."""


Outcome = Done | Waiting | Delivered | Spent | Concluded | Deleted | Forgotten
