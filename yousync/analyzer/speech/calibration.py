"""Fits the coefficients to rated speech, and says by speakers that a fit has not heard how well they do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.corpus import SCORES, Rated, paired
from yousync.analyzer.speech.fitting import Shape, fit
from yousync.analyzer.speech.judging import JUDGED_NAMES, Coefficients, Limits, with_words
from yousync.analyzer.speech.lengths import Lengths
from yousync.analyzer.speech.measures import PHONE_NAMES, VOWELS, WORD_NAMES, Measures, measure
from yousync.analyzer.speech.model import Model
from yousync.analyzer.speech.net import Net
from yousync.analyzer.speech.regression import Doubles, Regression
from yousync.analyzer.speech.takes import OMITTED, Sample

Bools = NDArray[np.bool_]
FOLDS = 5
_PARTS = 3  # of what a fit is taught, so that words are guessed for whole recordings
_PHONE = Shape(ridge=20, trees=120, depth=3, rate=0.08)
_WORD = Shape(ridge=20, trees=120, depth=3, rate=0.08)
_VERDICT = Shape(ridge=20, trees=120, depth=3, rate=0.08)
_OMITTED = Shape(ridge=20, trees=300, depth=4, rate=0.06, columns=0.3)
_WHOLE = Shape(ridge=40, trees=120, depth=2, rate=0.06)
_WELL_SAID = 0.8  # words at least this good teach how long phones take
_SHRINK = 20.0
_SOUND = 0.5  # words that raters gave less are hardly the word that was meant, and no false alarm
_UNSOUND_WEIGHT = 0.3
_OMITTED_WEIGHT: dict[str, float] = {"true": 1.0, "omit": 1.0, "common": 0.5, "swap": 0.6}
_MATCH = 0.9  # takes of the right script reach it unless they can hardly be understood
_SPARED, _SPARED_OMISSION = 0.95, 0.971  # shares of spoken words that are not called something else, not omitted


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that a fit learns from."""

    inputs: Doubles
    target: Doubles
    weights: Doubles


@dataclass(slots=True)
class Lesson:
    """Everything measured of all takes, ready to be fitted again and again.

    Each fold was heard with its own of `nets`, which has not heard its speakers; the last one has heard everybody.
    """

    model: Model
    nets: Sequence[Net]
    samples: Sequence[Sample]
    lengths: Lengths
    measures: list[list[Measures]] = field(default_factory=list)

    @classmethod
    def of(cls, model: Model, nets: Sequence[Net], samples: Sequence[Sample]) -> Lesson:
        """Measures all takes."""
        vowel = np.array([phone in VOWELS for phone in model.phones])
        lesson = cls(model, nets, samples, usual_lengths(model, samples))
        lesson.measures = [[measure(take.heard, lesson.lengths, vowel) for take in each.takes] for each in samples]
        return lesson


def usual_lengths(model: Model, samples: Iterable[Sample]) -> Lengths:
    """From words that raters liked; phones seen rarely lean to the mean of all."""
    logs: list[list[float]] = [[] for _ in model.phones]
    for sample in samples:
        evidence = sample.takes[0].heard.evidence
        for phone, word, frames in zip(evidence.phone, evidence.word, evidence.frames, strict=True):
            if sample.rated.word_scores[word] >= _WELL_SAID:
                logs[phone].append(float(np.log(frames)))
    everything = np.concatenate([np.array(each) for each in logs])
    mean, deviation = np.full(len(logs), everything.mean()), np.full(len(logs), everything.std())
    for phone, each in enumerate(logs):
        share = len(each) / (len(each) + _SHRINK)
        if each:
            mean[phone] = share * np.mean(each) + (1 - share) * everything.mean()
            deviation[phone] = share * np.std(each) + (1 - share) * everything.std()
    return Lengths(mean, deviation)


@dataclass(frozen=True, slots=True)
class Fitted:
    """The regressions of one fit, before limits are set."""

    phone: Regression
    word: Regression
    said: Regression
    omitted: Regression
    match: Regression
    whole: dict[str, Regression]


@dataclass(frozen=True, slots=True)
class Guesses:
    """For each sample and take, what regressions that had not heard the speaker say; and each sample's fold."""

    fold: NDArray[np.int64]
    phones: list[Doubles]  # of true takes
    words: list[list[Doubles]]
    said: list[list[Doubles]]
    omitted: list[list[Doubles]]
    match: list[list[float]]
    whole: list[list[dict[str, float]]]
    fits: list[Fitted]  # a fold's has not heard its speakers


def folds(rated: Iterable[Rated], count: int, seed: int) -> NDArray[np.int64]:
    """The fold of each recording; all of a speaker's are in the same one."""
    each_speaker = [each.speaker for each in rated]
    speakers = sorted(set(each_speaker))
    order = np.random.default_rng(seed).permutation(len(speakers))
    place = {speaker: int(at) % count for speaker, at in zip(speakers, order, strict=True)}
    return np.array([place[speaker] for speaker in each_speaker])


def fit_lesson(lesson: Lesson, taught: Bools, *, seed: int) -> Fitted:
    """Fits to the samples that `taught` marks.

    The regressions of whole recordings see words as regressions see them that have not heard the speaker, as they
    will at run time: so those of words are fitted once more in parts.
    """
    phone = _fit(_phone_rows(lesson, taught), PHONE_NAMES, _PHONE, seed)
    word = _fit(_word_rows(lesson, taught), WORD_NAMES, _WORD, seed)
    said = _fit(_said_rows(lesson, taught), WORD_NAMES, _VERDICT, seed)
    omitted = _fit(_omitted_rows(lesson, taught), WORD_NAMES, _OMITTED, seed)
    part = np.where(taught, folds((sample.rated for sample in lesson.samples), _PARTS, seed + 1), -1)
    rows: list[list[Doubles]] = [[] for _ in lesson.samples]
    for number in range(_PARTS):
        without = taught & (part != number)
        one = _fit(_word_rows(lesson, without), WORD_NAMES, _WORD, seed)
        other = _fit(_said_rows(lesson, without), WORD_NAMES, _VERDICT, seed)
        for at in np.flatnonzero(part == number).tolist():
            rows[at] = [
                with_words(each.whole, _unit(one(each.words)), _unit(other(each.words))) for each in lesson.measures[at]
            ]
    kept = np.flatnonzero(taught).tolist()
    inputs = np.array([rows[at][0] for at in kept])
    whole = {
        name: fit(
            inputs, np.array([lesson.samples[at].rated.scores[name] for at in kept]), JUDGED_NAMES, _WHOLE, seed=seed
        )
        for name in SCORES
    }
    pairs = [
        (row, float(take.kind == "true"))
        for at in kept
        for row, take in zip(rows[at], lesson.samples[at].takes, strict=True)
        if take.kind in {"true", "wrong"}
    ]
    match = fit(
        np.array([row for row, _ in pairs]), np.array([right for _, right in pairs]), JUDGED_NAMES, _WHOLE, seed=seed
    )
    return Fitted(phone, word, said, omitted, match, whole)


def guess(lesson: Lesson, *, seed: int) -> Guesses:
    """Cross-validation: every speaker is judged by a fit to the others."""
    part = folds((sample.rated for sample in lesson.samples), FOLDS, seed)
    out = Guesses(part, *([[] for _ in lesson.samples] for _ in range(6)), [])  # type: ignore[arg-type, call-arg]
    for number in range(FOLDS):
        fitted = fit_lesson(lesson, part != number, seed=seed)
        out.fits.append(fitted)
        for at in np.flatnonzero(part == number).tolist():
            measured = lesson.measures[at]
            out.phones[at] = _unit(fitted.phone(measured[0].phones))
            out.words[at] = [_unit(fitted.word(each.words)) for each in measured]
            out.said[at] = [_unit(fitted.said(each.words)) for each in measured]
            out.omitted[at] = [_unit(fitted.omitted(each.words)) for each in measured]
            rows = [
                with_words(each.whole, words, said)[None]
                for each, words, said in zip(measured, out.words[at], out.said[at], strict=True)
            ]
            out.match[at] = [float(_unit(fitted.match(row))[0]) for row in rows]
            out.whole[at] = [{name: float(_unit(fitted.whole[name](row))[0]) for name in SCORES} for row in rows]
    return out


def limits(lesson: Lesson, guesses: Guesses) -> Limits:
    """From guesses, so that spoken words by new speakers are accused as rarely as asked."""
    said = np.concatenate([each[0] for each in guesses.said])
    words = np.concatenate([each[0] for each in guesses.words])
    rated = np.concatenate([np.array(sample.rated.word_scores) for sample in lesson.samples])
    return Limits(
        said=float(np.quantile(said[rated >= _SOUND], 1 - _SPARED)),
        omitted=omitted_limit(guesses, np.ones(len(lesson.samples), np.bool_)),
        poor=_poor(words, rated),
        match=_MATCH,
    )


def omitted_limit(guesses: Guesses, speakers: Bools) -> float:
    """Above it lie as few spoken words as may be called omitted, by the samples that `speakers` marks."""
    spoken = [guesses.omitted[at][0] for at in np.flatnonzero(speakers).tolist()]
    return float(np.quantile(np.concatenate(spoken), _SPARED_OMISSION))


def unheard(lesson: Lesson, guesses: Guesses, limits: Limits) -> list[Coefficients]:
    """Of each fold, coefficients by which its speakers can be judged: fit and limit are of other speakers."""
    return [
        finish(
            fit,
            lesson.nets[fold],
            lesson.lengths,
            replace(limits, omitted=omitted_limit(guesses, guesses.fold != fold)),
            "",
            {},
        )
        for fold, fit in enumerate(guesses.fits)
    ]


def finish(
    fitted: Fitted, net: Net, lengths: Lengths, limits: Limits, version: str, about: dict[str, Any]
) -> Coefficients:
    """The coefficients as they are shipped."""
    return Coefficients(
        version,
        about,
        net,
        lengths,
        limits,
        fitted.phone,
        fitted.word,
        fitted.said,
        fitted.omitted,
        fitted.match,
        fitted.whole,
    )


def _poor(guessed: Doubles, rated: Doubles) -> float:
    """Where calling words mispronounced agrees best (F1) with raters who gave at most four of ten."""
    bad = rated <= 0.45
    best, chosen = -1.0, 0.5
    for limit in np.quantile(guessed, np.linspace(0.01, 0.4, 60)):
        called = guessed < limit
        score = 2 * (called & bad).sum() / max(called.sum() + bad.sum(), 1)
        if score > best:
            best, chosen = float(score), float(limit)
    return chosen


def _fit(table: Table, names: Sequence[str], shape: Shape, seed: int) -> Regression:
    return fit(table.inputs, table.target, names, shape, seed=seed, weights=table.weights)


def _table(rows: list[tuple[Doubles, float, float]]) -> Table:
    return Table(*(np.array(column, np.float64) for column in zip(*rows, strict=True)))


def _phone_rows(lesson: Lesson, taught: Bools) -> Table:
    return _table(
        [
            (lesson.measures[at][0].phones[row], rating, 1.0)
            for at in np.flatnonzero(taught).tolist()
            for row, rating in rated_phones(lesson, at)
        ]
    )


def rated_phones(lesson: Lesson, at: int) -> list[tuple[int, float]]:
    """Which phones of a recording raters tell of, and what share of them was content."""
    sample, evidence = lesson.samples[at], lesson.samples[at].takes[0].heard.evidence
    found: list[tuple[int, float]] = []
    for word in range(len(sample.rated.words)):
        here = np.flatnonzero(evidence.word == word).tolist()
        names = [lesson.model.phones[phone] for phone in evidence.phone[here]]
        ratings = paired(names, sample.rated.phones[word]).tolist()
        found += [(row, rating) for row, rating in zip(here, ratings, strict=True) if not math.isnan(rating)]
    return found


def _word_rows(lesson: Lesson, taught: Bools) -> Table:
    return _table(
        [
            (row, score, 1.0)
            for at in np.flatnonzero(taught).tolist()
            for row, score in zip(lesson.measures[at][0].words, lesson.samples[at].rated.word_scores, strict=True)
        ]
    )


def _said_rows(lesson: Lesson, taught: Bools) -> Table:
    """Spoken words against those that were not: exchanged and added ones, and some of another text."""
    rows: list[tuple[Doubles, float, float]] = []
    for at in np.flatnonzero(taught).tolist():
        for take, measured in zip(lesson.samples[at].takes, lesson.measures[at], strict=True):
            words = measured.words
            if take.kind == "true":
                rows += [
                    (row, 1.0, 1.0 if score >= _SOUND else _UNSOUND_WEIGHT)
                    for row, score in zip(words, lesson.samples[at].rated.word_scores, strict=True)
                ]
            elif take.kind in {"swap", "omit"} and take.at is not None:
                rows.append((words[take.at], 0.0, 1.0 if take.kind == "swap" else 0.5 / OMITTED))
            elif take.kind == "wrong":
                rows += [(words[at], 0.0, 0.5) for at in {0, len(words) // 2}]
    return _table(rows)


def _omitted_rows(lesson: Lesson, taught: Bools) -> Table:
    """Words that nobody said against all that were, however badly, and against exchanged ones."""
    return _table(
        [
            (row, float(take.kind in {"omit", "common"}), _OMITTED_WEIGHT[take.kind])
            for at in np.flatnonzero(taught).tolist()
            for take, measured in zip(lesson.samples[at].takes, lesson.measures[at], strict=True)
            if take.kind in _OMITTED_WEIGHT
            for row in (measured.words if take.at is None else measured.words[take.at : take.at + 1])
        ]
    )


def _unit(values: Doubles) -> Doubles:
    return np.clip(values, 0.0, 1.0)
