"""The names that Python uses of what we keep in Valkey; the script in lua/ derives these and more."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "yousync:"
QUEUE: Final = PREFIX + "queue"
HEALTH: Final = QUEUE + ":health-check"  # arq's name for it; here it says that some worker lives
WAKE: Final = PREFIX + "wake"
MOVED: Final = PREFIX + "moved"  # the channel where every move is hinted at; a message is a job id
CHANGED: Final = PREFIX + "changed"  # the same for those that show: what clients are told of the job is another
DEPLOYMENT: Final = PREFIX + "deployment"
INCARNATION: Final = PREFIX + "incarnation"
SERVER: Final = PREFIX + "server"  # the run of the Valkey server whose records were last held against their rows
WORKERS: Final = PREFIX + "workers"
GATEKEEPING: Final = PREFIX + "gatekeeping"  # who paused and resumed what, and why
PROBE: Final = PREFIX + "probe"
ONCE: Final = PREFIX + "once:"


def job(job_id: str) -> str:
    """A job's record: a hash."""
    return f"{PREFIX}job:{job_id}"


def events(job_id: str) -> str:
    """Its log: a stream whose entries are numbered by version."""
    return f"{PREFIX}events:{job_id}"


def inbox(job_id: str) -> str:
    """The result that came for it, as it came."""
    return f"{PREFIX}inbox:{job_id}"


def audio(job_id: str) -> str:
    """Its staged audio."""
    return f"{PREFIX}audio:{job_id}"


def rate(limit: str, who: str) -> str:
    """How far ahead of its rate a user or address is."""
    return f"{PREFIX}rate:{limit}:{who}"


def repeat(digest: str) -> str:
    """What was asked under an Idempotency-Key, and the reply once there is one."""
    return f"{PREFIX}repeat:{digest}"


def state(name: str) -> str:
    """The ids of all jobs in a state: a sorted set by the time they got there."""
    return f"{PREFIX}state:{name}"
