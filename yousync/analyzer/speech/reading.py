"""Reads a recording as a text: which of its words were left out, and how the others were said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.hearing import Heard, Listening
from yousync.analyzer.speech.judging import Coefficients, Judged
from yousync.analyzer.speech.measures import VOWELS, Measures, measure
from yousync.analyzer.speech.viterbi import runs_of

Doubles = NDArray[np.float64]
_ROUNDS = 6  # of looking for words that were left out
_AS_SURE = 0.25  # what is less sure than the surest by this much waits for the next round
_COMPARED = 4000  # frames that may be laid out to compare neighbours, so that no recording takes long


@dataclass(frozen=True, slots=True)
class Reading:
    """Some of the text's words, by their places, as they were heard."""

    rows: tuple[int, ...]
    heard: Heard
    measured: Measures
    judged: Judged

    @property
    def missing(self) -> Doubles:
        """How surely each word was left out rather than said, -1 to 1."""
        return self.judged.omitted - self.judged.said


class Reader:
    """Lays a text, each of its words said in one of its `ways`, over one recording, whole or without some words."""

    def __init__(
        self,
        coefficients: Coefficients,
        listening: Listening,
        ways: Sequence[Sequence[tuple[str, ...]]],
    ) -> None:
        self._coefficients, self._listening, self._ways = coefficients, listening, ways
        self._vowel = np.array([phone in VOWELS for phone in listening.ear.model.phones])
        self._left = _COMPARED
        self._known: dict[tuple[int, ...], Reading | None] = {}

    def read(self, rows: tuple[int, ...]) -> Reading | None:
        """The words at these places alone; None where the recording is too short for them, or there are none."""
        if rows not in self._known:
            self._known[rows] = self._read(rows)
        return self._known[rows]

    def whole(self) -> Reading | None:
        """All words."""
        return self.read(tuple(range(len(self._ways))))

    def without_omitted(self, reading: Reading) -> tuple[dict[int, float], Reading]:
        """The scores of words that were left out, by their places, and a reading of the others.

        A word that is not there takes its time from its neighbours, which then sound left out as well. So only the
        surest go, and the rest is laid out and judged anew. Where several in a row are missing they go together.
        """
        omitted: dict[int, float] = {}
        for _ in range(_ROUNDS):
            out = self._surest(reading)
            if not out:
                break
            score = reading.judged.words * (1 - reading.judged.omitted)
            omitted |= {reading.rows[at]: float(score[at]) for at in out}
            rest = self.read(_without(reading.rows, out))
            if rest is None:
                break
            reading = rest
        return omitted, reading

    def _surest(self, reading: Reading) -> list[int]:
        """Which words to take out next."""
        accused = reading.judged.omitted > self._coefficients.limits.omitted
        skipped = accused & np.isin(np.arange(len(accused)), sorted(reading.heard.omitted))
        in_a_row = [at for run in runs_of(skipped) if run[1] - run[0] > 1 for at in range(*run)]
        if in_a_row:
            return in_a_row
        sure = np.where(accused, reading.missing, -np.inf)
        beside = np.concatenate([[-np.inf], sure, [-np.inf]])
        tops = accused & (sure >= np.maximum(beside[:-2], beside[2:])) & (sure > sure.max(initial=-1.0) - _AS_SURE)
        found: list[int] = []
        for top in np.flatnonzero(tops).tolist():
            rivals = [at for at in (top - 1, top, top + 1) if 0 <= at < len(accused) and accused[at]]
            if not found or found[-1] < rivals[0] - 1:
                found.append(self._without_which(reading, rivals))
        return found

    def _without_which(self, reading: Reading, rivals: list[int]) -> int:
        """Of neighbours that are all accused the one without which the others are the least suspect."""
        cost = len(rivals) * len(reading.heard.levels)
        if len(rivals) == 1 or cost > self._left:
            return max(rivals, key=lambda at: float(reading.missing[at]))
        self._left -= cost

        def gain(at: int) -> float:
            rest = self.read(_without(reading.rows, [at]))
            if rest is None:
                return -np.inf
            left = max(rest.missing[other - (other > at)] for other in rivals if other != at)
            return float(reading.missing[at] - left)

        return max(rivals, key=gain)

    def _read(self, rows: tuple[int, ...]) -> Reading | None:
        heard = self._listening.align([self._ways[row] for row in rows]) if rows else None
        if heard is None:
            return None
        measured = measure(heard, self._coefficients.lengths, self._vowel)
        return Reading(rows, heard, measured, self._coefficients.judge(measured, heard.evidence.word))


def _without(rows: tuple[int, ...], out: Sequence[int]) -> tuple[int, ...]:
    return tuple(row for at, row in enumerate(rows) if at not in out)
