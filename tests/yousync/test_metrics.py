"""Metrics are named as Prometheus wants them, their labels are bounded, and a process shows them while it runs."""

from __future__ import annotations

import ast
import asyncio
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from prometheus_client import Counter, Gauge, Histogram, generate_latest

import yousync
from tests.jobs.conftest import a_job
from tests.scraping import Scrape, parsed, scrape
from tests.waiting import until
from tests.yousync.test_webhooks import with_keys
from yousync import metrics
from yousync.exposition import exposed
from yousync.failures import Down
from yousync.job import STAGE_OF, Stage, State
from yousync.local.port import free_port, port_is_free

Metric = Counter | Gauge | Histogram
ROOT = Path(yousync.__file__).parents[1]
METRICS: dict[str, Metric] = {name: value for name, value in vars(metrics).items() if isinstance(value, Metric)}
LABELS = {
    "method",
    "route",
    "status",
    "code",
    "kind",
    "stage",
    "outcome",
    "source",
    "delivery",
    "state",
    "operation",
    "use",
}
FAILURES = {"Down", "Transient", "Unclear", "Permanent", "Spent"}


def now() -> Scrape:
    return parsed(generate_latest().decode())


@pytest.mark.parametrize("name", METRICS)
def test_each_is_named_for_what_it_is(name: str) -> None:
    metric = METRICS[name]
    (family,) = metric.describe()
    assert re.fullmatch(r"yousync_[a-z]+(_[a-z]+)*", family.name)
    assert family.documentation.endswith(".")
    if isinstance(metric, Histogram):
        assert family.name.endswith("_seconds"), "base units, in the name"
    assert not family.name.endswith(("_ms", "_count", "_sum", "_bucket"))
    assert set(metric._labelnames) <= LABELS


def test_nothing_is_defined_elsewhere() -> None:
    families = {family.name for metric in METRICS.values() for family in metric.describe()}
    told = set(re.findall(r"^# TYPE (yousync_\w+?)(?:_total)? ", generate_latest().decode(), flags=re.MULTILINE))
    assert told == families


def raised_codes() -> Iterator[tuple[str, str]]:
    """Each code that a stage of ours may fail or park a job with, and the file that says so."""
    for file in [*(ROOT / "jobs").rglob("*.py"), ROOT / "yousync" / "storage.py", ROOT / "yousync" / "analysis.py"]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAILURES:
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    yield str(first.value), file.name


def test_every_code_of_ours_is_known() -> None:
    found = dict(raised_codes())
    assert len(found) >= 10
    assert found.keys() <= metrics.CODES, {code: found[code] for code in found.keys() - metrics.CODES}


def test_a_code_that_a_server_made_up_is_no_label() -> None:
    before = now()
    job = a_job(state=State.FAILED, created_ms=1000, updated_ms=3500)
    metrics.job_ended(job, "made_up_by_the_server")
    metrics.job_ended(job, "no_speech")
    after = now()
    for code in ("other", "no_speech"):
        labels = {"state": "failed", "code": code}
        assert after.sum("yousync_jobs_ended_total", **labels) - before.sum("yousync_jobs_ended_total", **labels) == 1
    assert "made_up" not in generate_latest().decode()
    seconds = "yousync_job_duration_seconds_sum"
    assert after.sum(seconds, state="failed") - before.sum(seconds, state="failed") == pytest.approx(5.0)


async def test_a_request_is_observed_with_what_came_of_it() -> None:
    @metrics.timed(metrics.STORAGE_SECONDS, "trying")
    async def ask(error: BaseException | None) -> str:
        if error is not None:
            raise error
        return "answer"

    assert await ask(None) == "answer"
    for error in (Down("storage_down"), ValueError("ours"), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            await ask(error)
    told = now()
    for outcome in ("ok", "storage_down", "error", "cancelled"):
        assert told("yousync_storage_request_duration_seconds_count", operation="trying", outcome=outcome) == 1


def test_what_lies_in_valkey_is_shown_whole_and_unknown_is_no_number() -> None:
    metrics.show(
        jobs={State.WAITING: 3},
        oldest_seconds={State.WAITING: 12.5},
        held={Stage.SUBMIT: 2},
        breaker_open={Stage.UPLOAD: True},
        paused={},
        queued=4,
        staged_bytes=800,
        staged_limit_bytes=1000,
        memory_bytes=300,
        memory_limit_bytes=1000,
        workers=1,
    )
    told = now()
    assert {state: told("yousync_jobs", state=state) for state in State} == dict.fromkeys(State, 0) | {State.WAITING: 3}
    assert told("yousync_oldest_job_age_seconds", state="waiting") == 12.5
    assert {state for state in State if not math.isnan(told("yousync_oldest_job_age_seconds", state=state))} == set(
        STAGE_OF
    )
    assert (told("yousync_held_jobs", stage="submit"), told("yousync_held_jobs", stage="upload")) == (2, 0)
    assert (told("yousync_breaker_open", stage="upload"), told("yousync_stage_paused", stage="upload")) == (1, 0)
    assert (told("yousync_queue_jobs"), told("yousync_workers")) == (4, 1)
    assert told("yousync_staged_audio_bytes") / told("yousync_staged_audio_limit_bytes") == 0.8
    assert told("yousync_valkey_memory_bytes") / told("yousync_valkey_memory_limit_bytes") == 0.3
    metrics.show_unknown()
    told = now()
    unknown = [value for (name, _), value in told.samples.items() if name in {"yousync_jobs", "yousync_workers"}]
    assert len(unknown) == len(State) + 1
    assert all(map(math.isnan, unknown))


class TestExposed:
    async def test_a_process_shows_its_metrics_while_it_runs(self) -> None:
        port = free_port()
        asked = asyncio.Event()

        async def refresh() -> None:
            asked.set()
            raise ValueError("what is not there is not shown, and stops nobody")

        async with exposed(with_keys("w" * 32).model_copy(update={"metrics_port": port}), refresh):
            await asyncio.wait_for(asked.wait(), 5)
            before = await scrape(f"http://127.0.0.1:{port}/metrics")
            assert {"process_resident_memory_bytes", "process_cpu_seconds_total"} <= before.names
            ticks = "yousync_event_loop_lag_seconds_count"
            await until(lambda: now()(ticks) > before(ticks))
        assert port_is_free(port)

    async def test_without_a_port_nothing_listens(self) -> None:
        async def refresh() -> None:
            pytest.fail("nobody looks")

        async with exposed(with_keys("w" * 32), refresh):
            pass

    async def test_a_port_that_is_taken_keeps_nobody_from_working(self) -> None:
        async def refresh() -> None:
            pass

        settings = with_keys("w" * 32).model_copy(update={"metrics_port": free_port()})
        with structlog.testing.capture_logs() as events:
            async with exposed(settings, refresh), exposed(settings, refresh):
                told = await scrape(f"http://127.0.0.1:{settings.metrics_port}/metrics")
        assert "yousync_queue_jobs" in told.names
        assert [(line["event"], line["port"]) for line in events] == [("metrics_not_exposed", settings.metrics_port)]
