"""Any order of workers, crashes, results, operators and sweeps keeps records, logs, lines and indexes consistent.

The real script on a real Valkey, driven by Hypothesis against the model in model.py.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, replace
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
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import booleans, integers, lists, sampled_from, tuples
from redis.asyncio import Redis
from typing_extensions import override

from jobs.encoding import event_of, fields_of, job_of
from jobs.pipeline import CHOICES, MOVES, Move
from jobs.script import Fenced
from jobs.store import Due, Store
from tests.jobs.conftest import a_job
from tests.jobs.model import Model, World
from tests.valkey_command import command
from yousync.job import BEGINS, STAGE_OF, Event, Job, Kind, Stage, State
from yousync.settings import Settings

T = TypeVar("T")
SIZE = 100
OWNERS = ["address:192.0.2.1", "user:7"]
LONG = 500.0  # seconds: breakers open again only when a rule says so
ENDED = CHOICES[Move.RESTART][0]
BODIES = [b'{"n":1}', b'{"n":2}']


@dataclass
class Seen:
    """All that lies in Valkey, read at one moment."""

    jobs: dict[str, Job]
    logs: dict[str, list[Event]]
    ttls: dict[str, tuple[int, int]]  # of record and log, -1: it stays
    due: set[str]
    states: dict[State, set[str]]
    lines: dict[Stage, list[str]]
    gates: dict[Stage, tuple[bool, bool, set[str]]]  # paused, breaker there, suspects
    owners: dict[str, set[str]]
    staged_bytes: int


class Machine(RuleBasedStateMachine):
    """Jobs, the claims workers believe to hold, and everything that may happen to them."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")
    settings_: Settings

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = World(
            limits={
                Stage.SUBMIT: self.settings_.analysis_max_in_flight,
                Stage.MIX: self.settings_.mix_max_in_flight,
            },
            breaker_jobs=self.settings_.breaker_jobs,
        )
        self._seen: Seen | None = None

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        self._seen = None
        return self.runner.get_loop().run_until_complete(coroutine)

    def send(self, *words: Any) -> Any:
        return self.wait(command(self.valkey, *words))

    @initialize(target=jobs, worked=tuples(*[integers(0, 5)] * 5))
    def begin(self, worked: tuple[int, ...]) -> Any:
        """A few jobs, each some way along."""

        async def fresh() -> Redis:
            valkey: Redis = Redis.from_url(self.settings_.redis_url.get_secret_value())
            await valkey.flushall()
            return valkey

        self.valkey = self.wait(fresh())
        self.store = Store(self.valkey, self.valkey, self.settings_)
        kinds = [Kind.SCRIPT, Kind.SCRIPT, Kind.SCRIPT, Kind.YOUTUBE, Kind.SYNTHESIS]
        names = [self.accept(OWNERS[number % 2], kind) for number, kind in enumerate(kinds)]
        for name, times in zip(names, worked, strict=True):
            for _ in range(times):
                self.work(name)
        return multiple(*names)

    @override
    def teardown(self) -> None:
        if hasattr(self, "valkey"):
            self.wait(self.valkey.aclose())
        self.runner.close()

    # --- uploads and results -----------------------------------------------------------------------

    @precondition(lambda self: len(self.world.jobs) < 7)
    @rule(target=jobs, owner=sampled_from(OWNERS), kind=sampled_from([Kind.SCRIPT, Kind.YOUTUBE, Kind.SYNTHESIS]))
    def upload(self, owner: str, kind: Kind) -> str:
        return self.accept(owner, kind)

    def accept(self, owner: str, kind: Kind) -> str:
        size = SIZE if kind.recorded else 0
        job = a_job(id=f"{len(self.world.jobs):032x}", size=size, owner=owner, kind=kind, state=BEGINS[kind])
        if kind.recorded:
            self.wait(self.store.stage(job.id, b"x"))
        self.world.enter(self.wait(self.store.accept(job, owner_limit=1000)))
        return job.id

    @rule(job_id=jobs, body=sampled_from(BODIES))
    def deliver(self, job_id: str, body: bytes) -> None:
        assert self.wait(self.store.deliver(job_id, body)) == self.world.deliver(self.world.jobs[job_id], body)

    # --- workers -----------------------------------------------------------------------------------

    @rule(target=claims, job_id=jobs, behind=sampled_from([0, 0, 0, 1]))
    def claim(self, job_id: str, behind: int) -> Any:
        """A hand-over arrives at a worker, now and then one of an older version."""
        return self.take(job_id, behind) or multiple()

    def take(self, job_id: str, behind: int = 0) -> Job | None:
        model = self.world.jobs[job_id]
        if model.forgotten:
            return None  # its last hand-over was taken back
        held = self.wait(self.store.claim(job_id, model.version - behind))
        if behind or model.gone or model.state not in MOVES[Move.CLAIM]:
            assert held is None
        else:
            self.world.take(model, held.claim if held else "")
        return held

    @rule(shift=lists(tuples(jobs, sampled_from(["well", "well", "badly"])), min_size=1, max_size=6))
    def workers_do_what_they_do(self, shift: list[tuple[str, str]]) -> None:
        """Workers that live through their attempts, one after the other."""
        for job_id, how in shift:
            if how == "well":
                self.work(job_id)
            elif (held := self.take(job_id)) is not None:
                self.stumble(held, counted=True, spent=False)

    @rule(how=sampled_from(["well", "badly"]))
    def everybody_comes(self, how: str) -> None:
        """All jobs' turns, as after a breaker opened or a stage broke."""
        self.workers_do_what_they_do([(name, how) for name in list(self.world.jobs)])

    def work(self, job_id: str) -> None:
        """One attempt that goes well, or the result that a job waits for."""
        if self.world.jobs[job_id].state in {State.WAITING, State.PREPARING}:
            self.deliver(job_id, BODIES[0])
        elif (held := self.take(job_id)) is not None:
            match held.state:
                case State.UPLOADING | State.MIXING:
                    self.finish(held, on=False)
                case State.SUBMITTING | State.ORDERING if not held.inbox:
                    self.give_up_the_claim(held, Move.WAIT)
                case State.SUBMITTING | State.ORDERING:
                    self.finish(held, on=True)
                case State.PERSISTING:
                    self.conclude(held)
                case _:
                    self.forget(held)

    def fits(self, held: Job, move: Move) -> bool:
        """Whether this move is theirs to make."""
        model = self.world.jobs[held.id]
        return not model.gone and model.claim == held.claim and model.state in MOVES[move]

    def attempt(self, held: Job, move: Move, **options: Any) -> Job | None:
        model = self.world.jobs[held.id]
        if not self.fits(held, move):
            with pytest.raises(Fenced):
                self.wait(self.store.move(held, move, **options))
            return None
        after = self.wait(self.store.move(held, move, **options))
        if options.get("works"):
            self.world.works(STAGE_OF[model.state])
        self.world.step(model, move, MOVES[move][model.state], claim=None if options.get("keep_claim") else "")
        return after

    @rule(target=claims, held=consumes(claims), on=booleans())
    def finish(self, held: Job, on: bool) -> Any:  # noqa: FBT001  # drawn by Hypothesis
        """Done; the worker may go on with the next stage."""
        model, uploaded = self.world.jobs[held.id], held.state is State.UPLOADING
        works = held.state in {State.UPLOADING, State.MIXING}
        after = self.attempt(held, Move.FINISH, unstage=uploaded, works=works, claim_next=on)
        if after is None:
            return multiple()
        model.staged = model.staged and not uploaded
        if not on:
            return multiple()
        self.world.take(model, after.claim)
        return after if after.claim else multiple()

    @rule(held=consumes(claims), move=sampled_from([Move.RELEASE, Move.WAIT]))
    def give_up_the_claim(self, held: Job, move: Move) -> None:
        self.attempt(held, move, due=Due(seconds=60), works=move is Move.WAIT)

    @rule(target=claims, held=consumes(claims), counted=booleans(), spent=booleans())
    def stumble(self, held: Job, counted: bool, spent: bool) -> Any:  # noqa: FBT001  # drawn by Hypothesis
        """The attempt fails; whose budget is spent keeps the claim, to be parked."""
        failing = self.store.stumble(
            held, event={"code": "down"}, counted=counted, spent=spent, due=Due(seconds=60), pause_seconds=LONG
        )
        if not self.fits(held, Move.HOLD):
            with pytest.raises(Fenced):
                self.wait(failing)
            return multiple()
        move = self.world.stumble(self.world.jobs[held.id], counted=counted, spent=spent)
        assert self.wait(failing) == move
        return multiple() if move else held

    @rule(held=claims)
    def ask(self, held: Job) -> None:
        self.attempt(held, Move.ASK, keep_claim=True, stamps=["asked_ms"], asks=1)

    @rule(target=claims, held=consumes(claims), outcome=sampled_from([State.FAILED, State.PARKED]), works=booleans())
    def settle(self, held: Job, outcome: State, works: bool) -> Any:  # noqa: FBT001  # drawn by Hypothesis
        """How it ends is decided; the worker may go on to write it down."""
        after = self.attempt(held, Move.SETTLE, claim_next=True, outcome=outcome, works=works)
        if after is None:
            return multiple()
        model = self.world.jobs[held.id]
        model.outcome = outcome
        self.world.take(model, after.claim)
        return after if after.claim else multiple()

    @rule(held=consumes(claims))
    def conclude(self, held: Job) -> None:
        model = self.world.jobs[held.id]
        outcome = model.outcome or State.COMPLETED
        if model.gone or model.claim != held.claim or model.state is not State.PERSISTING:
            with pytest.raises(Fenced):
                self.wait(self.store.conclude(held, outcome, code=""))
            return
        self.wait(self.store.conclude(held, outcome, code=""))
        self.world.step(model, Move.CONCLUDE, outcome, claim="")
        self.world.works(Stage.PERSIST)
        self.world.close(model)

    @rule(held=claims)
    def renew(self, held: Job) -> None:
        model = self.world.jobs[held.id]
        if not model.gone and model.claim == held.claim:
            self.wait(self.store.renew(held))
        else:
            with pytest.raises(Fenced):
                self.wait(self.store.renew(held))

    @rule(held=consumes(claims))
    def forget(self, held: Job) -> None:
        """The audio of a deleted recording is removed."""
        model = self.world.jobs[held.id]
        if model.gone:
            self.wait(self.store.forget(held))
        elif model.claim != held.claim:
            with pytest.raises(Fenced):
                self.wait(self.store.forget(held))
        elif model.state is State.CLEANING:
            self.wait(self.store.forget(held))
            self.world.forget(model, tells=held.code != "deleted")

    # --- clocks ------------------------------------------------------------------------------------

    @rule(job_id=jobs)
    def lease_lapses(self, job_id: str) -> None:
        """The clock comes to this job: whoever has it is believed dead."""
        self.send("ZADD", "yousync:due", "XX", 1, job_id)
        self.sweep()

    @rule()
    def sweep(self) -> None:
        """Nobody stands before a stage that would take them."""
        self.wait(self.store.sweep())
        for stage in Stage:
            assert set(self.world.called(stage)) <= self.seen.due

    @precondition(lambda self: self.world.breakers)
    @rule(then=sampled_from(["well", "badly", "nobody"]), late=booleans())
    def breakers_let_somebody_try(self, then: str, late: bool) -> None:  # noqa: FBT001  # drawn by Hypothesis
        """Their pauses are over, and so, when it is `late`, is the patience with whoever tries already."""
        for stage, breaker in self.world.breakers.items():
            self.send("HSET", f"yousync:breaker:{stage}", "until_ms", 1)
            breaker.shut = False
            if late and breaker.trying:
                self.send("HSET", f"yousync:breaker:{stage}", "trial_ms", 1)
                breaker.trying = False
        self.sweep()
        if then != "nobody":
            self.workers_do_what_they_do([(name, then) for stage in Stage for name in self.world.called(stage)])

    @precondition(lambda self: any(not model.unfinished for model in self.present()))
    @rule(job_id=jobs)
    def expire(self, job_id: str) -> None:
        """An ended job's record goes by itself."""
        model = self.world.jobs[job_id]
        if model.gone or model.unfinished:
            return
        self.send("DEL", *(f"yousync:{name}:{job_id}" for name in ("job", "events", "inbox", "late", "audio")))
        self.send("ZREM", f"yousync:state:{model.state}", job_id)
        self.wait(self.store.prune())
        self.world.expire(model)

    # --- operators ---------------------------------------------------------------------------------

    def operate(self, model: Model, move: Move, **arguments: Any) -> str:
        """What is answered; the same command again, as when the first reply was lost, is answered the same."""
        sent: dict[str, Any] = {"id": model.id, "op": secrets.token_hex(8), "move": move, "event": {}} | arguments
        first = self.wait(self.store.script.run(move.value, **sent))
        again = self.wait(self.store.script.run(move.value, **sent))
        assert first == again
        return str(first[0].decode())

    @rule(job_id=jobs, begin=sampled_from(CHOICES[Move.RESTART][1]))
    def restart(self, job_id: str, begin: State) -> None:
        model = self.world.jobs[job_id]
        said = self.operate(
            model,
            Move.RESTART,
            target=begin,
            sources=dict.fromkeys(ENDED, True),
            fields=fields_of(model.job),
            version=model.version,
            run=model.run,
        )
        assert said == self.world.restart(model, begin)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        model = self.world.jobs[job_id]
        event = {"code": "cancelled"}
        said = self.operate(model, Move.CANCEL, targets=MOVES[Move.CANCEL], message="", event=event)
        assert said == self.world.cancel(model)

    @precondition(lambda self: any(model.late for model in self.present()))
    @rule(job_id=jobs)
    def accept_late(self, job_id: str) -> None:
        model = self.world.jobs[job_id]
        said = self.operate(model, Move.ACCEPT_LATE, targets=MOVES[Move.ACCEPT_LATE])
        assert said == self.world.accept_late(model)

    @rule(job_id=jobs, code=sampled_from(["deleted", "catalogue_gone"]))
    def erase(self, job_id: str, code: str) -> None:
        model = self.world.jobs[job_id]
        known = replace(model.job, version=model.version, run=model.run)  # as its row tells
        for _ in range(2):
            self.wait(self.store.erase(known, code=code))
            self.world.erase(model)

    @rule(job_id=jobs, state=sampled_from(ENDED), runs=sampled_from([-1, 0, 1]))
    def heal(self, job_id: str, state: State, runs: int) -> None:
        """A row says that the job has ended: in an earlier run than its record's, in this one or in a later one."""
        model = self.world.jobs[job_id]
        run = model.run + runs
        assert self.wait(self.store.heal(model.job, state, run=run, code="")) == self.world.heal(model, state, run)

    @rule(stage=sampled_from(Stage))
    def pause(self, stage: Stage) -> None:
        self.wait(self.store.script.run("pause", op=secrets.token_hex(8), names=[stage], who="mina", why="test"))
        self.world.paused.add(stage)

    @precondition(lambda self: self.world.paused)
    @rule(stage=sampled_from(Stage))
    def resume(self, stage: Stage) -> None:
        self.wait(self.store.script.run("resume", names=[stage], who="mina", why="test"))
        self.world.paused.discard(stage)
        assert set(self.world.called(stage)) <= self.seen.due

    # --- what holds at every moment ----------------------------------------------------------------

    @property
    def seen(self) -> Seen:
        """Everything, in one round trip."""
        if self._seen is None:
            self._seen = self.wait(self._look())
        return self._seen

    async def _look(self) -> Seen:
        ids = list(self.world.jobs)
        async with self.valkey.pipeline(transaction=False) as pipe:
            for name in ids:
                pipe.hgetall(f"yousync:job:{name}")
                pipe.xrange(f"yousync:events:{name}")
                pipe.ttl(f"yousync:job:{name}")
                pipe.ttl(f"yousync:events:{name}")
            for state in State:
                pipe.zrange(f"yousync:state:{state}", 0, -1)
            for stage in Stage:
                pipe.zrange(f"yousync:line:{stage}", 0, -1)
                pipe.exists(f"yousync:paused:{stage}")
                pipe.exists(f"yousync:breaker:{stage}")
                pipe.smembers(f"yousync:suspects:{stage}")
            for owner in OWNERS:
                pipe.smembers(f"yousync:owner:{owner}")
            pipe.zrange("yousync:due", 0, -1)
            pipe.get("yousync:staged_bytes")
            found = iter(await pipe.execute())
        about = {name: [next(found) for _ in range(4)] for name in ids}
        states = {state: _names(next(found)) for state in State}
        stages = {stage: [next(found) for _ in range(4)] for stage in Stage}
        return Seen(
            jobs={name: job_of(told[0]) for name, told in about.items() if told[0]},
            logs={name: [event_of(*entry) for entry in told[1]] for name, told in about.items()},
            ttls={name: (told[2], told[3]) for name, told in about.items()},
            states=states,
            lines={stage: [name.decode() for name in told[0]] for stage, told in stages.items()},
            gates={stage: (bool(told[1]), bool(told[2]), _names(told[3])) for stage, told in stages.items()},
            owners={owner: _names(next(found)) for owner in OWNERS},
            due=_names(next(found)),
            staged_bytes=int(next(found) or 0),
        )

    def present(self) -> list[Model]:
        """The jobs that have a record."""
        return [model for model in self.world.jobs.values() if not model.gone]

    @invariant()
    def records_say_what_the_model_says(self) -> None:
        if not self.world.jobs:
            return
        assert self.seen.jobs.keys() == {model.id for model in self.present()}
        for model in self.present():
            job = self.seen.jobs[model.id]
            assert (job.state, job.version, job.run, job.claim) == (model.state, model.version, model.run, model.claim)
            assert (job.inbox, job.late) == (model.inbox is not None, model.late is not None)
            assert (job.outcome, job.tries, job.holds) == (model.outcome, model.tries, model.holds)

    @invariant()
    def logs_are_legal_paths_without_gaps(self) -> None:
        if not self.world.jobs:
            return
        for model in self.present():
            events = self.seen.logs[model.id]
            assert [event.version for event in events] == list(range(model.first, model.version + 1))
            assert [(event.move, event.source, event.target) for event in events] == model.path

    @invariant()
    def every_unfinished_job_is_on_the_clock_or_in_the_line_it_belongs_to(self) -> None:
        if not self.world.jobs:
            return
        unfinished = {model.id for model in self.present() if model.unfinished}
        standing = {stage: set(line) for stage, line in self.seen.lines.items()}
        assert self.seen.due | set().union(*standing.values()) == unfinished
        for model in self.present():
            assert {stage for stage, line in standing.items() if model.id in line} <= {model.stage}

    @invariant()
    def lines_keep_their_order(self) -> None:
        if not self.world.jobs:
            return
        assert self.seen.lines == {stage: self.world.line(stage) for stage in Stage}

    @invariant()
    def gates_are_open_or_shut(self) -> None:
        if not self.world.jobs:
            return
        world = self.world
        assert self.seen.gates == {
            stage: (stage in world.paused, stage in world.breakers, world.suspects[stage]) for stage in Stage
        }

    @invariant()
    def what_is_under_way_stays_and_what_is_over_goes_by_itself(self) -> None:
        if not self.world.jobs:
            return
        for model in self.present():
            assert {ttl < 0 for ttl in self.seen.ttls[model.id]} == {model.unfinished}

    @invariant()
    def indexes_and_budgets_are_sums_over_what_is_there(self) -> None:
        if not self.world.jobs:
            return
        listed = [model for model in self.present() if not model.forgotten]
        for state in State:
            assert self.seen.states[state] == {model.id for model in listed if model.state is state}
        assert self.seen.staged_bytes == SIZE * sum(model.staged for model in self.world.jobs.values())
        for owner in OWNERS:
            counted = {model.id for model in listed if model.unfinished and model.state is not State.CLEANING}
            assert self.seen.owners[owner] == {name for name in counted if self.world.jobs[name].owner == owner}


def _names(found: Any) -> set[str]:
    return {name.decode() for name in found}


@pytest.mark.timeout(600)  # a failure is made small before it is shown
def test_no_order_of_events_breaks_a_record(settings: Settings) -> None:
    Machine.settings_ = settings.model_copy(
        update={"analysis_max_in_flight": 2, "mix_max_in_flight": 1, "breaker_jobs": 2}
    )
    run_state_machine_as_test(
        Machine,
        settings=hypothesis_settings(
            max_examples=40,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
