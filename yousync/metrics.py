"""What is measured: every metric there is, defined once. Times are seconds, sizes bytes.

Labels are bounded: states, stages, codes of ours, route templates. Never an id, a path, or anything that a client
or an analysis server wrote. What lies in Valkey is the same whichever process tells of it: rules take the `max`
over processes, never the `sum`.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from yousync.failures import LEARNER_MESSAGES, StageFailure
from yousync.job import STAGE_OF, Job, Kind, Stage, State

# Nobody asks when a counter was first touched, and it would double the series.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client 0.26

_MOMENTS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_REQUESTS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_LIVES: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600, 1800, 7200, 86_400)

# --- HTTP --------------------------------------------------------------------------------------------

HTTP_REQUESTS = Counter(
    "yousync_http_requests_total",
    "Requests by route template (`unmatched`: none); status 499: the client left before its answer.",
    ["method", "route", "status"],
)
HTTP_SECONDS = Histogram(
    "yousync_http_request_duration_seconds",
    "From a request's head to the end of its answer; for a stream, how long it was open.",
    ["method", "route"],
    buckets=_REQUESTS,
)
HTTP_REFUSALS = Counter(
    "yousync_http_refusals_total",
    "Requests that an endpoint refused, by the stable code that the client is told.",
    ["route", "code"],
)
READY = Gauge("yousync_ready", "1 when /readyz says yes; asked at each scrape of a web process, unknown elsewhere.")
STREAMS_OPEN = Gauge("yousync_streams_open", "Progress streams that this process feeds.")
EVENT_LAG = Histogram(
    "yousync_event_lag_seconds",
    "From a job's move, by Valkey's clock, to its streams being offered the news, by ours.",
    buckets=_REQUESTS,
)

# --- jobs on their way -------------------------------------------------------------------------------

UPLOADS_ACCEPTED = Counter("yousync_uploads_accepted_total", "Uploads that became a job.", ["kind"])
STAGE_ATTEMPTS = Counter(
    "yousync_stage_attempts_total",
    "Attempts at a stage by how they ended: done, waiting (for a result), retry (counted), hold (a dependency is down, "
    "not counted), failed, parked, released (the worker went), fenced (another worker has the job).",
    ["stage", "outcome"],
)
STAGE_SECONDS = Histogram(
    "yousync_stage_duration_seconds", "How long attempts at a stage took.", ["stage"], buckets=_REQUESTS
)
RESULTS = Counter(
    "yousync_results_total",
    "Results from the analysis server by the way they came (webhook, reply, status) and what became of them.",
    ["source", "delivery"],
)
JOBS_ENDED = Counter(
    "yousync_jobs_ended_total", "Jobs that ended by state and code; codes unknown to us are `other`.", ["state", "code"]
)
JOB_SECONDS = Histogram(
    "yousync_job_duration_seconds", "From acceptance to the end of a job's first run.", ["state"], buckets=_LIVES
)

# --- what lies in Valkey: set by `show` --------------------------------------------------------------

JOBS = Gauge("yousync_jobs", "Jobs by state.", ["state"])
OLDEST_SECONDS = Gauge(
    "yousync_oldest_job_age_seconds",
    "How long ago the job that is longest in an unfinished state got there.",
    ["state"],
)
HELD = Gauge("yousync_held_jobs", "Jobs that stand in line before a stage.", ["stage"])
BREAKER_OPEN = Gauge("yousync_breaker_open", "1 while a stage is shut because what it depends on is down.", ["stage"])
PAUSED = Gauge("yousync_stage_paused", "1 while an operator keeps a stage shut.", ["stage"])
QUEUED = Gauge("yousync_queue_jobs", "Hand-overs to workers that are not finished.")
STAGED = Gauge("yousync_staged_audio_bytes", "Audio of accepted uploads that S3 does not hold yet.")
STAGED_LIMIT = Gauge("yousync_staged_audio_limit_bytes", "STAGED_AUDIO_BYTES: beyond it uploads are refused.")
VALKEY_MEMORY = Gauge("yousync_valkey_memory_bytes", "What Valkey uses for all it holds.")
VALKEY_LIMIT = Gauge("yousync_valkey_memory_limit_bytes", "Its maxmemory, or its host's memory where it has none.")
WORKERS = Gauge("yousync_workers", "Processes that said lately that they work on jobs.")

# --- what we depend on, and this process itself ------------------------------------------------------

STORAGE_SECONDS = Histogram(
    "yousync_storage_request_duration_seconds",
    "Requests to S3; outcome: ok, the code of the failure, error (unforeseen) or cancelled.",
    ["operation", "outcome"],
    buckets=_REQUESTS,
)
ANALYSIS_SECONDS = Histogram(
    "yousync_analysis_request_duration_seconds",
    "Requests to the analysis server; outcome: ok, the code of the failure, error (unforeseen) or cancelled.",
    ["operation", "outcome"],
    buckets=_REQUESTS,
)
PREPROCESS_SECONDS = Histogram(
    "yousync_preprocess_request_duration_seconds",
    "Requests to the preprocess server; outcome: ok, the code of the failure, error (unforeseen) or cancelled.",
    ["operation", "outcome"],
    buckets=(*_REQUESTS, 300),
)
QUERY_SECONDS = Histogram(
    "yousync_database_query_duration_seconds",
    "Statements on Postgres; outcome: ok or error.",
    ["outcome"],
    buckets=_MOMENTS,
)
DATABASE_CONNECTIONS = Gauge("yousync_database_connections", "Connections of this process's pool.", ["use"])
DATABASE_LIMIT = Gauge("yousync_database_connections_limit", "How many connections this process's pool may have.")
LOOP_LAG = Histogram(
    "yousync_event_loop_lag_seconds", "How late this process's event loop wakes a task that sleeps.", buckets=_MOMENTS
)


class Attempt(StrEnum):
    """How an attempt at a stage ended."""

    DONE = "done"
    WAITING = "waiting"
    RETRY = "retry"
    HOLD = "hold"
    FAILED = "failed"
    PARKED = "parked"
    RELEASED = "released"
    FENCED = "fenced"


CODES: Final = frozenset(
    {
        *("", *LEARNER_MESSAGES),
        *("analysis_down", "analysis_unclear", "preprocess_down", "preprocess_unclear", "queue_down", "queue_refused"),
        *("database_down", "storage_down", "storage_refused"),
        *("internal_error", "result_lost", "stage_timeout", "worker_lost"),
    }
)
"""Every code of ours that a job may end with."""


def attempted(state: State, outcome: Attempt) -> None:
    """Count an attempt at the stage of a job that was claimed in `state`."""
    STAGE_ATTEMPTS.labels(STAGE_OF[state], outcome).inc()


def job_ended(job: Job, code: str) -> None:
    """Count a job, as it stands after its last move."""
    JOBS_ENDED.labels(job.state, code if code in CODES else "other").inc()  # servers report what codes they like
    if job.run == 1:
        JOB_SECONDS.labels(job.state).observe((job.updated_ms - job.created_ms) / 1000)


@asynccontextmanager
async def timed(histogram: Histogram, operation: str) -> AsyncIterator[None]:
    """Observe how long a request to a dependency takes and what comes of it; decorates coroutine functions."""
    begun, outcome = time.perf_counter(), "cancelled"
    try:
        yield
        outcome = "ok"
    except StageFailure as failure:
        outcome = failure.code
        raise
    except Exception:
        outcome = "error"
        raise
    finally:
        histogram.labels(operation, outcome).observe(time.perf_counter() - begun)


def show(
    *,
    jobs: Mapping[State, float],
    oldest_seconds: Mapping[State, float],
    held: Mapping[Stage, float],
    breaker_open: Mapping[Stage, float],
    paused: Mapping[Stage, float],
    queued: float,
    staged_bytes: float,
    staged_limit_bytes: float,
    memory_bytes: float,
    memory_limit_bytes: float,
    workers: float,
) -> None:
    """Tell what lies in Valkey at this moment; a state or stage that is not named has nothing."""
    for state in State:
        JOBS.labels(state).set(jobs.get(state, 0))
    for state in STAGE_OF:
        OLDEST_SECONDS.labels(state).set(oldest_seconds.get(state, 0))
    for stage in Stage:
        HELD.labels(stage).set(held.get(stage, 0))
        BREAKER_OPEN.labels(stage).set(breaker_open.get(stage, 0))
        PAUSED.labels(stage).set(paused.get(stage, 0))
    QUEUED.set(queued)
    STAGED.set(staged_bytes)
    STAGED_LIMIT.set(staged_limit_bytes)
    VALKEY_MEMORY.set(memory_bytes)
    VALKEY_LIMIT.set(memory_limit_bytes)
    WORKERS.set(workers)


def show_unknown() -> None:
    """Valkey does not answer: NaN, of which no comparison holds, so no rule takes old news for the present."""
    show(
        jobs=dict.fromkeys(State, math.nan),
        oldest_seconds=dict.fromkeys(State, math.nan),
        held=dict.fromkeys(Stage, math.nan),
        breaker_open=dict.fromkeys(Stage, math.nan),
        paused=dict.fromkeys(Stage, math.nan),
        queued=math.nan,
        staged_bytes=math.nan,
        staged_limit_bytes=math.nan,
        memory_bytes=math.nan,
        memory_limit_bytes=math.nan,
        workers=math.nan,
    )


def _begin() -> None:
    """Series that rules take a rate of start at 0, else their first count is lost; what nobody has read is unknown."""
    for kind in Kind:
        UPLOADS_ACCEPTED.labels(kind)
    for stage in Stage:
        for outcome in Attempt:
            STAGE_ATTEMPTS.labels(stage, outcome)
    JOBS_ENDED.labels(State.FAILED, "audio_lost")
    READY.set(math.nan)
    show_unknown()


_begin()
