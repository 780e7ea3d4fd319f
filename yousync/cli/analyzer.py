"""`yousync analyzer`: the reference analysis server, and what it can do without being one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from yousync.cli.failure import CommandError, Exit
from yousync.errors import YouSyncError

analyzer = typer.Typer(help="The reference analysis server; `score` and `evaluate` do without a server.")
DataArgument = Annotated[
    Path, typer.Argument(help="A folder with labels.jsonl and audio/.", exists=True, file_okay=False)
]
WorkersOption = Annotated[int, typer.Option(help="Processes that listen.", min=1)]


@analyzer.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Serve the reference analysis server until SIGTERM; ANALYZER_HOST, ANALYZER_PORT and the AWS variables say how."""
    if context.invoked_subcommand is None:
        from yousync.analyzer.app import run
        from yousync.analyzer.config import Config

        run(Config.load())


@analyzer.command()
def score(
    file: Annotated[Path, typer.Argument(help="A recording.", exists=True, dir_okay=False)],
    text: Annotated[str, typer.Option(help="What should be heard.")],
    reference: Annotated[
        Path | None, typer.Option(help="The actor's recording of it.", exists=True, dir_okay=False)
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the result as the webhook carries it.")] = False,
) -> None:
    """Score one recording."""
    from yousync.analyzer.evaluation import score as scored
    from yousync.analyzer.pronunciation import Pronouncer

    try:
        result = scored(Pronouncer(), file, text.split(), reference)
    except YouSyncError as error:
        raise CommandError(f"{error.code}: {error.title}", Exit.USAGE) from None
    if json:
        typer.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())
    elif "error" not in result:
        _show(result, Console())
    if "error" in result:
        raise CommandError(f"{result['error']['code']}: {result['error']['message']}", Exit.FAILED)


@analyzer.command()
def evaluate(
    data: DataArgument,
    dump: Annotated[Path | None, typer.Option(help="Write one JSON line an utterance: id, result.")] = None,
    workers: WorkersOption = 2,
) -> None:
    """Score rated recordings and print how scores and raters agree."""
    from yousync.analyzer import evaluation
    from yousync.analyzer.speech import corpus

    done = []
    for rated, result in evaluation.results(list(corpus.read(data)), workers):
        done.append((rated, result))
    if dump:
        lines = (orjson.dumps({"id": rated.id, "result": result}) for rated, result in done)
        dump.write_bytes(b"\n".join(lines) + b"\n")
    table = Table("score", "raters' mean of", "Pearson", "one rater, others", "n", box=None, header_style="dim")
    for row in evaluation.compare(done):
        rater = "-" if row.rater is None else f"{row.rater:.3f}"
        table.add_row(row.ours, row.theirs, f"{row.correlation:.3f}", rater, str(row.count))
    console = Console()
    console.print(table)
    console.print(f"not scored: {sum('error' in result for _, result in done)}")
    if evaluation.is_what_was_fitted(data):
        console.print("The coefficients were fitted to this data: `calibrate` says how they do on speakers unheard.")


@analyzer.command()
def calibrate(
    data: DataArgument,
    out: Annotated[Path | None, typer.Option(help="Where to write the coefficients; the package's by default.")] = None,
    workers: WorkersOption = 2,
) -> None:
    """Fit the coefficients to rated recordings; prints speaker-disjoint cross-validation."""
    from yousync.analyzer import evaluation
    from yousync.analyzer.speech.judging import SHIPPED

    console = Console()
    table = Table("cross-validated", "", box=None, header_style="dim")
    for name, value in evaluation.calibrate(data, out or SHIPPED, workers, console.print).items():
        table.add_row(name.replace("_", " "), f"{value:.3f}")
    console.print(table)


def _show(result: dict[str, Any], console: Console) -> None:
    """The words with their scores, then the whole."""
    table = Table("word", "score", "", "sounds", box=None, header_style="dim")
    for word in result["word_analysis"]:
        sounds = " ".join(
            f"{phone['phone']}→{phone['sounds_like']}" if phone["sounds_like"] else phone["phone"]
            for phone in word["phones"]
        )
        kind = "" if word["error_type"] == "None" else word["error_type"]
        table.add_row(word["word"], f"{word['word_score']:.2f}", kind, sounds)
    console.print(table)
    for name, value in result.items():
        if name.endswith("_score") and value is not None:
            console.print(f"{name.removesuffix('_score')} {value:.2f}")
    if result["warnings"]:
        console.print("warnings: " + ", ".join(result["warnings"]))
