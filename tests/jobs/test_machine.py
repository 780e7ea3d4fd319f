"""Any order of workers, crashes, results and sweeps keeps the record, its log and its indexes consistent.

The real script on a real Valkey, driven by Hypothesis against a model of a few dictionaries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings as hypothesis_settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import sampled_from
from redis.asyncio import Redis
from typing_extensions import override

from jobs.pipeline import MOVES, Move, legal
from jobs.script import Fenced
from jobs.store import Due, Store
from tests.jobs.conftest import a_job
from tests.valkey_command import command
from yousync.job import Job, State
from yousync.settings import Settings

T = TypeVar("T")
SIZE = 100
NEXT_STAGE = MOVES[Move.CLAIM]


@dataclass
class Model:
    """What must be true of one job, told without Valkey."""

    state: State = State.ACCEPTED
    version: int = 1
    run: int = 1
    claim: str = ""
    inbox: bool = False
    staged: bool = True
    outcome: State | None = None
    tries: int = 0
    path: list[tuple[str, str, str]] = field(default_factory=lambda: [(Move.ACCEPT.value, "", State.ACCEPTED.value)])

    @property
    def revives(self) -> bool:
        """Whether a result brings it back although its run has ended, or is about to."""
        return self.state is State.PARKED or (self.state is State.PERSISTING and self.outcome is State.PARKED)

    def step(self, move: Move, target: State) -> None:
        assert legal(move, self.state, target), (move, self.state, target)
        self.path.append((move.value, self.state.value, target.value))
        self.state = target
        self.version += 1


class Machine(RuleBasedStateMachine):
    """Jobs, the claims workers believe to hold, and everything that may happen to them."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")
    settings_: Settings

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.models: dict[str, Model] = {}

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @initialize()
    def connect(self) -> None:
        async def fresh() -> Redis:
            valkey: Redis = Redis.from_url(self.settings_.redis_url.get_secret_value())
            await valkey.flushall()
            return valkey

        self.valkey = self.wait(fresh())
        self.store = Store(self.valkey, self.valkey, self.settings_)

    @override
    def teardown(self) -> None:
        if hasattr(self, "valkey"):
            self.wait(self.valkey.aclose())
        self.runner.close()

    def read(self, job_id: str) -> Job:
        job = self.wait(self.store.read(job_id))
        assert job is not None
        return job

    @rule(target=jobs)
    def accept(self) -> str:
        job = a_job(size=SIZE)
        self.wait(self.store.stage(job.id, b"x"))
        self.wait(self.store.accept(job, owner_limit=1000))
        self.models[job.id] = Model()
        return job.id

    @rule(target=claims, job_id=jobs, behind=sampled_from([0, 0, 0, 1]))
    def claim(self, job_id: str, behind: int) -> Any:
        """A hand-over arrives at a worker, now and then one of an older version."""
        model = self.models[job_id]
        held = self.wait(self.store.claim(job_id, model.version - behind))
        target = NEXT_STAGE.get(model.state)
        if behind or target is None:
            assert held is None
            return multiple()
        assert held is not None
        model.step(Move.CLAIM, target)
        model.claim = held.claim
        return held

    @rule(job_id=jobs)
    def lease_lapses(self, job_id: str) -> None:
        """The clock comes to this job: whoever has it is believed dead."""
        if not self.models[job_id].state.final:
            self.wait(command(self.valkey, "ZADD", "yousync:due", 1, job_id))
            self.wait(self.store.sweep())

    def attempt(self, held: Job, move: Move, **options: Any) -> bool:
        model = self.models[held.id]
        target = MOVES[move].get(model.state)
        if model.claim != held.claim or target is None:
            with pytest.raises(Fenced):
                self.wait(self.store.move(held, move, **options))
            return False
        self.wait(self.store.move(held, move, **options))
        model.step(move, target)
        if not options.get("keep_claim"):
            model.claim = ""
        return True

    @rule(held=consumes(claims))
    def finish(self, held: Job) -> None:
        unstage = held.state is State.UPLOADING
        if self.attempt(held, Move.FINISH, unstage=unstage) and unstage:
            self.models[held.id].staged = False

    @rule(held=consumes(claims), move=sampled_from([Move.RETRY, Move.HOLD, Move.RELEASE, Move.WAIT]))
    def give_up_the_claim(self, held: Job, move: Move) -> None:
        self.attempt(held, move, due=Due(seconds=60))

    @rule(held=claims)
    def ask(self, held: Job) -> None:
        self.attempt(held, Move.ASK, keep_claim=True, stamps=["asked_ms"], asks=1)

    @rule(held=claims, outcome=sampled_from([State.FAILED, State.PARKED, State.CANCELLED]))
    def settle(self, held: Job, outcome: State) -> None:
        if self.attempt(held, Move.SETTLE, keep_claim=True, outcome=outcome):
            self.models[held.id].outcome = outcome

    @rule(held=consumes(claims))
    def conclude(self, held: Job) -> None:
        model = self.models[held.id]
        outcome = model.outcome or State.COMPLETED
        if model.claim != held.claim or model.state is not State.PERSISTING:
            with pytest.raises(Fenced):
                self.wait(self.store.conclude(held, outcome, code=""))
            return
        self.wait(self.store.conclude(held, outcome, code=""))
        model.step(Move.CONCLUDE, outcome)
        model.claim, model.outcome = "", None
        model.staged = model.staged and outcome is State.PARKED

    @rule(held=claims)
    def renew(self, held: Job) -> None:
        if self.models[held.id].claim == held.claim:
            self.wait(self.store.renew(held))
        else:
            with pytest.raises(Fenced):
                self.wait(self.store.renew(held))

    @rule(job_id=jobs)
    def deliver(self, job_id: str) -> None:
        model = self.models[job_id]
        reply = self.wait(self.store.deliver(job_id, b"{}"))
        if model.state in MOVES[Move.KEEP] and not model.inbox:
            assert reply == "kept"
            model.inbox = True
            model.step(Move.KEEP, model.state)
        elif model.revives or (model.state in MOVES[Move.DELIVER].keys() - {State.PERSISTING} and not model.inbox):
            assert reply == "delivered"
            model.run += model.revives
            model.inbox, model.claim, model.outcome = True, "", None
            model.step(Move.DELIVER, State.RECEIVED)
        else:
            assert reply == "duplicate"

    @invariant()
    def records_say_what_the_model_says(self) -> None:
        for job_id, model in self.models.items():
            job = self.read(job_id)
            assert (job.state, job.version, job.run, job.claim) == (model.state, model.version, model.run, model.claim)
            assert (job.inbox, job.outcome) == (model.inbox, model.outcome)

    @invariant()
    def logs_are_legal_paths_without_gaps(self) -> None:
        for job_id, model in self.models.items():
            events = self.wait(self.store.events(job_id))
            assert [event.version for event in events] == list(range(1, model.version + 1))
            assert [(event.move, event.source, event.target) for event in events] == model.path

    @invariant()
    def every_unfinished_job_is_on_the_clock(self) -> None:
        if hasattr(self, "valkey"):
            due = {name.decode() for name in self.wait(command(self.valkey, "ZRANGE", "yousync:due", 0, -1))}
            assert due == {job_id for job_id, model in self.models.items() if not model.state.final}

    @invariant()
    def indexes_and_budgets_are_sums_over_what_is_there(self) -> None:
        if not hasattr(self, "valkey"):
            return
        for state in State:
            indexed = {
                name.decode() for name in self.wait(command(self.valkey, "ZRANGE", f"yousync:state:{state}", 0, -1))
            }
            assert indexed == {job_id for job_id, model in self.models.items() if model.state is state}
        staged = int(self.wait(command(self.valkey, "GET", "yousync:staged_bytes")) or 0)
        assert staged == SIZE * sum(model.staged for model in self.models.values())
        running = sum(not model.state.final for model in self.models.values())
        assert self.wait(command(self.valkey, "SCARD", "yousync:owner:address:192.0.2.1")) == running


def test_no_order_of_events_breaks_a_record(settings: Settings) -> None:
    Machine.settings_ = settings
    run_state_machine_as_test(
        Machine,
        settings=hypothesis_settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
