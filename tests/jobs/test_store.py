"""What one record in Valkey promises: accepted once, held by one, moved atomically, handed over in order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import orjson
import pytest
from arq.connections import ArqRedis
from arq.jobs import deserialize_job_raw
from redis.asyncio import Redis

from jobs.deps import Deps
from jobs.keys import QUEUE
from jobs.pipeline import Move
from jobs.script import ACTOR, Fenced, dumps, loads
from jobs.store import Due, Store, dispatched
from tests.jobs.conftest import a_job
from tests.valkey_command import command
from yousync.errors import StagingFull, TooManyJobs
from yousync.job import Job, State
from yousync.valkey import VALKEY_DOWN

Keys = set[bytes]
AUDIO = b"x" * 800


async def accepted(deps: Deps, **changes: object) -> Job:
    job = a_job(**changes)
    await deps.store.stage(job.id, AUDIO)
    return await deps.store.accept(job, owner_limit=20)


async def waiting(deps: Deps) -> Job:
    """A job that was asked about and waits for its result."""
    job = await claimed(deps, await accepted(deps))
    job = await deps.store.move(job, Move.FINISH, unstage=True)
    job = await claimed(deps, job)
    return await deps.store.move(job, Move.WAIT, due=Due(seconds=60))


async def claimed(deps: Deps, job: Job) -> Job:
    held = await deps.store.claim(job.id, job.version)
    assert held is not None
    return held


async def queued(deps: Deps) -> list[tuple[str, int]]:
    return [dispatched(name.decode()) for name in await deps.valkey.zrange(QUEUE, 0, -1)]


class TestAccepting:
    async def test_one_step_makes_record_event_and_hand_over(self, emptied: Deps) -> None:
        job = await accepted(emptied)
        assert (job.state, job.version, job.progress) == (State.ACCEPTED, 1, 10)
        assert [event.move for event in await emptied.store.events(job.id)] == [Move.ACCEPT]
        assert await queued(emptied) == [(job.id, 1)]
        assert await emptied.store.staged(job) == AUDIO
        assert await emptied.valkey.pttl(f"yousync:audio:{job.id}") > 86_400_000

    async def test_audio_that_is_not_staged_is_no_job(self, emptied: Deps) -> None:
        with pytest.raises(StagingFull):
            await emptied.store.accept(a_job(), owner_limit=20)
        assert await queued(emptied) == []

    async def test_the_same_upload_again_is_the_same_job(self, emptied: Deps) -> None:
        first = await accepted(emptied, dedupe="same")
        second = await accepted(emptied, dedupe="same")
        assert second.id == first.id
        assert await queued(emptied) == [(first.id, 1)]

    async def test_fifty_at_once_are_one_job(self, emptied: Deps) -> None:
        jobs = await asyncio.gather(*(accepted(emptied, dedupe="same") for _ in range(50)))
        assert len({job.id for job in jobs}) == 1

    @pytest.mark.parametrize("state", [State.FAILED, State.PARKED, State.CANCELLED])
    async def test_a_job_that_ended_badly_is_never_handed_out_again(self, emptied: Deps, state: State) -> None:
        first = await accepted(emptied, dedupe="same")
        await command(emptied.valkey, "HSET", f"yousync:job:{first.id}", "state", state.value)
        assert (await accepted(emptied, dedupe="same")).id != first.id

    async def test_a_user_has_only_so_many_in_flight(self, emptied: Deps) -> None:
        for _ in range(20):
            await accepted(emptied)
        with pytest.raises(TooManyJobs):
            await accepted(emptied)
        assert (await accepted(emptied, owner="user:1")).state is State.ACCEPTED

    async def test_staged_audio_has_a_budget_that_is_given_back(self, emptied: Deps) -> None:
        limit = emptied.settings.staged_audio_bytes
        job = await accepted(emptied, size=limit - 100)
        refused = a_job(size=101)
        await emptied.store.stage(refused.id, b"y")
        with pytest.raises(StagingFull):
            await emptied.store.accept(refused, owner_limit=20)
        assert await emptied.store.staged(refused) is None
        held = await claimed(emptied, job)
        await emptied.store.move(held, Move.FINISH, unstage=True)
        assert await emptied.valkey.get("yousync:staged_bytes") == b"0"
        assert (await accepted(emptied, size=101)).state is State.ACCEPTED

    async def test_a_valkey_that_is_nearly_full_takes_no_more_jobs_and_moves_those_it_has(self, emptied: Deps) -> None:
        job = await accepted(emptied)
        kept = await emptied.valkey.config_get("maxmemory")
        await emptied.valkey.config_set("maxmemory", (await emptied.valkey.info("memory"))["used_memory"] * 20 // 19)
        try:
            store = Store(emptied.valkey, emptied.valkey, emptied.settings)  # which has not looked yet
            with pytest.raises(StagingFull):
                await store.accept(a_job(), AUDIO, owner_limit=20)
            with pytest.raises(StagingFull):
                await store.accept_all([(a_job(), AUDIO)], owner_limit=20)
            held = await claimed(emptied, job)
            assert (await store.move(held, Move.FINISH, unstage=True)).state is State.UPLOADED
        finally:
            await emptied.valkey.config_set("maxmemory", kept["maxmemory"])
        store = Store(emptied.valkey, emptied.valkey, emptied.settings)
        assert (await store.accept(a_job(), AUDIO, owner_limit=20)).state is State.ACCEPTED

    async def test_sizes_of_jobs_that_are_no_more_are_forgotten(self, emptied: Deps) -> None:
        kept, gone = await accepted(emptied, size=100), await accepted(emptied, size=50)
        await emptied.valkey.delete(f"yousync:job:{gone.id}")
        await emptied.store.prune()
        assert await emptied.valkey.get("yousync:staged_bytes") == b"100"
        assert await command(emptied.valkey, "HKEYS", "yousync:staged") == [kept.id.encode()]

    async def test_a_valkey_that_takes_no_writes_is_a_valkey_that_is_away(self, emptied: Deps) -> None:
        job = await accepted(emptied)
        await emptied.valkey.config_set("min-replicas-to-write", "1")
        try:
            with pytest.raises(StagingFull):
                await emptied.store.stage(job.id, b"x")
            with pytest.raises(VALKEY_DOWN):
                await emptied.store.probe()
            with pytest.raises(VALKEY_DOWN):
                await emptied.store.claim(job.id, 1)
        finally:
            await emptied.valkey.config_set("min-replicas-to-write", "0")

    async def test_a_repeated_command_is_answered_as_the_first_time(self, emptied: Deps) -> None:
        """redis-py sends a command again when its reply was lost."""
        job = a_job()
        await emptied.store.stage(job.id, b"x")
        first = await emptied.store.accept(job, owner_limit=20)
        again = await emptied.store.accept(job, owner_limit=20)
        assert again == first
        assert await emptied.store.staged(job) == b"x"

    @pytest.mark.parametrize("state", [State.UPLOADED, State.FAILED])
    async def test_also_when_its_job_has_moved_on_meanwhile(self, emptied: Deps, state: State) -> None:
        job = a_job()
        await emptied.store.accept(job, AUDIO, owner_limit=20)
        await command(emptied.valkey, "HSET", f"yousync:job:{job.id}", "state", state.value)
        again = await emptied.store.accept(job, AUDIO, owner_limit=20)
        assert (again.id, again.state, again.version) == (job.id, state, 1)

    async def test_nor_does_its_audio_go_early_then(self, emptied: Deps) -> None:
        job = a_job()
        for _ in range(2):
            await emptied.store.accept(job, AUDIO, owner_limit=20)
        assert await emptied.valkey.pttl(f"yousync:audio:{job.id}") > 86_400_000


class TestHandingOver:
    async def test_what_lies_in_the_queue_is_what_arq_itself_would_write(self, emptied: Deps) -> None:
        job = await accepted(emptied)
        ours = (await emptied.valkey.zrange(QUEUE, 0, -1))[0].decode()
        arq = ArqRedis(
            emptied.valkey.connection_pool, job_serializer=dumps, job_deserializer=loads, default_queue_name=QUEUE
        )
        theirs = await arq.enqueue_job(ACTOR, _job_id="arq-made-this")
        assert theirs is not None
        written = [await emptied.valkey.get(f"arq:job:{name}") for name in (ours, theirs.job_id)]
        read = [deserialize_job_raw(value, deserializer=loads) for value in written]
        assert [list(each[:4]) for each in read] == [[ACTOR, [], {}, None]] * 2
        assert set(orjson.loads(written[0])) == set(orjson.loads(written[1]))
        for name in (ours, theirs.job_id):
            assert 86_000_000 < await emptied.valkey.pttl(f"arq:job:{name}") <= 87_000_000
            assert await emptied.valkey.zscore(QUEUE, name)
        assert dispatched(ours) == (job.id, 1)

    async def test_jobs_are_handed_over_first_come_first_served(self, emptied: Deps) -> None:
        jobs = [await accepted(emptied) for _ in range(5)]
        assert [job_id for job_id, _ in await queued(emptied)] == [job.id for job in jobs]

    async def test_the_sweep_hands_over_what_is_due_and_only_once(self, emptied: Deps) -> None:
        job = await claimed(emptied, await accepted(emptied))
        job = await emptied.store.move(job, Move.RETRY, due=Due(seconds=0), tries=1)
        await asyncio.gather(*(emptied.store.sweep() for _ in range(5)))
        assert (await queued(emptied)).count((job.id, job.version)) == 1

    async def test_what_still_waits_in_the_queue_is_not_queued_again(self, emptied: Deps) -> None:
        job = await accepted(emptied)
        for _ in range(5):
            await command(emptied.valkey, "ZADD", "yousync:due", 1, job.id)
            await emptied.store.sweep()
        assert await queued(emptied) == [(job.id, 1)]

    async def test_what_a_dead_worker_had_taken_from_the_queue_is(self, emptied: Deps) -> None:
        job = await accepted(emptied)
        taken = (await emptied.valkey.zrange(QUEUE, 0, -1))[0].decode()
        await emptied.valkey.set(f"arq:in-progress:{taken}", b"1")
        await command(emptied.valkey, "ZADD", "yousync:due", 1, job.id)
        assert await emptied.store.sweep() == 1
        assert await queued(emptied) == [(job.id, 1)]
        again = (await emptied.valkey.zrange(QUEUE, 0, -1))[0].decode()
        assert again != taken, "locked entries of the dead would fill the head of the queue"

    async def test_what_is_not_due_is_left_alone(self, emptied: Deps) -> None:
        job = await waiting(emptied)
        assert await emptied.store.sweep() == 0
        assert (job.id, job.version) not in await queued(emptied)


class TestClaiming:
    async def test_the_lease_has_one_holder(self, emptied: Deps) -> None:
        job = await accepted(emptied)
        claims = await asyncio.gather(*(emptied.store.claim(job.id, 1) for _ in range(20)))
        assert len([claim for claim in claims if claim is not None]) == 1

    async def test_a_hand_over_of_an_older_version_finds_nothing_to_do(self, emptied: Deps) -> None:
        job = await claimed(emptied, await accepted(emptied))
        assert await emptied.store.claim(job.id, 1) is None

    async def test_a_lapsed_lease_goes_to_the_next_and_fences_the_first(self, emptied: Deps) -> None:
        first = await claimed(emptied, await accepted(emptied))
        await emptied.valkey.zadd("yousync:due", {first.id: 1})
        assert await emptied.store.sweep() == 1
        second = await claimed(emptied, first)
        assert second.lapses == 1
        for write in (
            emptied.store.renew(first),
            emptied.store.move(first, Move.FINISH),
            emptied.store.conclude(first, State.COMPLETED, code=""),
        ):
            with pytest.raises(Fenced):
                await write
        assert (await emptied.store.move(second, Move.FINISH)).state is State.UPLOADED

    async def test_a_release_burns_nothing(self, emptied: Deps) -> None:
        job = await claimed(emptied, await accepted(emptied))
        job = await emptied.store.move(job, Move.RELEASE)
        assert (job.state, job.tries, job.lapses, job.claim) == (State.ACCEPTED, 0, 0, "")
        assert (await claimed(emptied, job)).lapses == 0

    async def test_only_so_many_are_out_at_the_analysis_server(self, emptied: Deps) -> None:
        settings = emptied.settings.model_copy(update={"analysis_max_in_flight": 2})
        store = Store(emptied.valkey, emptied.valkey, settings)
        deps = replace(emptied, store=store)
        out = [await waiting(deps) for _ in range(2)]
        third = await claimed(deps, await accepted(deps))
        third = await store.move(third, Move.FINISH, unstage=True, due=Due(seconds=60))
        assert await store.claim(third.id, third.version) is None
        assert (third.id, third.version) not in await queued(deps)
        await store.deliver(out[0].id, b"{}")
        assert (third.id, third.version) in await queued(deps), "room was made, so the one that waits is next"
        assert await store.claim(third.id, third.version) is not None

    async def test_those_in_line_for_the_analysis_server_keep_their_place(self, emptied: Deps) -> None:
        settings = emptied.settings.model_copy(update={"analysis_max_in_flight": 1})
        deps = replace(emptied, store=Store(emptied.valkey, emptied.valkey, settings))
        out = await waiting(deps)
        line = []
        for _ in range(3):
            job = await claimed(deps, await accepted(deps))
            line.append(await deps.store.move(job, Move.FINISH, unstage=True, due=Due(seconds=60)))
        assert [await deps.store.claim(job.id, job.version) for job in line] == [None] * 3
        await deps.store.deliver(out.id, b"{}")
        assert await deps.store.claim(line[2].id, line[2].version) is None, "the last one does not jump the line"
        assert await deps.store.claim(line[0].id, line[0].version) is not None


class TestDelivering:
    async def test_a_result_moves_a_waiting_job(self, emptied: Deps) -> None:
        job = await waiting(emptied)
        assert await emptied.store.deliver(job.id, b'{"a":1}') == "delivered"
        after = await emptied.store.read(job.id)
        assert after is not None
        assert after.state is State.RECEIVED
        assert (await emptied.store.evidence(job.id))[0] == b'{"a":1}'
        assert (job.id, after.version) in await queued(emptied)

    async def test_a_result_before_the_reply_fences_whoever_waits_for_it(self, emptied: Deps) -> None:
        job = await claimed(emptied, await accepted(emptied))
        job = await emptied.store.move(job, Move.FINISH, unstage=True)
        submitting = await claimed(emptied, job)
        assert await emptied.store.deliver(job.id, b"{}") == "delivered"
        with pytest.raises(Fenced):
            await emptied.store.move(submitting, Move.WAIT)

    async def test_a_result_before_we_asked_is_kept(self, emptied: Deps) -> None:
        job = await accepted(emptied)
        assert await emptied.store.deliver(job.id, b"{}") == "kept"
        after = await emptied.store.read(job.id)
        assert after is not None
        assert after.inbox
        assert after.state is State.ACCEPTED

    async def test_of_fifty_results_at_once_one_counts(self, emptied: Deps) -> None:
        job = await waiting(emptied)
        bodies = [f'{{"n":{number}}}'.encode() for number in range(50)]
        replies = await asyncio.gather(*(emptied.store.deliver(job.id, body) for body in bodies))
        assert sorted(replies) == ["delivered"] + ["duplicate"] * 49
        assert (await emptied.store.evidence(job.id))[0] == bodies[replies.index("delivered")]

    async def test_a_late_result_unparks(self, emptied: Deps) -> None:
        job = await waiting(emptied)
        job = await claimed(emptied, job)
        job = await emptied.store.move(job, Move.SETTLE, claim_next=True, outcome=State.PARKED, code="analysis_timeout")
        parked = await emptied.store.conclude(job, State.PARKED, code="analysis_timeout")
        assert await emptied.store.deliver(parked.id, b"{}") == "delivered"
        after = await emptied.store.read(parked.id)
        assert after is not None
        assert (after.state, after.run, after.outcome) == (State.RECEIVED, 2, None)
        assert after.began_ms == after.updated_ms
        assert await emptied.valkey.ttl(f"yousync:job:{job.id}") == -1

    async def test_a_result_that_comes_while_the_job_is_being_parked_counts(self, emptied: Deps) -> None:
        job = await claimed(emptied, await waiting(emptied))
        job = await emptied.store.move(job, Move.SETTLE, claim_next=True, outcome=State.PARKED, code="analysis_timeout")
        assert await emptied.store.deliver(job.id, b"{}") == "delivered"
        with pytest.raises(Fenced):
            await emptied.store.conclude(job, State.PARKED, code="analysis_timeout")
        after = await emptied.store.read(job.id)
        assert after is not None
        assert (after.state, after.run, after.outcome) == (State.RECEIVED, 2, None)

    async def test_a_result_that_comes_while_the_job_fails_or_after_is_kept_for_an_operator(
        self, emptied: Deps
    ) -> None:
        job = await claimed(emptied, await waiting(emptied))
        job = await emptied.store.move(job, Move.SETTLE, claim_next=True, outcome=State.FAILED, code="analysis_failed")
        assert await emptied.store.deliver(job.id, b'{"n":1}') == "late"
        await emptied.store.conclude(job, State.FAILED, code="analysis_failed")
        assert await emptied.store.deliver(job.id, b'{"n":1}') == "duplicate"
        assert await emptied.store.deliver(job.id, b'{"n":2}') == "late"
        after = await emptied.store.read(job.id)
        assert after is not None
        assert (after.state, after.late) == (State.FAILED, True)
        assert (await emptied.store.events(job.id))[-1].move == Move.LATE
        assert 0 < await emptied.valkey.ttl(f"yousync:late:{job.id}") <= emptied.settings.ended_record_seconds

    async def test_nobody_knows_the_job(self, emptied: Deps) -> None:
        assert await emptied.store.deliver("0" * 32, b"{}") == "unknown"


class TestEnding:
    async def test_nothing_is_left_without_an_end(self, emptied: Deps) -> None:
        before: Keys = set(await emptied.valkey.keys())
        job = await waiting(emptied)
        await emptied.store.deliver(job.id, b"{}")
        received = await emptied.store.read(job.id)
        assert received is not None
        held = await claimed(emptied, received)
        await emptied.store.conclude(held, State.COMPLETED, code="")
        forever = {
            key
            for key in set(await emptied.valkey.keys()) - before
            if await emptied.valkey.ttl(key) == -1 and key != QUEUE.encode()
        }
        assert forever <= {b"yousync:seq", b"yousync:served", b"yousync:staged_bytes"}
        assert await emptied.valkey.get("yousync:staged_bytes") == b"0"

    async def test_the_log_is_a_path_without_gaps(self, emptied: Deps) -> None:
        job = await waiting(emptied)
        events = await emptied.store.events(job.id)
        assert [event.version for event in events] == list(range(1, job.version + 1))
        assert all(later.source == earlier.target for earlier, later in pairwise(events))


async def test_staged_audio_may_live_in_a_valkey_of_its_own(emptied: Deps) -> None:
    url = emptied.settings.redis_url.get_secret_value()
    other = Redis.from_url(f"{url.rsplit('/', 1)[0]}/1")
    store = Store(emptied.valkey, other, emptied.settings)
    job = a_job()
    await store.stage(job.id, b"elsewhere")
    assert (await store.accept(job, owner_limit=9)).state is State.ACCEPTED
    assert await emptied.valkey.exists(f"yousync:audio:{job.id}") == 0
    assert await other.pttl(f"yousync:audio:{job.id}") > 86_400_000
    held = await store.claim(job.id, 1)
    assert held is not None
    assert await store.staged(job) == b"elsewhere"
    await store.move(held, Move.FINISH, unstage=True)
    assert await store.staged(job) is None
    lost = a_job()
    with pytest.raises(StagingFull):
        await store.accept(lost, owner_limit=9)
    await other.aclose()
