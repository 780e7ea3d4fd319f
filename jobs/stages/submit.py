"""Submit: ask the analysis server for scores, at most so often, and leave the waiting to the clock."""

from __future__ import annotations

from jobs.deps import Deps
from jobs.outcomes import Delivered, Done, Spent, Waiting
from jobs.stages.asking import ask_once_more, not_asked, until_deadline
from yousync import metrics
from yousync.analysis import Progress, Question
from yousync.failures import Down, Permanent, Transient, Unclear
from yousync.job import Job
from yousync.storage import Storage


async def submit(deps: Deps, job: Job) -> Done | Waiting | Delivered | Spent:
    """Ask for the analysis of one recording, unless an earlier request may still bring its result.

    Before the first byte goes out the record says so (`asked_ms`): from then on the server may have the
    request. After a crash it is asked again only if it says that it does not know the job, or is declared
    idempotent; otherwise the deadline of the first request holds.
    """
    settings = deps.settings
    open_request = job.asked_ms > 0
    may_ask = job.asks < settings.analysis_asks
    if job.inbox:
        return Done()
    if job.asks and settings.analysis_status_url:
        progress, body = await deps.analysis.progress(job)
        if progress is Progress.ENDED:
            metrics.RESULTS.labels("status", await deps.store.deliver(job.id, body)).inc()
            return Delivered()
        if progress is Progress.RUNNING and open_request:
            return until_deadline(job, settings.analysis_wait_seconds, answered=True)
        if progress is Progress.RUNNING and may_ask:
            await ask_once_more(deps, job, cause="still running past its deadline")
            return Waiting(settings.analysis_wait_seconds, answered=True)
    # Of what lies in a queue the server does not know yet: that it knows nothing does not say that nobody asked.
    certain = settings.analysis_status_url and not deps.analysis.queues(job)
    if open_request and not (certain or settings.analysis_idempotent):
        return until_deadline(job, settings.analysis_wait_seconds, answered=False)
    if not open_request and not may_ask:
        return Spent("analysis_timeout", f"asked {job.asks} times without a result")
    return await _ask(deps, job)


async def _ask(deps: Deps, job: Job) -> Waiting | Delivered:
    question = await _question(deps, job)
    asked = await ask_once_more(deps, job)
    try:
        reply = await deps.analysis.ask(asked, question)
    except (Down, Transient):
        await not_asked(deps, asked, job)
        raise
    except Unclear:
        if deps.settings.analysis_idempotent:
            raise
        return Waiting(deps.settings.analysis_wait_seconds, queued=deps.analysis.queues(job))
    if reply is not None:
        metrics.RESULTS.labels("reply", await deps.store.deliver(job.id, reply)).inc()
        return Delivered()
    return Waiting(deps.settings.analysis_wait_seconds, answered=True, queued=deps.analysis.queues(job))


async def _question(deps: Deps, job: Job) -> Question:
    storage = deps.storage
    original = await deps.originals.of(job.token_id, job.script_id)
    if original is None:
        raise Permanent("catalogue_gone", f"token {job.token_id}")
    if job.script_id is not None and not original.sentences:
        raise Permanent("catalogue_gone", f"script {job.script_id}")
    return Question(
        audio_uri=storage.uri(job.s3_key),
        sentences=original.sentences,
        textgrid_uri=_s3_uri(storage, original.s3_textgrid_url),
        pitch_uri=_s3_uri(storage, original.s3_pitch_url),
        start_time=original.start_time,
    )


def _s3_uri(storage: Storage, value: str | None) -> str:
    """A bare key means our bucket; full addresses stay as they are, nothing is the empty string."""
    if not value or "://" in value:
        return value or ""
    return storage.uri(value.lstrip("/"))
