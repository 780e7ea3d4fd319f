"""What a recording would be without each of the words: how well its neighbours alone explain the sound."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.graph import Graph
from yousync.analyzer.speech.model import STATES
from yousync.analyzer.speech.viterbi import Path, Scores, Search, emissions

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
TOLLS = (0.0, 2.0, 3.2, 4.5)  # nats a frame that speech which is none of the script's costs
USUAL = 1  # the toll by which the stretch of other speech is found
_LEAST = 6  # frames of it
_EDGE = 8  # frames of a neighbour that would belong to the word
_BLOCK = 128


@dataclass(frozen=True, slots=True)
class Side:
    """A neighbour of a word that is left out: where it is then, how well it fits, and how long its phones take."""

    first: int
    after: int
    fit: float
    edge: float
    phones: Ints
    frames: Ints


@dataclass(frozen=True, slots=True)
class Without:
    """Of each word, in nats: `skip` is what is lost by leaving it out.

    `other` is what is won when other speech is then heard in its place, [word, toll], `elsewhere` what other speech
    beside it would win while it is there. `span` is where that other speech would be, `inside` how well it sounds
    like speech and like silence there, `sides` the neighbours before and behind.
    """

    skip: Floats
    other: Floats
    elsewhere: Floats
    usual_elsewhere: float
    span: Ints
    inside: Floats
    sides: tuple[tuple[Side | None, Side | None], ...]


@dataclass(frozen=True, slots=True)
class BothWays:
    """The best way to each gap between words, from the beginning and from the end."""

    graph: Graph
    emitted: Scores
    quiet: Floats
    onward: Search
    back: Search

    @classmethod
    def of(cls, scores: Scores, graph: Graph, silence: Ints) -> BothWays:
        """Two searches over the same scores, all words in their order."""
        emitted = np.concatenate(
            [emissions(scores[at : at + _BLOCK], graph).astype(scores.dtype) for at in range(0, len(scores), _BLOCK)]
        )
        quiet = scores[:, silence].max(axis=1).astype(np.float32)
        count = len(scores)
        onward, back = Search(graph, count, None, lenient=False), Search(_mirrored(graph), count, None, lenient=False)
        for at in range(count):
            onward.step(at, emitted[at].astype(np.float32), quiet[at], None)
            back.step(at, emitted[-1 - at, ::-1].astype(np.float32), quiet[-1 - at], None)
        return cls(graph, emitted, quiet, onward, back)

    def path(self) -> Path | None:
        """The best path through all words; None when there is none."""
        return self.onward.end()

    def without(self, best: Floats, speech: Floats) -> Without:
        """`best` is each frame's best phone, `speech` its score as any speech."""
        ahead, behind = self.onward.gaps, self.back.gaps[::-1, ::-1]  # [frames gone by, gap]
        joined = ahead[:, :-1] + behind[:, 1:]
        at, skip = joined.argmax(axis=0).tolist(), joined.max(axis=0)
        other = np.empty((len(at), len(TOLLS)), np.float32)
        span, beside = np.zeros((len(at), 2), np.int64), np.zeros(len(at) + 1, np.float32)
        for number, toll in enumerate(TOLLS):
            run = np.concatenate([[0], np.cumsum(speech - np.float32(toll), dtype=np.float64)]).astype(np.float32)
            begun = ahead - run[:, None]
            ready = np.maximum.accumulate(begun, axis=0)[:-_LEAST]
            done = behind[_LEAST:] + run[_LEAST:, None]
            here = ready[:, :-1] + done[:, 1:]
            other[:, number] = here.max(axis=0) - skip
            if number == USUAL:
                beside = (ready + done).max(axis=0) - ahead[-1, -1]
                span[:, 1] = here.argmax(axis=0) + _LEAST
                span[:, 0] = [begun[: end - _LEAST + 1, word].argmax() for word, end in enumerate(span[:, 1])]
        inside = [[each[first:after].mean() for each in (speech, self.quiet)] for first, after in span.tolist()]
        return Without(
            ahead[-1, -1] - skip,
            other,
            np.maximum(beside[:-1], beside[1:]),
            float(np.median(beside)),
            span,
            np.array(inside, np.float32),
            tuple((self._before(at[word], word, best), self._behind(at[word], word, best)) for word in range(len(at))),
        )

    def _before(self, at: int, word: int, best: Floats) -> Side | None:
        found = self.onward.last_word(at, word)
        if found is None:
            return None
        first, states = found
        return self._side(first, states, best, slice(-_EDGE, None))

    def _behind(self, at: int, word: int, best: Floats) -> Side | None:
        count = len(self.emitted)
        found = self.back.last_word(count - at, self.graph.words - 1 - word)
        if found is None:
            return None
        first, states = found
        return self._side(count - first - len(states), self.graph.states - 1 - states[::-1], best, slice(_EDGE))

    def _side(self, first: int, states: Ints, best: Floats, edge: slice) -> Side:
        after = first + len(states)
        fits = self.emitted[np.arange(first, after), states].astype(np.float32) - best[first:after]
        units, frames = np.unique(states // STATES, return_counts=True)
        phones = np.array([self.graph.units[unit].phone for unit in units])
        return Side(first, after, float(fits.mean()), float(fits[edge].mean()), phones, frames)


def _mirrored(graph: Graph) -> Graph:
    """The graph read from the last state to the first."""
    state, word = graph.states - 1, graph.words - 1
    return replace(
        graph,
        starts=(state - graph.ends)[::-1],
        start_words=(word - graph.end_words)[::-1],
        ends=(state - graph.starts)[::-1],
        end_words=(word - graph.start_words)[::-1],
    )
