"""What must be true of jobs, lines and breakers, told in a few dictionaries without Valkey or clocks."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

from jobs.pipeline import CHOICES, MOVES, Move, legal
from yousync.job import STAGE_OF, Job, Stage, State

IN_FLIGHT = {State.SUBMITTING: Stage.SUBMIT, State.WAITING: Stage.SUBMIT, State.MIXING: Stage.MIX}
ASKS = {Stage.SUBMIT, Stage.PREPROCESS}  # stages that have nothing to do once a result is there
OUT = 1e12  # those who are in flight already stand so many places further ahead


@dataclass
class Model:
    """One job."""

    id: str
    owner: str
    place: int
    job: Job
    state: State = State.ACCEPTED
    version: int = 1
    run: int = 1
    claim: str = ""
    inbox: bytes | None = None
    late: bytes | None = None
    staged: bool = True
    outcome: State | None = None
    tries: int = 0
    holds: int = 0
    first: int = 1  # the version its log begins with
    path: list[tuple[str, str, str]] = field(default_factory=list)
    gone: bool = False  # its record is
    forgotten: bool = False  # its record only tells for a while that it was deleted

    @property
    def revives(self) -> bool:
        """Whether a result brings it back although its run has ended, or is about to."""
        return self.state is State.PARKED or (self.state is State.PERSISTING and self.outcome is State.PARKED)

    @property
    def unfinished(self) -> bool:
        """Whether something is left to do for it."""
        return not (self.gone or self.forgotten or self.state.final)

    @property
    def stage(self) -> Stage | None:
        return STAGE_OF.get(self.state)

    def afresh(self, run: int) -> None:
        """What a new run starts with."""
        self.run, self.claim, self.outcome, self.tries, self.holds = run, "", None, 0, 0


@dataclass
class Breaker:
    """A stage is shut for all."""

    opens: int = 1
    shut: bool = True  # its pause is not over
    trial: str | None = None  # who tries
    trying: bool = False  # and keeps others from it


@dataclass
class World:
    """All jobs, and who stands where."""

    limits: dict[Stage, int]
    breaker_jobs: int
    jobs: dict[str, Model] = field(default_factory=dict)
    lines: dict[Stage, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    paused: set[Stage] = field(default_factory=set)
    breakers: dict[Stage, Breaker] = field(default_factory=dict)
    suspects: dict[Stage, set[str]] = field(default_factory=lambda: defaultdict(set))
    owners: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    served: int = 0
    last: dict[str, int] = field(default_factory=dict)

    # --- places and lines --------------------------------------------------------------------------

    def take_place(self, owner: str) -> int:
        self.last[owner] = max(self.served, self.last.get(owner, 0)) + 1
        return self.last[owner]

    def enter(self, job: Job) -> None:
        self.owners[job.owner].add(job.id)
        path = [(Move.ACCEPT.value, "", job.state.value)]
        place = self.take_place(job.owner)
        self.jobs[job.id] = Model(job.id, job.owner, place, job, state=job.state, staged=job.kind.recorded, path=path)

    def leave(self, model: Model) -> None:
        """It counts no more for its owner; one without jobs needs no memory of places."""
        self.owners[model.owner].discard(model.id)
        if not self.owners[model.owner]:
            self.last.pop(model.owner, None)

    def revive(self, model: Model) -> None:
        self.owners[model.owner].add(model.id)
        model.place = self.take_place(model.owner)

    def line(self, stage: Stage) -> list[str]:
        """Who stands before a stage, in order."""
        return sorted(self.lines[stage], key=lambda name: (self.lines[stage][name], name))

    def room(self, stage: Stage) -> tuple[float, bool]:
        """How many more jobs the stage takes, and whether that one would be a trial."""
        if stage in self.paused:
            return -math.inf, False
        if (breaker := self.breakers.get(stage)) is not None:
            return (-math.inf, False) if breaker.shut or breaker.trying else (1, True)
        if stage in self.limits:
            taken = sum(not job.gone and IN_FLIGHT.get(job.state) is stage for job in self.jobs.values())
            return self.limits[stage] - taken, False
        return math.inf, False

    def called(self, stage: Stage) -> list[str]:
        """Who in line has to be on the clock once the stage was looked at."""
        free, trial = self.room(stage)
        found = []
        for name in self.line(stage):
            takes = 0 if self.jobs[name].state in IN_FLIGHT and not trial else 1
            if free == -math.inf or takes > max(free, 0):
                break
            found.append(name)
            free -= takes
        return found

    def take(self, model: Model, claim: str) -> None:
        """A worker comes for the job: it gets it (`claim` is not empty), or the job stands in line."""
        stage = model.stage
        assert stage is not None
        go, trial = self._admitted(model, stage)
        assert go == bool(claim), (model, self.lines, self.paused, self.breakers)
        if not go:
            return
        if stage is Stage.SUBMIT:
            self.served += model.place > self.served
        self.step(model, Move.CLAIM, MOVES[Move.CLAIM][model.state], claim=claim)
        if trial:
            self.breakers[stage].trial, self.breakers[stage].trying = model.id, True

    def _admitted(self, model: Model, stage: Stage) -> tuple[bool, bool]:
        free, trial = self.room(stage)
        if stage in ASKS and model.inbox is not None:
            return True, False
        if free == math.inf or (free > -math.inf and model.state in IN_FLIGHT and not trial):
            return True, False
        self.lines[stage].setdefault(model.id, model.place - OUT if model.state in IN_FLIGHT else model.place)
        line = self.line(stage)
        before = line[: line.index(model.id)]
        return sum(trial or self.jobs[name].state not in IN_FLIGHT for name in before) < free, trial

    # --- breakers ----------------------------------------------------------------------------------

    def works(self, stage: Stage) -> None:
        self.suspects[stage].clear()
        self.breakers.pop(stage, None)

    def strike(self, stage: Stage, job_id: str) -> bool:
        """A job failed there; whether the stage is shut now."""
        breaker = self.breakers.get(stage)
        if breaker is not None and breaker.shut:
            return True
        self.suspects[stage].add(job_id)
        if breaker is None and len(self.suspects[stage]) < self.breaker_jobs:
            return False
        self.breakers[stage] = Breaker(opens=breaker.opens + 1 if breaker else 1)
        return True

    def stumble(self, model: Model, *, counted: bool, spent: bool) -> Move | None:
        """What becomes of a failed attempt; None: its budget is spent."""
        stage = model.stage
        assert stage is not None
        shut = self.strike(stage, model.id)
        if not shut and counted and spent:
            return None
        move = Move.HOLD if shut or not counted else Move.RETRY
        model.holds += move is Move.HOLD
        model.tries += move is Move.RETRY
        self.step(model, move, MOVES[move][model.state], claim="")
        if shut:
            self.lines[stage][model.id] = max(model.place, max(self.lines[stage].values(), default=0) + 1)
        return move

    # --- moves -------------------------------------------------------------------------------------

    def step(self, model: Model, move: Move, target: State, *, claim: str | None = None) -> None:
        """One step of the version; `claim` where it changes. Whoever moves has left its line."""
        source = None if model.gone else model.state
        assert legal(move, source, target), (move, source, target)
        model.path.append((move.value, source or "", target.value))
        if source is not None and (stage := model.stage) is not None:
            self.lines[stage].pop(model.id, None)
            breaker = self.breakers.get(stage)
            moved_on = claim is not None or STAGE_OF.get(target) is not stage
            if breaker is not None and moved_on and breaker.trial == model.id:
                breaker.trial, breaker.trying = None, False
        model.state, model.gone = target, False
        model.version += 1
        if claim is not None:
            model.claim = claim

    def close(self, model: Model) -> None:
        model.claim, model.outcome = "", None
        model.staged = model.staged and model.state is State.PARKED
        self.leave(model)

    def deliver(self, model: Model, body: bytes) -> str:
        """A result comes from outside; what is said to it."""
        if model.gone:
            return "unknown"
        if model.state in MOVES[Move.KEEP] and model.inbox is None:
            model.inbox = body
            self.step(model, Move.KEEP, model.state)
            return "kept"
        takes = model.state in MOVES[Move.DELIVER] and (model.state is not State.PERSISTING or model.revives)
        if takes and (model.inbox is None or model.revives):
            if model.revives:
                model.run += 1
                self.revive(model)
            if model.state in {State.SUBMITTING, State.ORDERING}:
                self.works(STAGE_OF[model.state])
            self.step(model, Move.DELIVER, State.RECEIVED, claim="")
            model.inbox, model.outcome, model.tries, model.holds = body, None, 0, 0
            return "delivered"
        return self._too_late(model, body)

    def _too_late(self, model: Model, body: bytes) -> str:
        ended = model.state in MOVES[Move.LATE]
        ending = model.state is State.PERSISTING and model.outcome is not None
        if body in {model.inbox, model.late} or not (ended or ending):
            return "duplicate"
        model.late = body
        if ended:
            self.step(model, Move.LATE, model.state)
        return "late"

    def restart(self, model: Model, target: State) -> str:
        """What an operator is told."""
        if not model.gone and model.state not in CHOICES[Move.RESTART][0]:
            return "refused"
        if target is State.RECEIVED and model.inbox is None:
            return "no_result"
        self._anew(model)
        model.afresh(model.run + 1)
        self.revive(model)
        if target is not State.RECEIVED:
            model.inbox = None
        self.step(model, Move.RESTART, target, claim="")
        return "moved"

    def cancel(self, model: Model) -> str:
        if model.gone or model.state not in MOVES[Move.CANCEL]:
            return "refused"
        if model.state is State.PARKED:
            model.run += 1
            self.revive(model)
        self.step(model, Move.CANCEL, State.PERSISTING, claim="")
        model.outcome, model.tries, model.holds = State.CANCELLED, 0, 0
        return "moved"

    def accept_late(self, model: Model) -> str:
        if model.gone or model.state not in MOVES[Move.ACCEPT_LATE]:
            return "refused"
        if model.late is None:
            return "no_result"
        model.inbox, model.late = model.late, None
        model.afresh(model.run + 1)
        self.revive(model)
        self.step(model, Move.ACCEPT_LATE, State.RECEIVED, claim="")
        return "moved"

    def erase(self, model: Model) -> None:
        if not model.gone and model.state is State.CLEANING:
            return
        model.place = 0 if model.gone else model.place
        self._anew(model)
        self.leave(model)
        self.step(model, Move.ERASE, State.CLEANING, claim="")
        model.inbox = model.late = model.outcome = None
        model.staged, model.tries, model.holds = False, 0, 0

    def forget(self, model: Model, *, tells: bool) -> None:
        """Nothing is left of it but its record, which `tells` for a while."""
        self.works(Stage.CLEAN)
        self.lines[Stage.CLEAN].pop(model.id, None)
        model.claim, model.gone, model.forgotten = "", not tells, tells

    def expire(self, model: Model) -> None:
        """Time takes the record of a job that is over."""
        model.gone, model.forgotten, model.staged = True, False, False
        model.inbox = model.late = None

    def heal(self, model: Model, target: State, run: int) -> bool:
        if model.gone or model.state not in CHOICES[Move.HEAL][0] or model.run > run:
            return False
        model.run = run
        self.step(model, Move.HEAL, target, claim="")
        self.close(model)
        return True

    def _anew(self, model: Model) -> None:
        """A record that is gone begins its log after its last version."""
        if model.gone:
            model.first, model.path = model.version + 1, []
            model.claim, model.outcome, model.tries, model.holds = "", None, 0, 0
