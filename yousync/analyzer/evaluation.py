"""Holds results against raters: `yousync analyzer calibrate` and `evaluate`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from yousync.analyzer.pronunciation import Pronouncer, SpeechError
from yousync.analyzer.reference import Reference
from yousync.analyzer.results import analyze
from yousync.analyzer.speech import calibration, corpus, judging, report, takes
from yousync.analyzer.speech.corpus import Rated
from yousync.analyzer.speech.features import RATE
from yousync.analyzer.speech.model import load
from yousync.analyzer.speech.net import Net
from yousync.analyzer.speech.teaching import Frames, teach
from yousync.analyzer.words import Line, Word
from yousync.audio import read_sound

_LONGEST_S = 60.0
_SEED = 1
COMPARED = {
    "overall_score": "total",
    "pronunciation_score": "total",
    "accuracy_score": "accuracy",
    "fluency_score": "fluency",
    "prosody_score": "prosodic",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One row of the table: a score of ours, the raters' it stands beside, and how both agree with their mean."""

    ours: str
    theirs: str
    correlation: float
    rater: float | None
    count: int


def samples_of(path: Path) -> NDArray[np.float32]:
    """The file as mono sound at 16 kHz. Raises what the decoder refuses it with."""
    pcm = read_sound(path.read_bytes(), rate=RATE, max_seconds=_LONGEST_S).pcm
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


def results(rated: Sequence[Rated], workers: int) -> Iterator[tuple[Rated, dict[str, Any]]]:
    """Each utterance with its result, as the webhook carries it, in order."""
    asked = [(each.path, each.words) for each in rated]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_prepare) as pool:
        yield from zip(rated, pool.map(_result, asked, chunksize=4), strict=True)


def compare(done: Sequence[tuple[Rated, dict[str, Any]]]) -> list[Compared]:
    """The table; what could not be scored is left out and shows in the counts."""
    scored = [(rated, result) for rated, result in done if "error" not in result]
    rows = [
        Compared(
            ours,
            theirs,
            report.correlation([r[ours] for _, r in scored], [rated.scores[theirs] for rated, _ in scored]),
            report.one_against_others([rated for rated, _ in scored], theirs),
            len(scored),
        )
        for ours, theirs in COMPARED.items()
    ]
    ours = [word["word_score"] for _, result in scored for word in result["word_analysis"]]
    theirs = [score for rated, _ in scored for score in rated.word_scores]
    return [*rows, Compared("word_score", "word accuracy", report.correlation(ours, theirs), None, len(ours))]


def calibrate(data: Path, out: Path, workers: int, tell: Callable[[str], None]) -> dict[str, float]:
    """Fits to `data`, writes the coefficients to `out`, and returns how a fit does on speakers it has not heard."""
    everything, context = list(corpus.read(data)), get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_listen, initargs=(everything,)) as pool:
        heard = zip(everything, pool.map(_frames, everything, chunksize=4), strict=True)
        told = [(each, frames) for each, frames in heard if frames is not None]
        rated = [each for each, _ in told]
        fold = calibration.folds(rated, calibration.FOLDS, _SEED).tolist()
        tell(f"heard {len(rated)} of {len(everything)} by the model alone; now nets learn from that")
        others = [
            [frames for (_, frames), at in zip(told, fold, strict=True) if at != without]
            for without in range(calibration.FOLDS)
        ]
        nets = list(pool.map(partial(teach, seed=_SEED), [*others, [frames for _, frames in told]]))
    taken = []
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_listen, initargs=(everything, nets)) as pool:
        for at, sample in enumerate(pool.map(_heard, rated, fold, chunksize=4)):
            if sample is not None:
                taken.append(sample)
            if at % 50 == 49:
                tell(f"heard {at + 1} of {len(rated)} with nets that have not heard the speaker")
    return conclude(data, calibration.Lesson.of(load(), nets, taken), out, workers, tell)


def conclude(
    data: Path, lesson: calibration.Lesson, out: Path, workers: int, tell: Callable[[str], None]
) -> dict[str, float]:
    """The fits of `calibrate`, once everything is measured."""
    guesses = calibration.guess(lesson, seed=_SEED)
    limits = calibration.limits(lesson, guesses)
    tell("judged by fits that have not heard the speaker; now what results would say to the end")
    asked = (list(corpus.read(data)), (), calibration.unheard(lesson, guesses, limits))
    rated = [sample.rated for sample in lesson.samples]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_listen, initargs=asked) as pool:
        outcomes = list(pool.map(_outcomes, rated, guesses.fold.tolist(), chunksize=4))
    ended = report.to_the_end([(each.scores["total"], of) for each, of in zip(rated, outcomes, strict=True)])
    told = report.figures(lesson, guesses, limits) | ended
    found = {name: round(value, 4) for name, value in told.items()}
    everything = np.ones(len(lesson.samples), np.bool_)
    fitted = calibration.fit_lesson(lesson, everything, seed=_SEED)
    now = datetime.now(UTC)
    about = {
        "data": "speechocean762 (CC BY 4.0): rated English of Mandarin speakers",
        "utterances": len(lesson.samples),
        "speakers": len({sample.rated.speaker for sample in lesson.samples}),
        "labels_sha256": fingerprint(data),
        "figures": found,
        "figures_are": f"{calibration.FOLDS}-fold cross-validation, no speaker on both sides",
    }
    coefficients = calibration.finish(fitted, lesson.nets[-1], lesson.lengths, limits, now.strftime("%Y-%m-%d"), about)
    out.write_bytes(orjson.dumps(coefficients.as_json(lesson.model)) + b"\n")
    return found


def fingerprint(data: Path) -> str:
    """Tells one set of labels from another."""
    return hashlib.sha256((data / "labels.jsonl").read_bytes()).hexdigest()


def is_what_was_fitted(data: Path) -> bool:
    """Whether the shipped coefficients have heard this data."""
    about: dict[str, Any] = json.loads(judging.SHIPPED.read_bytes())["about"]
    return about.get("labels_sha256") == fingerprint(data)


def score(pronouncer: Pronouncer, path: Path, words: Sequence[str], reference: Path | None = None) -> dict[str, Any]:
    """The result of one recording, held against the actor's where there is one; or `error` with its code."""
    try:
        actor = None if reference is None else Reference.of_sound(pronouncer, samples_of(reference), words)
        return analyze(pronouncer, samples_of(path), Line(tuple(Word(word, None, None) for word in words)), actor)
    except SpeechError as error:
        return {"error": {"code": error.code, "message": error.message}}


# What each process of a pool holds.
_pronouncer: list[Pronouncer] = []
_listeners: list[takes.Listener] = []  # one, or one of each net
_unheard: list[judging.Coefficients] = []


def _prepare() -> None:
    _pronouncer.append(Pronouncer())


def _result(asked: tuple[Path, tuple[str, ...]]) -> dict[str, Any]:
    return score(_pronouncer[0], *asked)


def _listen(rated: Sequence[Rated], nets: Sequence[Net] = (), unheard: Sequence[judging.Coefficients] = ()) -> None:
    listener = takes.Listener.of(rated, seed=_SEED)
    _listeners.extend([listener.taught(net) for net in nets] or [listener])
    _unheard.extend(unheard)


def _frames(rated: Rated) -> Frames | None:
    return _listeners[0].frames(rated, samples_of(rated.path))


def _heard(rated: Rated, fold: int) -> takes.Sample | None:
    return _listeners[fold].hear(rated, samples_of(rated.path))


def _outcomes(rated: Rated, fold: int) -> list[takes.Outcome]:
    return _listeners[0].outcomes(rated, samples_of(rated.path), _unheard[fold])
