"""Jobs and events as the strings Valkey keeps, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from yousync.job import Event, Job, Kind, State


def fields_of(job: Job) -> dict[str, str]:
    """A new record's fields; what the script itself sets is left out."""
    return {
        "id": job.id,
        "kind": job.kind,
        "run": str(job.run),
        "claim": "",
        "token_id": "" if job.token_id is None else str(job.token_id),
        "script_id": "" if job.script_id is None else str(job.script_id),
        "user_id": "" if job.user_id is None else str(job.user_id),
        "owner": job.owner,
        "dedupe": job.dedupe,
        "container": job.container,
        "s3_key": job.s3_key,
        "size": str(job.size),
        "duration_ms": str(job.duration_ms),
        "incarnation": job.incarnation,
        "request_id": job.request_id,
        "request": "" if job.request is None else orjson.dumps(job.request).decode(),
        "created_ms": str(job.created_ms),
        "tries": "0",
        "holds": "0",
        "lapses": "0",
        "asks": "0",
        "asked_ms": "0",
        "began_ms": str(job.began_ms),
    }


def hash_of(flat: list[bytes]) -> dict[bytes, bytes]:
    """A script's HGETALL: names and values in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def job_of_reply(flat: list[bytes]) -> Job:
    """The job in a script's HGETALL."""
    return job_of(hash_of(flat))


def job_of(found: Mapping[bytes, bytes]) -> Job:
    """The job a hash holds. Raises KeyError or ValueError for what is no record of ours."""
    text = {name.decode(): value.decode() for name, value in found.items()}

    def number(name: str) -> int:
        return int(text.get(name) or 0)

    def optional(name: str) -> int | None:
        return int(text[name]) if text.get(name) else None

    return Job(
        id=text["id"],
        kind=Kind(text["kind"]),
        state=State(text["state"]),
        version=number("version"),
        run=number("run"),
        claim=text.get("claim", ""),
        token_id=optional("token_id"),
        script_id=optional("script_id"),
        user_id=optional("user_id"),
        owner=text["owner"],
        dedupe=text["dedupe"],
        container=text["container"],
        s3_key=text["s3_key"],
        size=number("size"),
        duration_ms=number("duration_ms"),
        incarnation=text["incarnation"],
        progress=number("progress"),
        created_ms=number("created_ms"),
        updated_ms=number("updated_ms"),
        tries=number("tries"),
        holds=number("holds"),
        lapses=number("lapses"),
        asks=number("asks"),
        asked_ms=number("asked_ms"),
        began_ms=number("began_ms") or number("created_ms"),
        inbox=text.get("inbox") == "1",
        late=text.get("late") == "1",
        stage=text.get("stage", ""),
        outcome=State(text["outcome"]) if text.get("outcome") else None,
        code=text.get("code", ""),
        message=text.get("message", ""),
        request_id=text.get("request_id", ""),
        request=orjson.loads(text["request"]) if text.get("request") else None,
        queued=text.get("queued") == "1",
    )


SHOWN: Final = (
    *("kind", "state", "version", "run", "token_id", "user_id", "progress", "code", "message", "queued"),
    *("created_ms", "updated_ms"),
)
"""The fields that decide what clients are shown of a job: hints carry them."""
_NOT_SHOWN: Final = dict.fromkeys((b"owner", b"dedupe", b"container", b"s3_key", b"incarnation"), b"")


def job_of_hint(job_id: str, told: bytes) -> Job | None:
    """The job as far as a hint tells of it: SHOWN alone. None where it tells nothing that can be read."""
    try:
        shown = zip(SHOWN, orjson.loads(told), strict=True)
        found = {name.encode(): value.encode() for name, value in shown if value is not False}
        return job_of({b"id": job_id.encode(), **_NOT_SHOWN, **found})
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def event_of(entry: bytes, found: Mapping[bytes, bytes]) -> Event:
    """The event that an entry of a job's stream tells of; its id is the version."""
    return Event(
        version=int(entry.split(b"-")[0]),
        at_ms=int(found[b"at_ms"]),
        move=found[b"move"].decode(),
        source=found[b"source"].decode(),
        target=found[b"target"].decode(),
        actor=found[b"actor"].decode(),
        attempt=int(found[b"attempt"]),
        code=found[b"code"].decode(),
        cause=found[b"cause"].decode(),
    )
