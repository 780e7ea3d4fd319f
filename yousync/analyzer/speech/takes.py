"""Rated recordings as calibration hears them: as their own text, and as texts that are wrong on purpose."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.corpus import Rated
from yousync.analyzer.speech.hearing import Ear, Heard
from yousync.analyzer.speech.judging import Coefficients
from yousync.analyzer.speech.lexicon import Lexicon
from yousync.analyzer.speech.model import folder, load
from yousync.analyzer.speech.net import Net
from yousync.analyzer.speech.reading import Reader
from yousync.analyzer.speech.teaching import Frames, frames_of

Kind = Literal["true", "swap", "omit", "common", "insert", "wrong"]
OMITTED = 3  # takes of a recording that have a word too many


@dataclass(frozen=True, slots=True)
class Take:
    """A recording heard as a text: its own, or one that is wrong at word `at` on purpose.

    `swap` has another word there, `omit` one more that was not said, `common` as well, but drawn as often as words
    occur, so it is mostly a short one; `insert` lacks one that was said; `wrong` is another text altogether.
    """

    kind: Kind
    at: int | None
    words: tuple[str, ...]
    heard: Heard


@dataclass(frozen=True, slots=True)
class Sample:
    """A rated recording and the takes of it; the first is the true one."""

    rated: Rated
    takes: tuple[Take, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which of a text's `words`, by their places, results call omitted; `kind` and `at` as a take has them."""

    kind: Kind
    at: int | None
    words: int
    called: frozenset[int]


@dataclass(frozen=True, slots=True)
class Listener:
    """Hears recordings as their own text and as wrong ones. What is drawn for one does not depend on the others.

    It hears by the acoustic model alone until it is `taught`.
    """

    ear: Ear
    lexicon: Lexicon
    texts: tuple[tuple[str, ...], ...]
    vocabulary: tuple[str, ...]
    seed: int

    @classmethod
    def of(cls, rated: Sequence[Rated], *, seed: int) -> Listener:
        """Wrong words and texts are those of the other recordings."""
        vocabulary = tuple(sorted({word.lower() for each in rated for word in each.words}))
        lexicon = Lexicon(folder() / "cmudict-en-us.dict")
        return cls(Ear(load()), lexicon, tuple(each.words for each in rated), vocabulary, seed)

    def taught(self, net: Net) -> Self:
        """One that hears with this net, too."""
        return replace(self, ear=self.ear.taught(net))

    def frames(self, rated: Rated, samples: NDArray[np.float32]) -> Frames | None:
        """What a net can learn from the recording; None for one too short for its text."""
        ways = self._ways(rated.words)
        listening = self.ear.listen(samples, ways)
        return None if listening is None else frames_of(listening, ways, rated.word_scores)

    def hear(self, rated: Rated, samples: NDArray[np.float32]) -> Sample | None:
        """All takes, some 0.3 s of one core a second of sound; None for a recording too short for its text."""
        listening = self.ear.listen(samples, self._ways(rated.words))
        if listening is None:
            return None
        takes = []
        for kind, at, words in self._texts(rated):
            heard = listening.align(self._ways(words))
            if heard is not None:
                takes.append(Take(kind, at, words, heard))
        return Sample(rated, tuple(takes)) if takes and takes[0].kind == "true" else None

    def outcomes(self, rated: Rated, samples: NDArray[np.float32], coefficients: Coefficients) -> list[Outcome]:
        """What results by these coefficients would leave out in the end: of its own text, and with a word too many."""
        ear = self.ear.taught(coefficients.net)
        listening = ear.listen(samples, self._ways(rated.words))
        if listening is None:
            return []
        found = []
        for kind, at, words in self._texts(rated):
            if kind in {"true", "omit", "common"}:
                reader = Reader(coefficients, listening, self._ways(words))
                whole = reader.whole()
                if whole is not None:
                    found.append(Outcome(kind, at, len(words), frozenset(reader.without_omitted(whole)[0])))
        return found

    def _ways(self, words: Sequence[str]) -> list[tuple[tuple[str, ...], ...]]:
        return [self.lexicon.pronounce(word).ways for word in words]

    def _texts(self, rated: Rated) -> Iterator[tuple[Kind, int | None, tuple[str, ...]]]:
        chance = random.Random(f"{self.seed} {rated.id}")  # noqa: S311 -- a draw that can be repeated, not a secret
        words = rated.words
        own = {word.lower() for word in words}
        others = [word for word in self.vocabulary if word not in own]
        yield "true", None, words
        at = chance.randrange(len(words))
        yield "swap", at, (*words[:at], chance.choice(others), *words[at + 1 :])
        at = chance.randrange(len(words) + 1)
        yield "omit", at, (*words[:at], chance.choice(others), *words[at:])
        if len(words) > 1:
            at = chance.randrange(len(words))
            yield "insert", at, (*words[:at], *words[at + 1 :])
        yield "wrong", None, chance.choice([text for text in self.texts if text != words])
        spoken = [word for text in self.texts for word in text if word.lower() not in own]
        for _each in range(OMITTED - 1):
            at = chance.randrange(len(words) + 1)
            yield "omit", at, (*words[:at], chance.choice(others), *words[at:])
            at = chance.randrange(len(words) + 1)
            yield "common", at, (*words[:at], chance.choice(spoken), *words[at:])
