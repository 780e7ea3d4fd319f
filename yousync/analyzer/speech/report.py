"""What calibration is judged by: how scores of speakers it has not heard agree with raters, and what is found out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from yousync.analyzer.speech.calibration import FOLDS, Bools, Guesses, Lesson, omitted_limit, rated_phones
from yousync.analyzer.speech.corpus import SCORES, Rated
from yousync.analyzer.speech.judging import Limits, certainty, doubted
from yousync.analyzer.speech.regression import Doubles
from yousync.analyzer.speech.takes import Kind, Outcome

_CLEAR = 0.5  # what raters gave less can hardly be followed, by people either


def correlation(one: Sequence[float] | Doubles, other: Sequence[float] | Doubles) -> float:
    """Pearson's."""
    return float(np.corrcoef(np.asarray(one), np.asarray(other))[0, 1])


def one_against_others(rated: Sequence[Rated], score: str) -> float:
    """How a rater's scores agree with the mean of the other raters': the mean over the raters."""
    table = [each.experts[score] for each in rated]
    most = max(map(len, table))
    found = []
    for rater in range(most):
        rows = [row for row in table if len(row) > rater and len(row) > 1]
        mine = [row[rater] for row in rows]
        found.append(correlation(mine, [(sum(row) - row[rater]) / (len(row) - 1) for row in rows]))
    return float(np.mean(found))


def separation(right: Doubles, wrong: Doubles) -> float:
    """The area under the curve: how often a right one scores above a wrong one."""
    above = (right[:, None] > wrong[None]).mean() + 0.5 * (right[:, None] == wrong[None]).mean()
    return float(above)


def figures(lesson: Lesson, guesses: Guesses, limits: Limits) -> dict[str, float]:
    """All of it, by name."""
    samples = lesson.samples
    rated = [sample.rated for sample in samples]
    found = {
        name: correlation([each[0][name] for each in guesses.whole], [each.scores[name] for each in rated])
        for name in SCORES
    }
    human = np.concatenate([np.array(each.word_scores) for each in rated])
    spoken = _word_scores(guesses, limits, 0)
    found["word"] = correlation(np.concatenate(spoken), human)
    phones = [
        (guesses.phones[at][row], rating) for at in range(len(samples)) for row, rating in rated_phones(lesson, at)
    ]
    found["phone"] = correlation([mine for mine, _ in phones], [theirs for _, theirs in phones])
    overall = [
        [_overall(guesses, limits, at, take) for take in range(len(each.takes))] for at, each in enumerate(samples)
    ]
    right = np.array([each[0] for each in overall])
    wrong = np.array(
        [
            score
            for each, scores in zip(samples, overall, strict=True)
            for take, score in zip(each.takes, scores, strict=True)
            if take.kind == "wrong"
        ]
    )
    found["overall"] = correlation(right, [each.scores["total"] for each in rated])
    found["right_or_wrong_auc"] = separation(right, wrong)
    alarm = float(np.quantile(np.concatenate(spoken)[human >= _CLEAR], 0.05))
    swapped = [
        float(guesses.words[at][take][place] * doubted(guesses.said[at][take], limits)[place])
        for at, take, place in _altered(lesson, "swap")
    ]
    found["swapped_found_at_5_percent"] = float(np.mean(np.array(swapped) < alarm))
    found |= _omissions(lesson, guesses)
    found["inserted_found"] = float(np.mean([_inserted(lesson, *each) for each in _altered(lesson, "insert")]))
    return found


def _omissions(lesson: Lesson, guesses: Guesses) -> dict[str, float]:
    """What is called omitted, where the limit was set on other speakers than the one who is judged."""
    limit = np.array([omitted_limit(guesses, guesses.fold != fold) for fold in range(FOLDS)])[guesses.fold]
    clear = np.array([sample.rated.scores["total"] >= _CLEAR for sample in lesson.samples])

    def called(kind: Kind, among: Bools) -> float:
        return float(
            np.mean(
                [
                    guesses.omitted[at][take][place] > limit[at]
                    for at, take, place in _altered(lesson, kind)
                    if among[at]
                ]
            )
        )

    def alarms(among: Bools) -> float:
        return float(np.mean(np.concatenate([guesses.omitted[at][0] > limit[at] for at in np.flatnonzero(among)])))

    everybody = np.ones(len(clear), np.bool_)
    return {
        "omitted_found": called("omit", everybody),
        "spoken_called_omitted": alarms(everybody),
        "omitted_found_in_clear_speech": called("omit", clear),
        "clearly_spoken_called_omitted": alarms(clear),
        "common_omitted_found": called("common", everybody),
        "common_omitted_found_in_clear_speech": called("common", clear),
        "swapped_called_omitted": called("swap", everybody),
    }


def to_the_end(heard: Sequence[tuple[float, Sequence[Outcome]]]) -> dict[str, float]:
    """What results call omitted in the end, once they have taken words out and judged the others anew.

    `heard` is, of each recording, what raters gave the whole and what became of its texts.
    """
    told = [(each, total >= _CLEAR) for total, found in heard for each in found]

    def called(kind: Kind, *, clear: bool = False) -> float:
        return float(np.mean([each.at in each.called for each, well in told if each.kind == kind and well >= clear]))

    def alarms(kind: Kind, *, clear: bool = False) -> float:
        among = [each for each, well in told if each.kind == kind and well >= clear]
        spoken = sum(each.words - (each.at is not None) for each in among)
        return sum(len(each.called - {each.at}) for each in among) / spoken

    return {
        "omitted_found_in_the_end": called("omit"),
        "spoken_called_omitted_in_the_end": alarms("true"),
        "omitted_found_in_clear_speech_in_the_end": called("omit", clear=True),
        "clearly_spoken_called_omitted_in_the_end": alarms("true", clear=True),
        "common_omitted_found_in_the_end": called("common"),
        "common_omitted_found_in_clear_speech_in_the_end": called("common", clear=True),
        "spoken_beside_a_word_too_many_called_omitted_in_the_end": alarms("omit"),
        "clearly_spoken_beside_a_word_too_many_called_omitted_in_the_end": alarms("omit", clear=True),
    }


def _altered(lesson: Lesson, kind: Kind) -> list[tuple[int, int, int]]:
    """(sample, take, place of the word) of all takes of that kind."""
    return [
        (at, number, take.at)
        for at, sample in enumerate(lesson.samples)
        for number, take in enumerate(sample.takes)
        if take.kind == kind and take.at is not None
    ]


def _inserted(lesson: Lesson, at: int, take: int, place: int) -> bool:
    """Whether most of the word that the text lacks was heard as speech outside the script."""
    true = lesson.samples[at].takes[0].heard.evidence
    here = np.flatnonzero(true.word == place)
    span = slice(int(true.first[here[0]]), int(true.after[here[-1]]))
    return bool((lesson.samples[at].takes[take].heard.lenient[span] == -2).mean() > 0.4)


def _word_scores(guesses: Guesses, limits: Limits, take: int) -> list[Doubles]:
    return [words[take] * doubted(said[take], limits) for words, said in zip(guesses.words, guesses.said, strict=True)]


def _overall(guesses: Guesses, limits: Limits, at: int, take: int) -> float:
    """As `pronunciation.overall` has it without a reference."""
    omitted = float((guesses.omitted[at][take] > limits.omitted).mean())
    return guesses.whole[at][take]["total"] * (1 - omitted) * float(certainty(guesses.match[at][take], limits))
