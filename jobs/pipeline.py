"""The state machine as data: every legal move.

    a recording  accepted → uploading → uploaded → submitting → waiting ┐
    a video      ordered → ordering → preparing ────────────────────────┼→ received → persisting → completed
    a dubbing    requested → mixing ────────────────────────────────────┘                 ├──→ failed
    any state before persisting ── settle, cancel: the outcome is decided ──→ persisting ─┼──→ parked
                                                                                          └──→ cancelled
    any ended state ── restart: by an operator ──→ where a stage of its kind begins, as a new run
    any state ── erase: the recording is deleted ──→ cleaning → (no record)

Every way to an end leads through `persisting`: whatever the outcome, Postgres has it before anyone is told.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from yousync.job import Kind, Stage, State

S = State


class Move(StrEnum):
    """Why a job changes state; recorded with each event."""

    ACCEPT = "accept"  # a learner's upload, or wish, is durable
    CLAIM = "claim"  # a worker takes the lease and starts the next stage
    FINISH = "finish"  # a stage did its work
    ASK = "ask"  # from here on the analysis server, or the preprocess server, may know of the job
    REFUSED = "refused"  # it answered that it has not taken the job
    WAIT = "wait"  # asked, nobody needs to hold the lease
    DELIVER = "deliver"  # a result came: by webhook, in a reply, or from the status URL
    KEEP = "keep"  # a result came before we could have asked for it: stored until we are there
    RETRY = "retry"  # this job's own failure, counted
    HOLD = "hold"  # a dependency is down, nothing counted
    RELEASE = "release"  # the worker is going away, nothing counted
    SETTLE = "settle"  # the outcome is decided: failed, parked or cancelled
    CONCLUDE = "conclude"  # Postgres has the outcome
    ADOPT = "adopt"  # the reconciler gives an unfinished row a record again
    HEAL = "heal"  # a record restored from a backup learns that Postgres has its end
    LATE = "late"  # a result came after the end: kept for an operator to accept
    RESTART = "restart"  # an operator lets an ended job go on
    CANCEL = "cancel"  # an operator ends an unfinished or parked job
    ACCEPT_LATE = "accept_late"  # an operator takes the late result for the job's own
    ERASE = "erase"  # the recording was deleted: its audio goes, then the record


_BACK: Final = {
    S.UPLOADING: S.ACCEPTED,
    S.SUBMITTING: S.UPLOADED,
    S.ORDERING: S.ORDERED,
    S.MIXING: S.REQUESTED,
    S.PERSISTING: S.PERSISTING,
    S.CLEANING: S.CLEANING,
}
"""Where a stage goes that did not finish."""

_RUNNING: Final = (
    *(S.ACCEPTED, S.UPLOADING, S.UPLOADED, S.SUBMITTING, S.WAITING),
    *(S.ORDERED, S.ORDERING, S.PREPARING),
    *(S.REQUESTED, S.MIXING),
    S.RECEIVED,
)
_ENDED: Final = (S.COMPLETED, S.FAILED, S.PARKED, S.CANCELLED)

MOVES: Final = MappingProxyType(
    {
        Move.CLAIM: {
            S.ACCEPTED: S.UPLOADING,
            S.UPLOADING: S.UPLOADING,
            S.UPLOADED: S.SUBMITTING,
            S.SUBMITTING: S.SUBMITTING,
            S.WAITING: S.SUBMITTING,
            S.ORDERED: S.ORDERING,
            S.ORDERING: S.ORDERING,
            S.PREPARING: S.ORDERING,
            S.REQUESTED: S.MIXING,
            S.MIXING: S.MIXING,
            S.RECEIVED: S.PERSISTING,
            S.PERSISTING: S.PERSISTING,
            S.CLEANING: S.CLEANING,
        },
        Move.FINISH: {
            S.UPLOADING: S.UPLOADED,
            S.SUBMITTING: S.RECEIVED,
            S.ORDERING: S.RECEIVED,
            S.MIXING: S.RECEIVED,
        },
        Move.ASK: {S.SUBMITTING: S.SUBMITTING, S.ORDERING: S.ORDERING},
        Move.REFUSED: {S.SUBMITTING: S.SUBMITTING, S.ORDERING: S.ORDERING},
        Move.WAIT: {S.SUBMITTING: S.WAITING, S.ORDERING: S.PREPARING},
        Move.DELIVER: {
            S.UPLOADED: S.RECEIVED,
            S.SUBMITTING: S.RECEIVED,
            S.WAITING: S.RECEIVED,
            S.ORDERED: S.RECEIVED,
            S.ORDERING: S.RECEIVED,
            S.PREPARING: S.RECEIVED,
            S.PERSISTING: S.RECEIVED,  # only while its outcome is to be parked
            S.PARKED: S.RECEIVED,
        },
        Move.KEEP: {S.ACCEPTED: S.ACCEPTED, S.UPLOADING: S.UPLOADING},
        Move.RETRY: _BACK,
        Move.HOLD: _BACK,
        Move.RELEASE: _BACK,
        Move.SETTLE: {
            S.UPLOADING: S.PERSISTING,
            S.SUBMITTING: S.PERSISTING,
            S.ORDERING: S.PERSISTING,
            S.MIXING: S.PERSISTING,
            S.PERSISTING: S.PERSISTING,
        },
        Move.LATE: {S.COMPLETED: S.COMPLETED, S.FAILED: S.FAILED, S.CANCELLED: S.CANCELLED},
        Move.CANCEL: dict.fromkeys((*_RUNNING, S.PARKED), S.PERSISTING),
        Move.ACCEPT_LATE: {S.COMPLETED: S.RECEIVED, S.FAILED: S.RECEIVED, S.CANCELLED: S.RECEIVED},
        Move.ERASE: dict.fromkeys((*_RUNNING, S.PERSISTING, *_ENDED), S.CLEANING),
    }
)
"""Move → {from: to}. Together with CHOICES and ENTRIES, every move there is."""

CHOICES: Final = MappingProxyType(
    {
        # wherever the row in Postgres says
        Move.CONCLUDE: ((S.PERSISTING,), _ENDED),
        Move.HEAL: ((*_RUNNING, S.PERSISTING, S.PARKED), _ENDED),
        # wherever the operator says
        Move.RESTART: (_ENDED, (S.ACCEPTED, S.UPLOADED, S.ORDERED, S.REQUESTED, S.RECEIVED)),
    }
)
"""Move → (from any of these, to any of those)."""

RESTARTS: Final = MappingProxyType(
    {
        Stage.UPLOAD: S.ACCEPTED,
        Stage.SUBMIT: S.UPLOADED,
        Stage.PREPROCESS: S.ORDERED,
        Stage.MIX: S.REQUESTED,
        Stage.PERSIST: S.RECEIVED,
    }
)
"""The state from which a job begins each stage."""

_RECORDED: Final = (Stage.UPLOAD, Stage.SUBMIT, Stage.PERSIST)
BEGINNINGS: Final = MappingProxyType(
    {
        Kind.TOKEN: _RECORDED,
        Kind.SCRIPT: _RECORDED,
        Kind.BATCH: _RECORDED,
        Kind.YOUTUBE: (Stage.PREPROCESS, Stage.PERSIST),
        Kind.SYNTHESIS: (Stage.MIX,),
    }
)
"""The stages a job of each kind may begin with: the first when it is accepted, all of them when it is restarted."""


def resumed(kind: Kind) -> Stage:
    """The stage from which a job goes on of which only its row, and what S3 has, is left."""
    return Stage.SUBMIT if kind.recorded else BEGINNINGS[kind][0]


ENTRIES: Final = MappingProxyType(
    {
        Move.ACCEPT: (S.ACCEPTED, S.ORDERED, S.REQUESTED),
        Move.ADOPT: (S.UPLOADED, S.ORDERED, S.REQUESTED),
        Move.RESTART: (S.ACCEPTED, S.UPLOADED, S.ORDERED, S.REQUESTED),
        Move.ERASE: (S.CLEANING,),
    }
)
"""How a record comes to be; all but the first make it anew from its row."""


def legal(move: Move, source: State | None, target: State) -> bool:
    """Whether `move` may take a job from `source` (None: no record) to `target`."""
    if source is None:
        return target in ENTRIES.get(move, ())
    if move in CHOICES:
        sources, targets = CHOICES[move]
        return source in sources and target in targets
    return MOVES.get(move, {}).get(source) is target
