"""The vocabulary of a job: its states, its record, its events, and what clients are shown. Pure values."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What is to be done; decides which stages a job goes through and the words clients see."""

    TOKEN = "token"  # noqa: S105  # a recording of a whole clip, not a credential
    SCRIPT = "script"  # a recording of one sentence
    BATCH = "batch"  # a recording of a whole clip, sent with others
    YOUTUBE = "youtube"  # a video becomes clips, at the preprocess server
    SYNTHESIS = "synthesis"  # a learner's recordings are mixed into a dubbing

    @property
    def recorded(self) -> bool:
        """Whether such a job is a recording, and its end scores."""
        return self in RECORDINGS


RECORDINGS = frozenset({Kind.TOKEN, Kind.SCRIPT, Kind.BATCH})
"""Kinds of which a row is a learner's recording: whoever counts or lists recordings leaves the others out."""


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
    ORDERED = "ordered"  # a video is durable as a wish; next is the preprocess server
    ORDERING = "ordering"  # it is being asked
    PREPARING = "preparing"  # it was asked; its webhook or the deadline comes next
    REQUESTED = "requested"  # a dubbing is durable as a wish; next is its mixing
    MIXING = "mixing"  # the mix stage puts the dubbing into S3
    RECEIVED = "received"  # what the run ends with is durable; next is Postgres
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

BEGINS: dict[Kind, State] = {
    Kind.TOKEN: State.ACCEPTED,
    Kind.SCRIPT: State.ACCEPTED,
    Kind.BATCH: State.ACCEPTED,
    Kind.YOUTUBE: State.ORDERED,
    Kind.SYNTHESIS: State.REQUESTED,
}
"""The state in which a job of each kind comes to be; its row says so until it has ended."""


class Stage(StrEnum):
    """The pieces of work a job goes through, each of which can be paused, held and retried by itself."""

    UPLOAD = "upload"
    SUBMIT = "submit"
    PREPROCESS = "preprocess"
    MIX = "mix"
    PERSIST = "persist"
    CLEAN = "clean"


STAGE_OF: dict[State, Stage] = {
    State.ACCEPTED: Stage.UPLOAD,
    State.UPLOADING: Stage.UPLOAD,
    State.UPLOADED: Stage.SUBMIT,
    State.SUBMITTING: Stage.SUBMIT,
    State.WAITING: Stage.SUBMIT,
    State.ORDERED: Stage.PREPROCESS,
    State.ORDERING: Stage.PREPROCESS,
    State.PREPARING: Stage.PREPROCESS,
    State.REQUESTED: Stage.MIX,
    State.MIXING: Stage.MIX,
    State.RECEIVED: Stage.PERSIST,
    State.PERSISTING: Stage.PERSIST,
    State.CLEANING: Stage.CLEAN,
}
"""The stage an unfinished job is in, or would start next."""


class Status(StrEnum):
    """The words existing clients know."""

    PROCESSING = "processing"
    QUEUED = "queued_for_analysis"  # the analysis server has yet to take it from the queue; not final
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
    token_id: int | None  # None where there is no clip yet
    script_id: int | None
    user_id: int | None
    owner: str  # whose limit this job counts against: "user:7" or "address:203.0.113.9"
    dedupe: str
    container: str  # decided by content; the S3 key's extension
    s3_key: str  # of the recording, or of what the job makes; empty where there is no audio
    size: int  # bytes of the recording
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
    request: Mapping[str, Any] | None = None  # what a job without a recording is to do
    queued: bool = False  # the analysis server was asked by way of a queue

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
    kind: Kind
    user_id: int | None  # whose it is; never shown
    token_id: int | None
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
        return self.status in {Status.COMPLETED, Status.FAILED}


PROGRESS: dict[State, int] = {
    State.ACCEPTED: 10,
    State.UPLOADING: 40,
    State.UPLOADED: 40,
    State.SUBMITTING: 70,
    State.WAITING: 90,
    State.ORDERED: 10,
    State.ORDERING: 40,
    State.PREPARING: 70,
    State.REQUESTED: 10,
    State.MIXING: 40,
    State.RECEIVED: 90,
    State.PERSISTING: 90,
    State.COMPLETED: 100,
    State.FAILED: 0,
    State.PARKED: 0,
    State.CANCELLED: 0,
    State.CLEANING: 0,
}

PROGRESS_OF: dict[Kind, dict[State, int]] = {
    Kind.BATCH: {
        **dict.fromkeys((State.UPLOADING, State.UPLOADED), 20),
        **dict.fromkeys((State.SUBMITTING,), 50),
        **dict.fromkeys((State.WAITING, State.RECEIVED, State.PERSISTING), 80),
    },
    Kind.YOUTUBE: dict.fromkeys((State.RECEIVED, State.PERSISTING), 70),
}
"""Where a kind of job is said to be elsewhere than others."""

MESSAGES: dict[State, str] = {
    State.ACCEPTED: "오디오 업로드를 시작했습니다",
    State.UPLOADING: "오디오를 저장하고 있습니다",
    State.UPLOADED: "오디오를 저장하고 있습니다",
    State.SUBMITTING: "분석을 요청하고 있습니다",
    State.WAITING: "분석 결과를 기다리고 있습니다",
    State.ORDERED: "영상 처리 요청을 접수했습니다",
    State.ORDERING: "영상 처리를 요청하고 있습니다",
    State.PREPARING: "영상을 처리하고 있습니다",
    State.REQUESTED: "더빙 합성 요청을 접수했습니다",
    State.MIXING: "더빙을 합성하고 있습니다",
    State.RECEIVED: "분석 결과를 저장하고 있습니다",
    State.PERSISTING: "분석 결과를 저장하고 있습니다",
    State.COMPLETED: "분석이 완료되었습니다",
    State.FAILED: "분석에 실패했습니다",
    State.PARKED: "분석이 지연되고 있습니다. 잠시 후 다시 확인해 주세요",
    State.CANCELLED: "분석이 취소되었습니다",
    State.CLEANING: "삭제된 녹음입니다",
}

MESSAGES_OF: dict[Kind, dict[State, str]] = {
    Kind.YOUTUBE: {
        **dict.fromkeys((State.RECEIVED, State.PERSISTING), "영상 처리 결과를 저장하고 있습니다"),
        State.COMPLETED: "영상 처리가 완료되었습니다",
        State.FAILED: "영상 처리에 실패했습니다",
        State.PARKED: "영상 처리가 지연되고 있습니다. 잠시 후 다시 확인해 주세요",
        State.CANCELLED: "영상 처리가 취소되었습니다",
        State.CLEANING: "삭제된 작업입니다",
    },
    Kind.SYNTHESIS: {
        **dict.fromkeys((State.RECEIVED, State.PERSISTING), "더빙을 저장하고 있습니다"),
        State.COMPLETED: "더빙 합성이 완료되었습니다",
        State.FAILED: "더빙 합성에 실패했습니다",
        State.PARKED: "더빙 합성이 지연되고 있습니다. 잠시 후 다시 확인해 주세요",
        State.CANCELLED: "더빙 합성이 취소되었습니다",
        State.CLEANING: "삭제된 더빙입니다",
    },
}
"""What is said of kinds that are not about recordings."""


def progress_of(kind: Kind, state: State) -> int:
    """How far a job of this kind has got, 0 to 100."""
    return PROGRESS_OF.get(kind, {}).get(state, PROGRESS[state])


def message_of(kind: Kind, state: State) -> str:
    """What a learner is told of a job of this kind in this state."""
    return MESSAGES_OF.get(kind, {}).get(state, MESSAGES[state])


def clips_of(view: View) -> tuple[int | None, list[int] | None]:
    """The first clip that was made of a video, and all of them; nothing until its job is completed."""
    token_ids = view.result["token_ids"] if view.result else None
    return (token_ids[0] if token_ids else None), token_ids


def public_status(state: State) -> Status:
    """The client's word for a state: what will bring no result is `failed`, with a message of its own."""
    if state is State.COMPLETED:
        return Status.COMPLETED
    return Status.FAILED if state.final or state is State.CLEANING else Status.PROCESSING


def new_job_id(kind: Kind) -> str:
    """A 128-bit random capability: 32 hex digits for scripts and videos, UUID4 with dashes for all others."""
    value = uuid.uuid4()
    return value.hex if kind in {Kind.SCRIPT, Kind.YOUTUBE} else str(value)


_JOB_ID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


def is_job_id(text: str) -> bool:
    """Whether `text` could be a job id at all; asked before it becomes part of a key."""
    return _JOB_ID.fullmatch(text) is not None
