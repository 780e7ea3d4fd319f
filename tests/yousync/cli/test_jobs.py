"""`yousync jobs`, run as operators run it, on real jobs."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import pty
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from jobs import keys
from jobs.deps import Deps, open_deps
from jobs.engine import Engine, Order
from jobs.identity import identify
from jobs.pipeline import Move
from jobs.records import Stats
from models.analysis_result import AnalysisResult
from tests.conftest import NewDatabase
from tests.factories import make_script, make_user
from tests.jobs.bringing import RESULT, bring, claimed, read
from tests.jobs.conftest import NO_JOB, Accept, a_recording
from tests.processes import WebProcess, WorkerProcess, environment
from tests.standing_in import control
from tests.valkey_command import listeners
from tests.waiting import until
from tests.yousync.cli.test_commands import ROOT, Ended, yousync
from yousync.cli.app import app
from yousync.cli.failure import CommandError, Exit
from yousync.job import Job, Kind, State
from yousync.local.port import free_port
from yousync.local.program import Standin
from yousync.settings import Settings

ME = f"{getpass.getuser()}@{socket.gethostname()}"
WHY = ("--reason", "tried out")
Jobs = Callable[..., Awaitable[Ended]]


@pytest_asyncio.fixture(scope="module")
async def deps(settings: Settings) -> AsyncIterator[Deps]:
    async with open_deps(settings, application="tests") as opened:
        await opened.valkey.flushall()
        yield opened


@pytest_asyncio.fixture
async def accept(deps: Deps) -> Accept:
    """Accepts recordings, where there was no job before."""
    await AnalysisResult.all().delete()
    await deps.valkey.flushall()
    engine, script = Engine(deps, await identify(deps.valkey, deps.settings)), await make_script()

    async def accepted(**changes: Any) -> Job:
        return await engine.accept(a_recording(script, **changes))

    return accepted


@pytest.fixture
def jobs(settings: Settings, tmp_path: Path) -> Jobs:
    """Runs `yousync jobs` with these arguments."""

    async def run(*arguments: str) -> Ended:
        ended = await yousync(tmp_path, "jobs", *arguments, env=environment(settings))
        assert "Traceback" not in ended.err
        return ended

    return run


async def told(running: Awaitable[Ended], *, status: Exit = Exit.OK) -> Any:
    """The JSON document that a command printed, and nothing else."""
    ended = await running
    assert ended.status == status, ended.err
    assert ended.out.count("\n") == 1
    return json.loads(ended.out)


class TestLooking:
    async def test_list_tells_what_matches_newest_first(self, accept: Accept, deps: Deps, jobs: Jobs) -> None:
        user = await make_user()
        _, mine = await accept(), await accept(user_id=user.id)
        parked = await bring(deps, await accept(), State.PARKED)
        cursor = str((await AnalysisResult.get(job_id=mine.id)).id)
        page, none, document = await asyncio.gather(
            jobs("list", "--limit", "2"),
            jobs("list", "--cursor", cursor, "--code", "worker_lost", "--younger-than", "10m", "--age", "1s"),
            told(jobs("list", "--json", "--status", "parked", "--state", "accepted", "--user", user.email)),
        )
        *lines, more = page.out.splitlines()[1:]
        assert [line.split()[:2] for line in lines] == [[parked.id, "parked"], [mine.id, "accepted"]]
        assert more == f"more: --cursor {cursor}"
        assert (none.status, none.out) == (0, "no jobs\n")
        assert [(job["job_id"], job["stage"], job["user_id"]) for job in document["jobs"]] == [
            (mine.id, "upload", user.id)
        ]
        assert document["next_cursor"] is None

    async def test_show_tells_the_story_and_others_words_cannot_steer_the_terminal(
        self, accept: Accept, deps: Deps, jobs: Jobs
    ) -> None:
        job = await claimed(deps, await accept())
        cause = "\x1b[2J[red]boo[/red]\nforged line"
        await deps.store.move(job, Move.RETRY, event={"code": "x", "cause": cause}, code="x")
        ended = await jobs("show", job.id)
        facts, log = ended.out.split("\n\n")
        assert "state       accepted at upload: x" in facts
        link = (await deps.storage.presigned(job.s3_key)).split("?")[0]
        assert re.search(rf"^listen +{re.escape(link)}\?\S+$", facts, re.MULTILINE), "whole, to be copied"
        assert [line.split()[0] for line in log.splitlines()[1:]] == ["1", "2", "3"]
        assert r"\x1b[2J[red]boo[/red]\nforged line" in log

    async def test_a_video_and_a_dubbing_are_told_from_recordings(self, deps: Deps, accept: Accept, jobs: Jobs) -> None:
        engine, user = Engine(deps, await identify(deps.valkey, deps.settings)), await make_user()
        token_id = (await make_script()).token_id
        video = await engine.order(Order(kind=Kind.YOUTUBE, request={"youtube_url": "https://v"}, user_id=user.id))
        dubbing = await engine.order(Order(kind=Kind.SYNTHESIS, request={}, user_id=user.id, token_id=token_id))
        page, one = await asyncio.gather(jobs("list"), jobs("show", video.id))
        told = {line.split()[0]: line for line in page.out.splitlines()[1:]}
        assert "  a video  " in told[video.id]
        assert f"  a dubbing of token {token_id}  " in told[dubbing.id]
        facts, _ = one.out.split("\n\n")
        assert "of          a video, by user" in facts
        assert "video       https://v\n" in facts
        assert "requests to the preprocess server: 0" in facts
        assert "audio" not in facts

    async def test_an_unknown_job_is_said(self, accept: Accept, jobs: Jobs) -> None:
        ended = await jobs("show", NO_JOB)
        assert (ended.status, ended.out, ended.err) == (Exit.FAILED, "", "yousync: Job not found\n")

    @pytest.mark.parametrize(
        "arguments",
        [
            ["list", "--state", "lost"],
            ["list", "--stage", "analysis"],
            ["list", "--age", "yesterday"],
            ["list", "--limit", "0"],
            ["list", "--token", "0"],
            ["show"],
            ["pause", "everything", *WHY],
            ["retry", "--from", "nowhere", NO_JOB, *WHY],
            ["retry", *WHY],
            *([action, NO_JOB] for action in ("retry", "cancel", "delete", "accept-late-result")),
            *([action] for action in ("pause", "resume", "drain")),
            ["pause", "--reason", ""],
            ["cancel", NO_JOB, "--reason", "x" * 501],
            ["cancel", "--reason", "no jobs"],
            ["delete", NO_JOB, "--state", "failed", *WHY],
        ],
        ids=" ".join,
    )
    def test_nonsense_is_refused_before_anything_is_asked(self, arguments: list[str]) -> None:
        ended = CliRunner().invoke(app, ["jobs", *arguments])
        status = ended.exception.status if isinstance(ended.exception, CommandError) else ended.exit_code
        assert (status, ended.stdout) == (Exit.USAGE, "")


class TestMoving:
    async def test_who_and_why_are_in_the_log(self, accept: Accept, deps: Deps, jobs: Jobs) -> None:
        first, second = await bring(deps, await accept(), State.PARKED), await bring(deps, await accept(), State.FAILED)
        for job in (first, second):
            await deps.storage.put(job.s3_key, b"RIFF", container="wav")
        report = await told(jobs("retry", first.id, second.id, "--json", "--reason", "server is back"))
        assert report == {"action": "retry", "done": [first.id, second.id], "refused": []}
        for job in (first, second):
            restarted = (await deps.store.events(job.id))[-1]
            assert (restarted.move, restarted.target) == ("restart", "uploaded")
            assert (restarted.actor, restarted.cause) == (ME, "server is back")

    async def test_some_of_many_that_refuse_are_a_failure(self, accept: Accept, deps: Deps, jobs: Jobs) -> None:
        good, done = await accept(), await bring(deps, await accept(), State.COMPLETED)
        ended = await jobs("cancel", done.id, good.id, "--as", "mina", "--reason", "asked us to")
        assert ended.status == Exit.FAILED
        assert ended.out.startswith("1 done, 1 refused\n")
        assert f"{done.id} operation_refused the job is completed" in " ".join(ended.out.split())
        cancelled = (await deps.store.events(good.id))[-1]
        assert (cancelled.actor, cancelled.cause, cancelled.code) == ("mina", "asked us to", "cancelled")

    async def test_a_completed_job_goes_on_from_a_stage_that_is_named(
        self, accept: Accept, deps: Deps, jobs: Jobs
    ) -> None:
        job = await bring(deps, await accept(), State.COMPLETED)
        await deps.storage.put(job.s3_key, b"RIFF", container="wav")
        assert (await jobs("retry", job.id, "--from", "submit", *WHY)).status == 0
        assert (await read(deps, job)).state is State.UPLOADED

    async def test_late_results_become_the_jobs_own(self, accept: Accept, deps: Deps, jobs: Jobs) -> None:
        named, other, without = [await bring(deps, await accept(), State.FAILED) for _ in range(3)]
        for job in (named, other):
            assert await deps.store.deliver(job.id, RESULT) == "late"
        assert (await jobs("accept-late-result", named.id, *WHY)).status == 0
        report = await told(
            jobs("accept-late-result", "--state", "failed", "--yes", "--json", *WHY), status=Exit.FAILED
        )
        assert report["done"] == [other.id]
        assert [refusal["job_id"] for refusal in report["refused"]] == [without.id], "it has no late result"
        for job in (named, other):
            assert (await read(deps, job)).state is State.RECEIVED

    async def test_many_are_counted_and_left_alone_where_nobody_can_be_asked(
        self, accept: Accept, deps: Deps, jobs: Jobs
    ) -> None:
        accepted = [await accept() for _ in range(3)]
        ended = await jobs("cancel", "--state", "accepted", *WHY)
        assert (ended.status, ended.out) == (Exit.USAGE, "")
        assert ended.err == "3 jobs to cancel\nyousync: nothing was done: say --yes to go ahead\n"
        assert [(await read(deps, job)).state for job in accepted] == [State.ACCEPTED] * 3

    async def test_many_at_once_by_what_describes_them(self, accept: Accept, deps: Deps, jobs: Jobs) -> None:
        user = await make_user()
        mine = [await accept(user_id=user.id) for _ in range(2)]
        other, done = await accept(), await bring(deps, await accept(user_id=user.id), State.COMPLETED)
        ended = await jobs("cancel", "--user", str(user.id), "--yes", "--json", "--reason", "asked us to")
        assert ended.err == "2 jobs to cancel\n"
        assert json.loads(ended.out)["done"] == [job.id for job in reversed(mine)]
        assert (await read(deps, other)).state is State.ACCEPTED
        assert (await read(deps, done)).state is State.COMPLETED
        deleted = await jobs("delete", "--state", "completed", "--yes", *WHY)
        assert (deleted.status, deleted.err) == (0, "1 job to delete\n")
        assert (await read(deps, done)).state is State.CLEANING

    @pytest.mark.parametrize(
        ("answer", "status", "state"), [("y", Exit.OK, State.PERSISTING), ("n", Exit.FAILED, State.ACCEPTED)]
    )
    async def test_somebody_at_a_terminal_is_asked(
        self, accept: Accept, deps: Deps, settings: Settings, tmp_path: Path, answer: str, status: Exit, state: State
    ) -> None:
        job = await accept()
        keyboard, terminal = pty.openpty()
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "yousync.cli", "jobs", "cancel", "--state", "accepted", *WHY),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment(settings),
            stdin=terminal,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        os.write(keyboard, f"{answer}\n".encode())
        _, err = await asyncio.wait_for(child.communicate(), 30)
        os.close(keyboard)
        os.close(terminal)
        assert child.returncode == status
        assert err.startswith(b"1 job to cancel\ngo ahead? [y/N]:")
        assert (await read(deps, job)).state is state


class TestTheWhole:
    async def test_a_stage_is_paused_and_opened_again(self, accept: Accept, deps: Deps, jobs: Jobs) -> None:
        await accept()
        gates = await told(jobs("pause", "submit", "--json", "--reason", "it is being moved", "--as", "mina"))
        submit = next(gate for gate in gates if gate["stage"] == "submit")
        assert (submit["paused"], submit["who"], submit["why"]) == (True, "mina", "it is being moved")
        assert [gate["stage"] for gate in gates if gate["paused"]] == ["submit"]
        text = (await jobs("stats")).out
        assert re.search(r"^accepted +1 +\d+s *$", text, re.MULTILINE)
        assert re.search(r"^submit +paused +0 +mina \d+s ago: it is being moved *$", text, re.MULTILINE)
        assert not any(gate["paused"] for gate in await told(jobs("resume", "--json", *WHY)))

    async def test_drained_when_nobody_is_at_work(self, accept: Accept, deps: Deps, jobs: Jobs) -> None:
        job = await claimed(deps, await accept())
        early = await jobs("drain", "--timeout", "0.3", "--reason", "deploy")
        assert early.status == Exit.FAILED
        assert "still at work: 1; all stages stay paused" in early.err
        waiting = asyncio.create_task(told(jobs("drain", "--json", *WHY)))
        await until(lambda: paused_by_drain(deps))
        await deps.store.move(job, Move.RELEASE)
        assert (await waiting)["running"] == 0
        assert all(gate.paused for gate in (await stats(deps)).gates)

    async def test_workers_are_those_that_run(
        self, accept: Accept, jobs: Jobs, settings: Settings, tmp_path: Path
    ) -> None:
        async with running(WorkerProcess(settings, logs=tmp_path)) as worker:

            async def listed() -> Any:
                return await told(jobs("workers", "--json"))

            (found,) = await until(listed)
            assert found["host"] == socket.gethostname()
            assert found["pid"] == worker.process.pid
            assert found["slots"] == settings.worker_slots


async def stats(deps: Deps) -> Stats:
    return await deps.store.stats()


async def paused_by_drain(deps: Deps) -> bool:
    return all(gate.paused for gate in (await stats(deps)).gates)


@asynccontextmanager
async def running(part: Any) -> AsyncIterator[Any]:
    await part.start()
    try:
        yield part
    finally:
        await part.stop()


class TestFollowing:
    """With a worker that gives up early, and an analysis server that does as it is told."""

    @pytest_asyncio.fixture
    async def impatient(self, settings: Settings, standin: Standin) -> Settings:
        return settings.model_copy(update={"analysis_wait_seconds": 0.5, "analysis_asks": 1})

    @pytest.mark.timeout(120)  # half a dozen commands, each a process that has much to import
    async def test_a_parked_job_is_found_understood_mended_and_watched(
        self, accept: Accept, deps: Deps, jobs: Jobs, impatient: Settings, standin: Standin, tmp_path: Path
    ) -> None:
        async with control(standin.url) as analysis, running(WebProcess(impatient, logs=tmp_path, with_worker=True)):
            await analysis.behave("never")
            job = await accept()
            gave_up = await jobs("tail", job.id)
            assert gave_up.status == Exit.FAILED
            assert " → parked " in gave_up.out.splitlines()[-1]

            found = await told(jobs("list", "--state", "parked", "--json"))
            assert [entry["job_id"] for entry in found["jobs"]] == [job.id]
            why = await told(jobs("show", job.id, "--json"))
            assert (why["code"], why["stage"], why["attempts"]) == ("analysis_timeout", "submit", 1)

            await analysis.reset()
            assert (await jobs("retry", job.id, "--reason", "mended")).status == 0
            watched = await jobs("tail", job.id, "--json")
            assert watched.status == 0, watched.err
            events = [json.loads(line)["event"] for line in watched.out.splitlines()]
            assert [event["version"] for event in events] == list(range(1, len(events) + 1))
            assert ("restart", "mended") in {(event["move"], event["cause"]) for event in events}
            assert events[-1]["target"] == "completed"
            assert (await read(deps, job)).run == 2

    async def test_all_jobs_are_followed_until_ctrl_c(
        self, accept: Accept, deps: Deps, settings: Settings, tmp_path: Path
    ) -> None:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "yousync.cli", "jobs", "tail", "--json"),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | environment(settings),
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        await until(lambda: listeners(deps.valkey, keys.MOVED))
        jobs = [await accept() for _ in range(2)]
        async with asyncio.timeout(10):
            lines = [json.loads(await child.stdout.readline()) for _ in jobs]
        child.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(child.wait(), 10) == 0
        assert [(line["job_id"], line["event"]["move"]) for line in lines] == [(job.id, "accept") for job in jobs]


async def test_what_cannot_be_reached_is_said(settings: Settings, tmp_path: Path) -> None:
    nowhere = environment(settings) | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    for env, status in ((nowhere, Exit.UNREACHABLE), ({}, Exit.SETUP)):
        ended = await yousync(tmp_path, "jobs", "stats", env=env)
        assert (ended.status, ended.out) == (status, "")
        assert "Traceback" not in ended.err


async def test_somebody_elses_valkey_is_left_alone(
    accept: Accept, settings: Settings, new_database: NewDatabase, tmp_path: Path
) -> None:
    job = await accept()
    elsewhere = await new_database()
    connection = await asyncpg.connect(elsewhere)
    await connection.execute("UPDATE deployment SET id = gen_random_uuid()")
    await connection.close()
    env = environment(settings) | {"DATABASE_URL": elsewhere}
    ended = await yousync(tmp_path, "jobs", "cancel", job.id, *WHY, env=env)
    assert ended.status == Exit.SETUP
    assert "belongs to another deployment" in ended.err
