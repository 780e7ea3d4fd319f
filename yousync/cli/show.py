"""How a job looks on the terminal: a bar while it runs, a table of words when it is done."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from yousync.cli.client import Client


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


def show_scores(job: dict[str, Any], console: Console) -> None:
    """The table of words, and the score of the whole sentence."""
    table = Table("word", "", "score", "intonation", "timing", box=None, header_style="dim")
    for word in words_of(job):
        score = _number(word.get("word_score"))
        colour = "green" if score >= 0.75 else "yellow" if score >= 0.5 else "red"
        bar = f"[{colour}]{'█' * round(score * 20)}[/]"
        intonation = word.get("mfcc_similarity")
        shown = "" if intonation is None else f"{_number(intonation):.2f}"
        table.add_row(str(word.get("word")), bar, f"{score:.2f}", shown, str(word.get("text_status", "")))
    console.print(table)
    outer = job.get("result")
    inner = outer.get("result") if isinstance(outer, dict) else None
    if isinstance(inner, dict) and "overall_score" in inner:
        console.print(f"overall [bold]{_number(inner['overall_score']):.2f}[/]")


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
