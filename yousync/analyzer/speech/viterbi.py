"""Finds the most likely way through a graph for a recording's scores.

Between words may be a pause, and, when looking leniently, speech that belongs to no word; words may then be left out.
All states move at once, so the cost grows with frames, hardly with words: no beam, nothing is pruned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.graph import Graph
from yousync.analyzer.speech.model import STATES

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Scores = NDArray[np.float16] | NDArray[np.float32]
_BLOCK = 128  # frames whose scores are looked up together
_NEVER = np.float32(-1e30)


@dataclass(frozen=True, slots=True)
class Costs:
    """What it costs, in nats, to leave a word out, and to begin to hear speech that is none of the script's."""

    omit: float
    enter: float


@dataclass(frozen=True, slots=True)
class Path:
    """For each frame the state of the graph, or -1 in a pause, or -2 in foreign speech; and the score of it all."""

    states: Ints
    score: float


PAUSE, FOREIGN = -1, -2


def best_path(
    scores: Scores, graph: Graph, silence: Ints, costs: Costs | None = None, foreign: Floats | None = None
) -> Path | None:
    """The best path through all words, or with `costs` through those that were said; None when there is none.

    `scores` is [frame, senone], `silence` the senones of a pause, `foreign` each frame's score as speech that is none
    of the script's, which goes with `costs`.
    """
    search = Search(graph, len(scores), costs, lenient=foreign is not None)
    for at in range(0, len(scores), _BLOCK):
        block = scores[at : at + _BLOCK]
        emitted, quiet = emissions(block, graph), block[:, silence].max(axis=1).astype(np.float32)
        for row in range(len(block)):
            search.step(at + row, emitted[row], quiet[row], None if foreign is None else foreign[at + row])
    return search.end()


def emissions(scores: Scores, graph: Graph) -> Floats:
    """[frame, state]: the best of the senones that each state may be."""
    # Rows of senones, not of frames: the best of neighbouring rows is taken many numbers at a time.
    candidates = np.ascontiguousarray(scores[:, graph.senones].T, np.float32)
    return np.ascontiguousarray(np.maximum.reduceat(candidates, graph.offsets[:-1], axis=0).T)


class Search:
    """The state of the search after some frames, and how it came to it.

    A gap stands before each word and after the last. Its score is that of having come so far in the script and being
    ready for the next word or a pause; `gaps` keeps it, [frames gone by, gap].
    """

    def __init__(self, graph: Graph, frames: int, costs: Costs | None, *, lenient: bool) -> None:
        self._graph, self._costs = graph, costs
        self._word_of = dict(zip(graph.starts.tolist(), graph.start_words.tolist(), strict=True))
        gaps, kinds = graph.words + 1, 2 if lenient else 1
        self._first_ends = np.flatnonzero(np.diff(graph.end_words, prepend=-1))
        self._delta = np.full(graph.states, _NEVER, np.float32)
        self._pausing = np.full((kinds, gaps), _NEVER, np.float32)
        self._gap = np.full(gaps, _NEVER, np.float32)
        self._gap[0] = 0.0
        self._tolls = np.array([0.0, -(costs.enter if costs else 0.0)][:kinds], np.float32)[:, None]
        self._index = np.arange(gaps)
        self._slope = np.float32(costs.omit if costs else 0.0) * self._index.astype(np.float32)
        self._moved = np.zeros((frames, graph.states), np.bool_)
        self._entered = np.zeros((frames, kinds, gaps), np.bool_)
        self._source = np.zeros((frames, gaps), np.int32)  # the state that ended at a gap, or a kind of pause
        self._origin = np.tile(self._index.astype(np.int32), (frames + 1, 1))  # the gap before words left out
        self.gaps = np.full((frames + 1, gaps), _NEVER, np.float32)
        self._leave_out(0)

    def step(self, at: int, emitted: Floats, quiet: np.float32, foreign: np.float32 | None) -> None:
        """One frame: the scores of all states, of a pause, and of foreign speech."""
        graph, gap = self._graph, self._gap
        coming = np.empty_like(self._delta)
        coming[1:] = self._delta[:-1]
        coming[graph.starts] = gap[graph.start_words]
        self._moved[at] = take = coming > self._delta
        self._delta = np.where(take, coming, self._delta) + emitted
        fresh = gap + self._tolls
        self._entered[at] = take = fresh > self._pausing
        self._pausing = np.where(take, fresh, self._pausing)
        self._pausing[0] += quiet
        if foreign is not None:
            self._pausing[1] += foreign
        if foreign is None:
            gap, source = self._pausing[0].copy(), np.full(len(gap), PAUSE)
        else:
            outside = self._pausing[1] > self._pausing[0]
            gap, source = np.where(outside, self._pausing[1], self._pausing[0]), np.where(outside, FOREIGN, PAUSE)
        leaving = self._delta[graph.ends]
        tops = np.maximum.reduceat(leaving, self._first_ends)
        winners = np.zeros(graph.words, np.int64)
        best = np.flatnonzero(leaving == tops[graph.end_words])[::-1]
        winners[graph.end_words[best]] = graph.ends[best]
        better = tops > gap[1:]
        gap[1:] = np.where(better, tops, gap[1:])
        source[1:] = np.where(better, winners, source[1:])
        self._gap, self._source[at] = gap, source
        self._leave_out(at + 1)

    def end(self) -> Path | None:
        """The best path that is after the last word when the recording ends."""
        if self._gap[-1] < _NEVER / 2:
            return None
        path = np.empty(len(self._moved), np.int64)
        for at, state in self._back(len(path), self._graph.words):
            path[at] = state
        return Path(path, float(self._gap[-1]))

    def last_word(self, after: int, gap: int) -> tuple[int, Ints] | None:
        """The first frame and the states of the word that was said last on the best way to `gap`, if there is one."""
        found: list[int] = []
        first = after
        for at, state in self._back(after, gap):
            if state >= 0:
                found.append(state)
                first = at
                if state in self._word_of and self._moved[at, state]:
                    break
        return (first, np.array(found[::-1])) if found else None

    def _back(self, after: int, gap: int) -> Iterator[tuple[int, int]]:
        """Frames before `after`, from the last to the first, with their states on the best way to `gap`."""
        state, gap = self._behind(after, gap)
        for at in range(after - 1, -1, -1):
            yield at, state
            if state < 0:
                if self._entered[at, -1 - state, gap]:
                    state, gap = self._behind(at, gap)
            elif self._moved[at, state]:
                word = self._word_of.get(state)
                state, gap = (state - 1, gap) if word is None else self._behind(at, word)

    def _leave_out(self, after: int) -> None:
        """Gaps are also reached from earlier ones by leaving out the words between."""
        if self._costs is not None:
            lifted = self._gap + self._slope
            best = np.maximum.accumulate(lifted)
            self._origin[after] = np.maximum.accumulate(np.where(lifted >= best, self._index, 0))
            self._gap = best - self._slope
        self.gaps[after] = self._gap

    def _behind(self, after: int, gap: int) -> tuple[int, int]:
        """What stood behind a gap when `after` frames had gone by: a state or a kind of pause, and its gap."""
        gap = int(self._origin[after, gap])
        return (int(self._source[after - 1, gap]) if after else PAUSE), gap


def segments(path: Ints) -> list[tuple[int, int, int]]:
    """Runs of frames in one phone, pause or foreign speech: (unit, PAUSE or FOREIGN; first frame; frame after)."""
    units = np.where(path >= 0, path // STATES, path)
    cuts = np.flatnonzero(np.diff(units) != 0) + 1
    bounds = [0, *cuts.tolist(), len(units)]
    return [(int(units[first]), first, after) for first, after in pairwise(bounds)]


def runs_of(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where `flags` hold: (first, after) of every run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.view(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
