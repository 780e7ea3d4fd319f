"""From sound and words to evidence: fits the model to the speaker's vocal tract, scores the frames, aligns them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech import features as front
from yousync.analyzer.speech.evidence import Evidence, PhoneScores, gather, smoothed
from yousync.analyzer.speech.graph import Graph, build
from yousync.analyzer.speech.model import STATES, Model
from yousync.analyzer.speech.net import Net
from yousync.analyzer.speech.senones import Scorer
from yousync.analyzer.speech.viterbi import Costs, Path, best_path
from yousync.analyzer.speech.without import BothWays, Without

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Ints = NDArray[np.int64]
_WARPS = (0.88, 0.94, 1.0, 1.06, 1.12, 1.18, 1.24, 1.3, 1.36)
_FIRST_GUESS = 1.06  # between men and children
_TRUST = np.float32(1.5)  # in the net against the model; with 1 fewer words left out are found, with 3 no more
_WORST = -60.0  # nats below the best; beyond it nothing is told apart
_BLOCK = 512
_REACH = 3  # frames either side over which foreign speech must sound like one phone
_FUSSY, _EASY = Costs(omit=50.0, enter=0.0), Costs(omit=20.0, enter=0.0)
_FUSSY_FOREIGN, _EASY_FOREIGN = 4.5, 3.2  # nats a frame that speech outside the script costs


@dataclass(frozen=True, slots=True)
class Heard:
    """`strict` and `lenient` are paths, a state of `graph` a frame; the strict one passes through every word.

    `likely_omitted` are words that another path, quicker to leave words out, went without.
    """

    graph: Graph
    strict: Ints
    lenient: Ints
    omitted: frozenset[int]
    likely_omitted: frozenset[int]
    evidence: Evidence
    levels: Floats  # of every frame, in decibels
    warp: float
    without: Without
    fit: float  # of the strict path, nats a frame below the best of any
    free: float  # of the lenient one


@dataclass(frozen=True, slots=True)
class Listening:
    """A recording's scores, which words can be laid over in one way and another."""

    ear: Ear
    scores: Halves
    by_phone: Floats
    levels: Floats
    warp: float

    def align(self, ways: Sequence[Sequence[tuple[str, ...]]]) -> Heard | None:
        """The best paths for these words; None when the recording is too short for them."""
        ear, scores = self.ear, self.scores
        graph = build(ear.model, ways)
        ways_through = BothWays.of(scores, graph, ear.silence)
        path = ways_through.path()
        if path is None:
            return None
        speech = smoothed(self.by_phone, _REACH).max(axis=1)
        lenient = best_path(scores, graph, ear.silence, _FUSSY, speech - np.float32(_FUSSY_FOREIGN)) or path
        easy = best_path(scores, graph, ear.silence, _EASY, speech - np.float32(_EASY_FOREIGN)) or path
        evidence = gather(ear.model, graph, path.states, scores, self.by_phone, ear.spoken)
        frames = len(scores)
        return Heard(
            graph,
            path.states,
            lenient.states,
            _missing(graph, lenient.states),
            _missing(graph, easy.states),
            evidence,
            self.levels,
            self.warp,
            ways_through.without(self.by_phone.max(axis=1), speech),
            path.score / frames,
            lenient.score / frames,
        )


class Ear:
    """The acoustic model, ready to listen, with a net that has heard learners or without."""

    def __init__(self, model: Model, net: Net | None = None) -> None:
        self.model = model
        self._net = net
        self._scorer = Scorer(model)
        self._phones = PhoneScores(model)
        self.silence = np.unique(model.triphones.plain[model.triphones.silence])
        self._plain = model.weights[:, model.triphones.plain].mean(axis=2)  # [stream, phone, density]
        column = np.full(len(model.phones), len(self.spoken))  # what is not spoken goes with silence
        column[self.spoken] = np.arange(len(self.spoken))
        self._column = column[model.owner]  # of what the net says of each senone
        self._unspoken = np.flatnonzero(self._column == len(self.spoken))

    def taught(self, net: Net | None) -> Self:
        """The same with another net."""
        other = copy(self)
        other._net = net  # noqa: SLF001 -- it is one of us
        return other

    @property
    def spoken(self) -> Ints:
        """The phones that `Evidence.rivals` has a column for."""
        return self._phones.spoken

    def listen(self, samples: Floats, ways: Sequence[Sequence[tuple[str, ...]]]) -> Listening | None:
        """Scores a recording, its scale bent to the speaker by the words, each said in one of its `ways`.

        None when the recording is too short for them.
        """
        graph = build(self.model, ways)
        power = front.power_spectra(samples)
        path = self._first_path(self._features(power, _FIRST_GUESS), graph)
        if path is None:
            return None
        warp = self._warp(power, path.states, graph)
        scores, by_phone = self._scores(self._features(power, warp))
        levels = (10 * np.log10(power.sum(axis=1) + 1)).astype(np.float32)
        return Listening(self, scores, by_phone, levels, warp)

    def _features(self, power: front.Doubles, warp: float) -> Floats:
        return front.with_differences(front.cepstra(front.without_noise(front.mel_energies(power, warp))))

    def _first_path(self, features: Floats, graph: Graph) -> Path | None:
        """A quick look: only the senones that the words need."""
        needed = np.unique(np.concatenate([graph.senones, self.silence]))
        scores = self._scorer.score_some(features, needed)
        numbered = replace(graph, senones=np.searchsorted(needed, graph.senones))
        return best_path(scores, numbered, np.searchsorted(needed, self.silence))

    def _scores(self, features: Floats) -> tuple[Halves, Floats]:
        """[frame, senone] below the best of each frame, and the same of phones."""
        scores = np.empty((len(features), len(self.model.owner)), np.float16)
        by_phone = np.empty((len(features), len(self._phones.spoken)), np.float32)
        for at in range(0, len(features), _BLOCK):
            block = self._scorer.score(features[at : at + _BLOCK])
            block -= block.max(axis=1, keepdims=True)
            np.maximum(block, _WORST, out=block)
            scores[at : at + _BLOCK] = block
            by_phone[at : at + _BLOCK] = self._phones.best(block)
        if self._net is not None:
            self._correct(self._net, scores, by_phone)
        return scores, by_phone

    def _correct(self, net: Net, scores: Halves, by_phone: Floats) -> None:
        """Adds to the scores what the net says of each frame's phone."""
        told = _TRUST * net(by_phone)
        silent = scores[:, self._unspoken].max(axis=1).astype(np.float32) + told[:, -1]
        by_phone += told[:, :-1]
        best = np.maximum(by_phone.max(axis=1), silent)[:, None]
        by_phone -= best
        np.maximum(by_phone, _WORST, out=by_phone)
        told -= best
        for at in range(0, len(scores), _BLOCK):
            block = np.take(told[at : at + _BLOCK], self._column, axis=1)
            block += scores[at : at + _BLOCK]
            np.maximum(block, _WORST, out=block)
            scores[at : at + _BLOCK] = block

    def _warp(self, power: front.Doubles, path: Ints, graph: Graph) -> float:
        """The bend of the frequency scale under which the aligned phones are most likely (Lee and Rose 1996)."""
        phones = np.array([unit.phone for unit in graph.units])
        frames = np.flatnonzero(path >= 0)
        phone = phones[path[frames] // STATES]
        gains = front.noise_gains(front.mel_energies(power, _FIRST_GUESS))
        likely = [self._likelihood(power, gains, warp, frames, phone) for warp in _WARPS]
        return _WARPS[int(np.argmax(likely))]

    def _likelihood(self, power: front.Doubles, gains: front.Doubles, warp: float, frames: Ints, phone: Ints) -> float:
        features = front.with_differences(front.cepstra(front.mel_energies(power, warp) * gains))[frames]
        model, total = self.model, 0.0
        for each in np.unique(phone):
            x = features[phone == each]
            for stream in range(x.shape[1]):
                means, precisions = model.means[each, stream], model.precisions[each, stream]
                logs = model.constants[each, stream] - 0.5 * (
                    (x[:, stream] ** 2) @ precisions.T
                    - 2 * x[:, stream] @ (precisions * means).T
                    + (precisions * means**2).sum(axis=1)
                )
                top = logs.max(axis=1)
                shares = np.exp(logs - top[:, None]) @ self._plain[stream, each]
                total += float((np.log(np.maximum(shares, 1e-30)) + top).sum())
        return total


def _missing(graph: Graph, path: Ints) -> frozenset[int]:
    said = {graph.units[unit].word for unit in np.unique(path[path >= 0] // STATES)}
    return frozenset(range(graph.words)) - said
