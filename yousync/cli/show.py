"""How a job looks on the terminal: a bar while it runs, a table of words when it is done."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from yousync.cli.client import Client

_BARS = "▁▂▃▄▅▆▇█"
_LEAST_REACH_ST = 2.0


async def follow(client: Client, job_id: str, console: Console) -> dict[str, Any]:
    """Show the job's progress as it is pushed, and return what it ended as."""
    columns = (
        TextColumn("{task.percentage:>3.0f} %"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=100)
        async for event in client.progress(job_id):
            bar.update(task, completed=event.get("progress") or 0, description=str(event.get("message") or ""))
    return await client.result(job_id)


def words_of(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The job's words with their scores; none where it has no result of the agreed shape."""
    outer = job.get("result")
    inner = outer.get("result") if isinstance(outer, dict) else None
    words = inner.get("word_analysis") if isinstance(inner, dict) else None
    return [word for word in words if isinstance(word, dict)] if isinstance(words, list) else []


def show_job(job: dict[str, Any], console: Console) -> None:
    """What became of it, the table of words, and the scores of the whole."""
    console.print(f"[bold]{job.get('status')}[/] {job.get('message') or ''}")
    show_scores(job, console)


def show_scores(job: dict[str, Any], console: Console) -> None:
    """Word by word: score, intonation, timing, what is wrong with it, and the learner's melody beside the actor's."""
    words = words_of(job)
    melody = any("reference_pitch_st" in word for word in words)
    table = Table(box=None, header_style="dim")
    for title in ("word", "", "score", "melody", "timing", "", *(("yours", "actor's") if melody else ())):
        table.add_column(title, no_wrap=True)
    reach = _reach(words)
    for word in words:
        score = _number(word.get("word_score"))
        colour = "green" if score >= 0.75 else "yellow" if score >= 0.5 else "red"
        told = word.get("error_type") or ("" if word.get("text_status") != "fail" else "fail")
        lines = [_melody(word.get(name), reach) for name in ("pitch_st", "reference_pitch_st")] if melody else []
        table.add_row(
            str(word.get("word")),
            f"[{colour}]{'█' * round(score * 6)}[/]",
            f"{score:.2f}",
            _shown(word.get("mfcc_similarity")),
            _shown(word.get("timing_score")),
            "" if told == "None" else f"[red]{told}[/]",
            *lines,
        )
    console.print(table)
    outer = job.get("result")
    inner = outer.get("result") if isinstance(outer, dict) else None
    if isinstance(inner, dict):
        _show_whole(inner, console)


def _show_whole(result: dict[str, Any], console: Console) -> None:
    if "overall_score" in result:
        console.print(f"overall [bold]{_number(result['overall_score']):.2f}[/]", end="")
    for name in ("pronunciation", "fluency", "completeness", "intonation", "timing"):
        if isinstance(result.get(f"{name}_score"), int | float):
            console.print(f"  [dim]{name}[/] {_number(result[f'{name}_score']):.2f}", end="")
    console.print()
    if warnings := result.get("warnings"):
        console.print(f"[dim]warnings[/] {', '.join(map(str, warnings))}")


def _reach(words: list[dict[str, Any]]) -> float:
    """How many semitones from the middle the bars have to show."""
    melodies = [word.get(name) for word in words for name in ("pitch_st", "reference_pitch_st")]
    points = [abs(point) for melody in melodies if isinstance(melody, list) for point in melody if point is not None]
    return float(max([_LEAST_REACH_ST, *points]))


def _melody(points: Any, reach: float) -> str:
    """Semitones about the speaker's middle as bars; a blank where there is no voice."""
    if not isinstance(points, list):
        return ""
    return "".join(
        _BARS[round(min(max((point + reach) / (2 * reach), 0.0), 1.0) * (len(_BARS) - 1))]
        if isinstance(point, int | float)
        else " "
        for point in points
    )


def _shown(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else ""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
