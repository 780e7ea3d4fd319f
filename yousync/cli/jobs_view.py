"""How jobs, stages and workers look on the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from yousync.job import Event, Kind, State
from yousync.redaction import one_line

if TYPE_CHECKING:
    from jobs.bulk import Report
    from jobs.detail import Audio, Detail
    from jobs.presence import WorkerInfo
    from jobs.records import Gate, GateEvent, Stats
    from jobs.search import Page, Summary

_WIDE = 400  # columns of a file or pipe: as many as it takes
_COLOURS = {State.COMPLETED: "green", State.FAILED: "red", State.PARKED: "yellow"}


def put(value: Any, *, as_json: bool, view: RenderableType) -> None:
    """Print a value: as JSON on one line, or as people like to see it."""
    if as_json:
        typer.echo(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode())
        return
    measured = sys.stdout.isatty() or "COLUMNS" in os.environ
    Console(width=None if measured else _WIDE, highlight=False).print(view, crop=False)


def page(found: Page) -> RenderableType:
    """Jobs, one a line."""
    if not found.jobs and found.next_cursor is None:
        return Text("no jobs")
    table = _table("job", "state", "stage", "code", "uploaded (UTC)", "of", "by", "asked", "run")
    for job in found.jobs:
        _add(
            table,
            job.job_id,
            _state(job.state),
            job.stage or "",
            job.code,
            _time(job.created_at),
            _sentence(job),
            _user(job),
            str(job.attempts),
            str(job.run),
        )
    return table if found.next_cursor is None else Group(table, Text(f"more: --cursor {found.next_cursor}"))


def detail(job: Detail) -> RenderableType:
    """One job: facts, then its events."""
    video = job.kind is Kind.YOUTUBE
    facts = {
        "job": job.job_id,
        "state": job.state + (f" at {job.stage}" if job.stage else "") + (f": {job.code}" if job.code else ""),
        "told": job.message,
        "of": f"{_sentence(job)}, by {_user(job)}",
        "uploaded": f"{_time(job.created_at)} UTC, last change {_time(job.updated_at)}",
        "video": str((job.request or {}).get("youtube_url", "")) if video else "",
        "attempts": f"run {job.run}, requests to the {'preprocess' if video else 'analysis'} server: {job.attempts}",
        "this stage": "" if job.tries is None else f"{job.tries} failures, {job.holds} holds, {job.lapses} lapses",
        "at work": job.worker,
        "deleted": f"{_time(job.deleted_at)} UTC; this is forgotten after a week" if job.deleted_at else "",
        "score": "" if job.overall_score is None else f"{job.overall_score:.2f}",
        "late": f"a result came after the end: yousync jobs accept-late-result {job.job_id} --reason …"
        if job.late
        else "",
        "request": job.request_id,
        "audio": _audio(job.audio) if job.audio else "" if video else "deleted",
        "listen": job.audio.link if job.audio else "",
    }
    told = [_whole(f"{name:<12}{fact}") for name, fact in facts.items() if fact]
    return Group(*told, Text(), timeline(job.timeline))


def timeline(events: Iterable[Event]) -> RenderableType:
    """Events, one a line."""
    table = _table("", "at (UTC)", "move", "from → to", "by", "code", "cause")
    for event in events:
        _add(table, str(event.version), *_event(event))
    return table


def line(job_id: str, event: Event) -> RenderableType:
    """One event of one job, for a log that runs by."""
    return _whole("  ".join(part for part in (job_id, *_event(event)) if part))


def report(done: Report) -> RenderableType:
    """What was done to which jobs."""
    said = Text(f"{len(done.done)} done, {len(done.refused)} refused")
    if not done.refused:
        return said
    table = _table("refused", "", "")
    for refusal in done.refused:
        _add(table, refusal.job_id, refusal.code, refusal.detail)
    return Group(said, table)


def stats(found: Stats) -> RenderableType:
    """How things stand."""
    states = _table("state", "jobs", "longest there")
    for state, jobs in found.states.items():
        if jobs:
            _add(states, _state(state), str(jobs), _since(found.oldest_ms[state], found.now_ms))
    megabytes = found.staged_bytes / 2**20
    said = f"{found.running} at work, {found.queued} handed over, {found.due} on the clock, {megabytes:.1f} MiB staged"
    return Group(states, Text(said), Text(), gates(found.gates, now_ms=found.now_ms))


def gates(found: Iterable[Gate], *, now_ms: int) -> RenderableType:
    """The way into each stage."""
    table = _table("stage", "", "standing in line", "why")
    for gate in found:
        if gate.paused:
            how, why = "paused", f"{gate.who} {_since(gate.since_ms, now_ms)} ago: {gate.why}"
        elif gate.open_until_ms:
            rest = max(0, gate.open_until_ms - now_ms) / 1000
            how, why = "held", f"{gate.code}, {gate.downs} jobs in a row; tried again in {rest:.0f} s"
        else:
            how, why = "open", ""
        _add(table, gate.stage, how, str(gate.held), why)
    return table


def gatekeeping(found: Iterable[GateEvent]) -> RenderableType:
    """Who shut and opened what, one a line."""
    table = _table("at (UTC)", "stage", "", "by", "why")
    for event in found:
        _add(table, _time(_moment(event.at_ms)), event.stage, event.action, event.who, event.why)
    return table if table.row_count else Text("nothing was paused lately")


def workers(found: Iterable[WorkerInfo]) -> RenderableType:
    """Processes, one a line."""
    table = _table("worker", "host", "pid", "up since (UTC)", "at work", "slots")
    for worker in found:
        counts = (str(worker.running), str(worker.slots))
        _add(table, worker.name, worker.host, str(worker.pid), _time(_moment(worker.started_ms)), *counts)
    return table if table.row_count else Text("no worker runs")


def _table(*names: str) -> Table:
    table = Table(*names, box=None, header_style="dim", pad_edge=False)
    table.columns[0].no_wrap = True
    return table


def _whole(text: str) -> Text:
    """A line that is not cut: it holds a link, or is for grep."""
    return Text(one_line(text), no_wrap=True, overflow="ignore")


def _add(table: Table, *cells: str | Text) -> None:
    """A row of plain text: causes are other systems' words, and must not steer the terminal."""
    table.add_row(*(Text(one_line(cell)) if isinstance(cell, str) else cell for cell in cells))


def _event(event: Event) -> tuple[str, ...]:
    at = _moment(event.at_ms).strftime("%m-%d %H:%M:%S.%f")[:-3]
    move = f"{event.move} {event.attempt}" if event.attempt else event.move
    return at, move, f"{event.source or '·'} → {event.target}", event.actor, event.code, event.cause


def _state(state: State) -> Text:
    return Text(state, style=_COLOURS.get(state, ""))


def _sentence(job: Summary) -> str:
    if job.token_id is None:
        return "a video"
    if job.kind is Kind.SYNTHESIS:
        return f"a dubbing of token {job.token_id}"
    return f"token {job.token_id}" if job.script_id is None else f"token {job.token_id} script {job.script_id}"


def _user(job: Summary) -> str:
    return "nobody" if job.user_id is None else f"user {job.user_id}"


def _audio(audio: Audio) -> str:
    places = [place for place, there in (("S3", audio.stored), ("Valkey", audio.staged)) if there]
    if audio.stored is None:
        places.append("S3 does not say")
    size = f", {audio.size / 1000:.0f} kB" if audio.size else ""
    return f"{audio.uri} in {' and '.join(places) or 'no place'}{size}"


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _since(then_ms: int, now_ms: int) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = max(0, now_ms - then_ms) // 1000
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
