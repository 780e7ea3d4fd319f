"""The transition table says what the picture in its docstring says, and Valkey enforces exactly that."""

from __future__ import annotations

import itertools

import pytest

from jobs.deps import Deps
from jobs.pipeline import BEGINNINGS, CHOICES, ENTRIES, MOVES, RESTARTS, Move, legal, resumed
from jobs.script import Fenced
from tests.jobs.conftest import a_job
from tests.valkey_command import command
from yousync.job import BEGINS, MESSAGES, PROGRESS, Job, Kind, State, message_of, progress_of, public_status

STRAIGHT = [
    (Move.ACCEPT, None, State.ACCEPTED),
    (Move.CLAIM, State.ACCEPTED, State.UPLOADING),
    (Move.FINISH, State.UPLOADING, State.UPLOADED),
    (Move.CLAIM, State.UPLOADED, State.SUBMITTING),
    (Move.ASK, State.SUBMITTING, State.SUBMITTING),
    (Move.WAIT, State.SUBMITTING, State.WAITING),
    (Move.DELIVER, State.WAITING, State.RECEIVED),
    (Move.CLAIM, State.RECEIVED, State.PERSISTING),
    (Move.CONCLUDE, State.PERSISTING, State.COMPLETED),
]
OPERATORS = {Move.RESTART, Move.CANCEL, Move.ACCEPT_LATE, Move.ERASE}
WORKER_MOVES = [move for move in MOVES if move not in {Move.CLAIM, Move.DELIVER, Move.KEEP, Move.LATE, *OPERATORS}]


def steps() -> list[tuple[Move, State, State]]:
    """Every legal step from a state to a state."""
    table = itertools.product(Move, State, State)
    return [(move, source, target) for move, source, target in table if legal(move, source, target)]


def test_the_straight_path_is_legal() -> None:
    assert all(legal(*step) for step in STRAIGHT)


def test_ended_jobs_are_left_only_by_operators_and_by_a_late_result_of_a_parked_one() -> None:
    ways_out = {(move, source) for move, source, target in steps() if source.final and not target.final}
    by_itself = {(move, source) for move, source in ways_out if move not in OPERATORS}
    assert by_itself == {(Move.DELIVER, State.PARKED)}


def test_every_way_to_an_end_leads_through_postgres() -> None:
    ends = {(move, source) for move, source, target in steps() if target.final and not source.final}
    assert {move for move, _ in ends} == {Move.CONCLUDE, Move.HEAL}, "both tell of an end that Postgres has"
    assert {source for move, source in ends if move is Move.CONCLUDE} == {State.PERSISTING}


def test_every_state_can_reach_an_end_by_work_alone() -> None:
    work = [step for step in steps() if step[0] not in {Move.HEAL, *OPERATORS}]
    reached = {state for state in State if state.final}
    while more := {source for _, source, target in work if target in reached} - reached:
        reached |= more
    assert reached == set(State) - {State.CLEANING}


def test_a_deleted_recording_never_comes_back() -> None:
    assert {target for _, source, target in steps() if source is State.CLEANING} == {State.CLEANING}


def test_records_come_to_be_in_few_ways() -> None:
    assert {move for move in Move for state in State if legal(move, None, state)} == set(ENTRIES)
    assert not MOVES.keys() & CHOICES.keys()


def test_clients_have_words_for_every_state() -> None:
    for kind, state in itertools.product(Kind, State):
        assert message_of(kind, state)
        assert 0 <= progress_of(kind, state) <= 100
        assert (public_status(state) != "processing") == (state.final or state is State.CLEANING)


@pytest.mark.parametrize("kind", list(Kind))
def test_progress_rises_on_each_kind_s_way(kind: Kind) -> None:
    begun = {Kind.YOUTUBE: ("ordered", "ordering", "preparing"), Kind.SYNTHESIS: ("requested", "mixing")}
    recorded = ("accepted", "uploading", "uploaded", "submitting", "waiting")
    way = [*begun.get(kind, recorded), "received", "persisting", "completed"]
    told = {
        Kind.BATCH: [10, 20, 20, 50, 80, 80, 80, 100],
        Kind.YOUTUBE: [10, 40, 70, 70, 70, 100],
        Kind.SYNTHESIS: [10, 40, 90, 90, 100],
    }
    assert [progress_of(kind, State(name)) for name in way] == told.get(kind, [10, 40, 40, 70, 90, 90, 90, 100])


def test_states_that_look_alike_do_so_for_every_kind() -> None:
    """The script tells watchers of a move by the words that recordings have for it."""
    for one, other in itertools.combinations(State, 2):
        if (PROGRESS[one], MESSAGES[one]) == (PROGRESS[other], MESSAGES[other]):
            for kind in Kind:
                assert progress_of(kind, one) == progress_of(kind, other)
                assert message_of(kind, one) == message_of(kind, other)


def test_every_kind_begins_where_its_first_stage_does() -> None:
    for kind in Kind:
        assert RESTARTS[BEGINNINGS[kind][0]] is BEGINS[kind]
        assert legal(Move.ACCEPT, None, BEGINS[kind])
        assert legal(Move.ADOPT, None, RESTARTS[resumed(kind)])


async def held_in(deps: Deps, state: State) -> Job:
    """A job in this state, whatever led there, with a claim on it."""
    job = a_job()
    await deps.store.stage(job.id, b"audio")
    await deps.store.accept(job, owner_limit=9)
    await command(deps.valkey, "HSET", f"yousync:job:{job.id}", "state", state.value, "claim", "mine")
    held = await deps.store.read(job.id)
    assert held is not None
    return held


@pytest.mark.parametrize(("move", "state"), list(itertools.product(WORKER_MOVES, State)))
async def test_valkey_takes_a_move_only_from_the_states_the_table_names(
    emptied: Deps, move: Move, state: State
) -> None:
    store, held = emptied.store, await held_in(emptied, state)
    target = MOVES[move].get(state)
    if target is None:
        with pytest.raises(Fenced):
            await store.move(held, move)
        after = await store.read(held.id)
        assert after == held
    else:
        after = await store.move(held, move)
        assert after.state is target
        assert after.version == held.version + 1
        assert (await store.events(held.id))[-1].move == move


@pytest.mark.parametrize("state", list(State))
async def test_a_job_is_concluded_from_persisting_alone(emptied: Deps, state: State) -> None:
    store, held = emptied.store, await held_in(emptied, state)
    if state is State.PERSISTING:
        assert (await store.conclude(held, State.COMPLETED, code="")).state is State.COMPLETED
    else:
        with pytest.raises(Fenced):
            await store.conclude(held, State.COMPLETED, code="")
