"""The states a script's words can be said through: every pronunciation of every word, and pauses between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.model import STATES, Model

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Unit:
    """One phone of one way to say one word; `left` and `right` are neighbours it may have."""

    word: int
    way: int
    at: int
    phone: int
    left: tuple[int, ...]
    right: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """States are numbered word by word, way by way, phone by phone; after them come the pauses' states.

    A state may be one of several senones, as a word's first and last phone sound by their neighbours: those of state
    `s` are `senones[offsets[s] : offsets[s + 1]]`, and the best of them counts.
    """

    words: int
    units: tuple[Unit, ...]
    senones: Ints
    offsets: Ints
    starts: Ints  # the first state of each way
    start_words: Ints  # its word
    ends: Ints  # the last state of each way
    end_words: Ints

    @property
    def states(self) -> int:
        """Of words, without pauses."""
        return len(self.units) * STATES


def build(model: Model, ways: Sequence[Sequence[tuple[str, ...]]]) -> Graph:
    """The graph of words that can each be said in one or more ways. Every word has one."""
    numbered = [[[model.number(phone) for phone in way] for way in each] for each in ways]
    silence = model.triphones.silence
    units: list[Unit] = []
    lists: list[list[int]] = []
    starts, start_words, ends, end_words = [], [], [], []
    for word, each in enumerate(numbered):
        before = sorted({way[-1] for way in numbered[word - 1]} | {silence}) if word else [silence]
        after = sorted({way[0] for way in numbered[word + 1]} | {silence}) if word + 1 < len(ways) else [silence]
        for number, way in enumerate(each):
            starts.append(len(units) * STATES)
            start_words.append(word)
            for at, phone in enumerate(way):
                left = tuple(before) if at == 0 else (way[at - 1],)
                right = tuple(after) if at == len(way) - 1 else (way[at + 1],)
                units.append(Unit(word, number, at, phone, left, right))
                rows = [
                    model.triphones.senones(phone, one, other, first=at == 0, last=at == len(way) - 1)
                    for one in left
                    for other in right
                ]
                lists += [sorted({int(row[state]) for row in rows}) for state in range(STATES)]
            ends.append(len(units) * STATES - 1)
            end_words.append(word)
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in lists])])
    return Graph(
        len(ways),
        tuple(units),
        np.array([senone for each in lists for senone in each]),
        offsets.astype(np.int64),
        np.array(starts),
        np.array(start_words),
        np.array(ends),
        np.array(end_words),
    )
