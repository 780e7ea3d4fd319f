"""The state machine as data: every legal move, and the three stages that do the work.

    accepted → uploading → uploaded → submitting → waiting → received → persisting → completed
                                                                              ├──→ failed
    any state up to waiting ── settle: the outcome is decided ──→ persisting ─┼──→ parked
                                                                              └──→ cancelled

Every way out leads through `persisting`: whatever the outcome, Postgres has it before anyone is told.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from yousync.job import State

S = State


class Move(StrEnum):
    """Why a job changes state; recorded with each event."""

    ACCEPT = "accept"  # a learner's upload is durable
    CLAIM = "claim"  # a worker takes the lease and starts the next stage
    FINISH = "finish"  # a stage did its work
    ASK = "ask"  # from here on the analysis server may know of the job
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


_BACK: Final = {S.UPLOADING: S.ACCEPTED, S.SUBMITTING: S.UPLOADED, S.PERSISTING: S.PERSISTING}
"""Where a stage goes that did not finish."""

MOVES: Final = MappingProxyType(
    {
        Move.CLAIM: {
            S.ACCEPTED: S.UPLOADING,
            S.UPLOADING: S.UPLOADING,
            S.UPLOADED: S.SUBMITTING,
            S.SUBMITTING: S.SUBMITTING,
            S.WAITING: S.SUBMITTING,
            S.RECEIVED: S.PERSISTING,
            S.PERSISTING: S.PERSISTING,
        },
        Move.FINISH: {S.UPLOADING: S.UPLOADED, S.SUBMITTING: S.RECEIVED},
        Move.ASK: {S.SUBMITTING: S.SUBMITTING},
        Move.REFUSED: {S.SUBMITTING: S.SUBMITTING},
        Move.WAIT: {S.SUBMITTING: S.WAITING},
        Move.DELIVER: {
            S.UPLOADED: S.RECEIVED,
            S.SUBMITTING: S.RECEIVED,
            S.WAITING: S.RECEIVED,
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
            S.PERSISTING: S.PERSISTING,
        },
    }
)
"""Move → {from: to}. Together with CONCLUSIONS and the two ways in, every move there is."""

CONCLUSIONS: Final = frozenset({S.COMPLETED, S.FAILED, S.PARKED, S.CANCELLED})
"""Where CONCLUDE may go from PERSISTING: wherever the row in Postgres says."""

ENTRIES: Final = MappingProxyType({Move.ACCEPT: S.ACCEPTED, Move.ADOPT: S.UPLOADED})
"""How a record comes to be."""


def legal(move: Move, source: State | None, target: State) -> bool:
    """Whether `move` may take a job from `source` (None: no record) to `target`."""
    if source is None:
        return ENTRIES.get(move) is target
    if move is Move.CONCLUDE:
        return source is S.PERSISTING and target in CONCLUSIONS
    return MOVES.get(move, {}).get(source) is target
