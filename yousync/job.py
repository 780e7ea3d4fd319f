"""The vocabulary of a job: its states, its record, its events, and what clients are shown. Pure values."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What was uploaded; decides the request the analysis server gets and the words clients see."""

    TOKEN = "token"  # noqa: S105  # a clip, not a credential
    SCRIPT = "script"


class State(StrEnum):
    """Where a job is. The legal moves between states are `jobs.pipeline.MOVES`.

    A state ending in -ing belongs to a stage that is running (or backing off); a past participle waits for
    the next stage.
    """

    ACCEPTED = "accepted"  # staged and durable; the learner has a 202
    UPLOADING = "uploading"  # the upload stage puts the audio into S3
    UPLOADED = "uploaded"  # S3 has it; next is the analysis server
    SUBMITTING = "submitting"  # the analysis request is being made
    WAITING = "waiting"  # asked; the webhook or the deadline comes next
    RECEIVED = "received"  # the webhook's body is durable; next is Postgres
    PERSISTING = "persisting"  # the outcome is being written to Postgres
    COMPLETED = "completed"  # Postgres holds the scores
    FAILED = "failed"  # permanent: trying again cannot help
    PARKED = "parked"  # a budget or deadline is spent: can be resumed
    CANCELLED = "cancelled"  # by an operator or the learner
    CLEANING = "cleaning"  # deleted: its audio is being removed, then the record goes

    @property
    def final(self) -> bool:
        """True once Postgres has the outcome; only an operator or a late result moves on from here."""
        return self in FINAL_STATES


FINAL_STATES = frozenset({State.COMPLETED, State.FAILED, State.PARKED, State.CANCELLED})


class Stage(StrEnum):
    """The pieces of work a job goes through, each of which can be paused, held and retried by itself."""

    UPLOAD = "upload"
    SUBMIT = "submit"
    PERSIST = "persist"
    CLEAN = "clean"


STAGE_OF: dict[State, Stage] = {
    State.ACCEPTED: Stage.UPLOAD,
    State.UPLOADING: Stage.UPLOAD,
    State.UPLOADED: Stage.SUBMIT,
    State.SUBMITTING: Stage.SUBMIT,
    State.WAITING: Stage.SUBMIT,
    State.RECEIVED: Stage.PERSIST,
    State.PERSISTING: Stage.PERSIST,
    State.CLEANING: Stage.CLEAN,
}
"""The stage an unfinished job is in, or would start next."""


class Status(StrEnum):
    """The words existing clients know."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job's record, as it stands in Valkey. Times are milliseconds since 1970 on Valkey's clock.

    `version` rises by one with every move and numbers the event log; `run` rises when a job that had ended
    goes on; `claim` is the random id of the worker holding the lease, empty when nobody does.
    """

    id: str
    kind: Kind
    state: State
    version: int
    run: int
    claim: str
    token_id: int
    script_id: int | None
    user_id: int | None
    owner: str  # whose limit this job counts against: "user:7" or "address:203.0.113.9"
    dedupe: str
    container: str  # decided by content; the S3 key's extension
    s3_key: str
    size: int  # bytes
    duration_ms: int
    incarnation: str
    progress: int
    created_ms: int
    updated_ms: int
    tries: int = 0  # failures of the present stage that count against its budget
    holds: int = 0  # times in a row the present stage found its dependency down
    lapses: int = 0  # leases in a row that ran out: a worker died, or a job kills workers
    asks: int = 0  # requests that may have reached the analysis server in this run
    asked_ms: int = 0  # when the last of them was begun, 0 when none is open
    began_ms: int = 0  # when this run began
    inbox: bool = False  # a webhook body is stored
    late: bool = False  # another result came after the end; an operator may accept it
    outcome: State | None = None  # decided, and on its way to Postgres
    stage: str = ""  # where a job that was settled had got to
    code: str = ""  # error code of the last failure
    message: str = ""  # what the learner is told about it
    request_id: str = ""  # of the upload: the thread through everybody's logs

    @property
    def created_at(self) -> datetime:
        """When the upload was accepted."""
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a job's log: what moved it, from where to where, and why."""

    version: int
    at_ms: int
    move: str
    source: str
    target: str
    actor: str  # which process, or which operator
    attempt: int = 0
    code: str = ""
    cause: str = ""  # for ops; never shown to learners


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What clients see of a job. `version` orders views of one job (run, version)."""

    job_id: str
    token_id: int
    status: Status
    progress: int  # 0-100
    result: Any
    message: str | None
    created_at: datetime
    version: tuple[int, int]
    moved_ms: int = 0  # when the record got there, by Valkey's clock; 0 where there is none to say

    @property
    def final(self) -> bool:
        """True when clients need not wait any longer."""
        return self.status is not Status.PROCESSING


PROGRESS: dict[State, int] = {
    State.ACCEPTED: 10,
    State.UPLOADING: 40,
    State.UPLOADED: 40,
    State.SUBMITTING: 70,
    State.WAITING: 90,
    State.RECEIVED: 90,
    State.PERSISTING: 90,
    State.COMPLETED: 100,
    State.FAILED: 0,
    State.PARKED: 0,
    State.CANCELLED: 0,
    State.CLEANING: 0,
}

MESSAGES: dict[State, str] = {
    State.ACCEPTED: "오디오 업로드를 시작했습니다",
    State.UPLOADING: "오디오를 저장하고 있습니다",
    State.UPLOADED: "오디오를 저장하고 있습니다",
    State.SUBMITTING: "분석을 요청하고 있습니다",
    State.WAITING: "분석 결과를 기다리고 있습니다",
    State.RECEIVED: "분석 결과를 저장하고 있습니다",
    State.PERSISTING: "분석 결과를 저장하고 있습니다",
    State.COMPLETED: "분석이 완료되었습니다",
    State.FAILED: "분석에 실패했습니다",
    State.PARKED: "분석이 지연되고 있습니다. 잠시 후 다시 확인해 주세요",
    State.CANCELLED: "분석이 취소되었습니다",
    State.CLEANING: "삭제된 녹음입니다",
}


def public_status(state: State) -> Status:
    """The client's word for a state: what will bring no result is `failed`, with a message of its own."""
    if state is State.COMPLETED:
        return Status.COMPLETED
    return Status.FAILED if state.final or state is State.CLEANING else Status.PROCESSING


def new_job_id(kind: Kind) -> str:
    """A 128-bit random capability: UUID4 with dashes for tokens, 32 hex digits for scripts."""
    value = uuid.uuid4()
    return str(value) if kind is Kind.TOKEN else value.hex


_JOB_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


def is_job_id(text: str) -> bool:
    """Whether `text` could be a job id at all; asked before it becomes part of a key."""
    return _JOB_ID.fullmatch(text) is not None
