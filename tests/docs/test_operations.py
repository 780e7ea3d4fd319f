"""The operations page: its commands do what it says, and what it lists is what there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import NewDatabase
from tests.deploy.test_rules import ALERTS, RECORDED, SERIES
from tests.docs.page import PAGE, TEXT, sections, steps, table
from tests.docs.shell import Shell
from tests.faults.ground import Ground, different
from tests.scraping import scrape
from tests.waiting import until
from yousync.cli.app import app
from yousync.cli.failure import Exit
from yousync.failures import LEARNER_MESSAGES
from yousync.job import MESSAGES, Stage, State
from yousync.metrics import CODES
from yousync.settings import Settings

ROOT = PAGE.parents[1]


async def parked(ground: Ground, *numbers: int) -> list[str]:
    """Jobs that the analysis server fails, again and again, until they are parked."""
    await ground.analysis.behave("http_500")
    jobs = [await ground.upload(different(number)) for number in numbers]
    for job_id in jobs:
        assert await ground.concluded(job_id) is State.PARKED
    return jobs


async def reached(ground: Ground, job_id: str, state: State) -> bool:
    """Whether the job is in this state now."""
    job = await ground.deps.store.read(job_id)
    return job is not None and job.state is state


@pytest.mark.timeout(120)
async def test_a_parked_job_from_alarm_to_completion(ground: Ground, shell: Shell) -> None:
    (job_id,) = await parked(ground, 1)
    told = await scrape(f"{ground.url}/metrics")
    assert told("yousync_jobs", state="parked") == 1, "what the alarm looks at"
    await shell.follow("A parked job, from alarm to completion")
    assert shell.env["JOB"] == job_id
    await ground.analysis.reset()
    await shell.follow("Let it go on")
    assert (await ground.answer(job_id))["status"] == "completed"


@pytest.mark.timeout(120)
async def test_many_at_once(ground: Ground, shell: Shell) -> None:
    jobs = await parked(ground, 2, 3)
    await ground.analysis.reset()
    await shell.follow("Many at once")
    for job_id in jobs:
        await until(lambda: reached(ground, job_id, State.COMPLETED))  # noqa: B023  # awaited here


@pytest.mark.timeout(120)
async def test_a_stage_is_shut_for_a_while(ground: Ground, shell: Shell) -> None:
    pause, look, resume = steps("Shut a stage for a while")
    await shell.do(pause)
    job_id = await ground.upload(different(4))
    await until(lambda: stands_in_line(ground))
    await shell.do(look)
    assert await ground.analysis.asked(job_id) == 0
    await shell.do(resume)
    assert (await ground.ended(job_id))["status"] == "completed"


async def stands_in_line(ground: Ground) -> bool:
    """Whether a job does, and nobody is at anything else."""
    found = await ground.deps.store.stats()
    held = {gate.stage: gate.held for gate in found.gates}
    return held[Stage.SUBMIT] == 1 and not (found.running or found.queued or found.due)


@pytest.mark.timeout(120)
async def test_a_job_is_cancelled_takes_its_late_result_and_is_deleted(ground: Ground, shell: Shell) -> None:
    await ground.analysis.behave("hold")
    shell.env["JOB"] = job_id = await ground.upload(different(5))
    await until(lambda: reached(ground, job_id, State.WAITING))
    cancel, look, accept = steps("Cancel, and take a result that came late")
    await shell.do(cancel)
    await until(lambda: reached(ground, job_id, State.CANCELLED))
    await ground.analysis.release()
    await shell.do(look)
    await shell.do(accept)
    assert (await ground.ended(job_id))["status"] == "completed"
    await shell.follow("Delete")
    await until(lambda: gone(ground, job_id))


async def gone(ground: Ground, job_id: str) -> bool:
    """Whether nothing is left of the job but a row without content."""
    return await ground.deps.store.read(job_id) is None


@pytest.mark.timeout(120)
async def test_all_work_stops_and_goes_on(ground: Ground, shell: Shell) -> None:
    drain, resume = steps("Stop all work")
    await shell.do(drain)
    job_id = await ground.upload(different(6))
    await shell.do(resume)
    assert (await ground.ended(job_id))["status"] == "completed"


@pytest.mark.timeout(120)
async def test_a_copy_for_another_stack_is_refused_where_the_original_lives(
    shell: Shell, new_database: NewDatabase
) -> None:
    shell.env["DATABASE_URL"] = await new_database()  # tests' databases are copies of one
    await shell.follow("A copy for another stack")
    refused = await shell.run("yousync jobs stats", status=3)
    assert "belongs to another deployment" in refused


def test_every_command_of_the_page_is_run() -> None:
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    for title, text in sections().items():
        assert "```bash" not in text or f'"{title}"' in tests, title
        assert not re.search(r"```(?!bash|text|yaml|\n|$)", text), f"a block of another kind under {title}"


def test_every_alarm_has_its_entry_and_every_entry_its_alarm() -> None:
    entries = re.findall(r"^\*\*(YouSync\w+)\*\* \((\w+)\)", TEXT, re.MULTILINE)
    assert entries == [(name, rule["labels"]["severity"]) for name, rule in ALERTS.items()]
    assert set(re.findall(r"\*(YouSync\w+)\*", TEXT)) <= ALERTS.keys()


def test_metrics_are_called_by_their_names() -> None:
    named = set(re.findall(r"\byousync_\w+", TEXT)) - {"yousync_web", "yousync_worker"}
    assert set(re.findall(r"\byousync:[\w:]+", TEXT)) == RECORDED.keys()
    assert named <= SERIES.keys() | {name.removesuffix("_bucket") for name in SERIES}


def failure_codes() -> Iterator[str]:
    """The codes that are written where failures are raised or returned, and where jobs are settled."""
    raisers = {"Transient", "Down", "Permanent", "Unclear", "Spent", "Deleted", "_settle"}
    for folder in ("jobs", "yousync"):
        for file in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(file.read_text())):
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in raisers:
                    words = [each.value for each in call.args if isinstance(each, ast.Constant)]
                    yield from (word for word in words[:1] if isinstance(word, str))


def test_every_error_code_of_jobs_is_explained_as_learners_read_it() -> None:
    found = set(failure_codes())
    assert {"analysis_error", "worker_lost", "analysis_timeout"} <= found, "the search finds nothing"
    rows = {code.strip("`"): reads for code, _, reads, _ in table("Error codes of jobs")}
    assert rows.keys() == found | LEARNER_MESSAGES.keys() == CODES - {""}
    assert rows == {code: LEARNER_MESSAGES.get(code, "") for code in rows}
    assert MESSAGES[State.PARKED] in sections()["Error codes of jobs"]


def test_every_exit_status_is_explained_here_and_where_help_is_asked_for() -> None:
    statuses = [str(int(status)) for status in Exit]
    assert [status for status, *_ in table("Exit statuses")] == statuses
    told = app.info.help
    assert isinstance(told, str)
    assert re.findall(r"(?<!\w)\d+(?= )", told.split("Exit status:")[1]) == statuses
    assert "docs/operations.md#exit-statuses" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("title", ["Retention and privacy", "Settings that matter under load"])
def test_defaults_are_told_as_they_are(title: str) -> None:
    for name, default, *_ in table(title):
        assert float(default.split()[0]) == Settings.model_fields[name.lower()].default, name


def test_the_sizing_table_is_filled_in() -> None:
    assert [hosts.split(",")[0] for hosts, *_ in table("Sizing")] == ["1", "2", "3", "6"]


def test_settings_are_called_by_their_names() -> None:
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    named = set(re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b", prose)) - {"RCLONE_S3_PROVIDER"}
    assert named <= {name.upper() for name in Settings.model_fields}


def test_links_lead_somewhere() -> None:
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in sections()}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", TEXT):
        assert (PAGE.parent / target).exists(), target
    assert "docs/operations.md" in (ROOT / "README.md").read_text()
