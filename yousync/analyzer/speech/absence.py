"""Turns what a recording would be without a word into numbers that tell whether it was said: one row a word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.hearing import Heard
from yousync.analyzer.speech.lengths import Lengths
from yousync.analyzer.speech.without import TOLLS, Side

Doubles = NDArray[np.float64]
_REACH = 30  # frames that are looked at where there is no neighbour
_SILENT = -40.0  # decibels below the usual, where there is nothing between neighbours
_BESIDE = ("fit", "posterior", "least", "stretch", "shortest")
NAMES = (
    "skip",
    "skip_a_phone",
    "skip_a_frame",
    *(f"other_{toll:g}" for toll in TOLLS),
    *(f"rather_{toll:g}" for toll in TOLLS),
    "other_a_phone",
    "elsewhere",
    "usual_elsewhere",
    "span",
    "span_level",
    "span_speech",
    "span_quiet",
    "long",
    "relatively_long",
    *(f"relative_{name}" for name in _BESIDE),
    *(f"lesser_{name}_beside" for name in _BESIDE),
    *(f"greater_{name}_beside" for name in _BESIDE),
    "side_fit",
    "side_longest",
    "side_edge",
    "side_edge_long",
    "side_loss",
    "sides_loss",
    "between",
    "between_level",
)


def rows(heard: Heard, stretch: Doubles, lengths: Lengths) -> Doubles:
    """[word, NAMES]. `stretch` is how much longer than usual each phone is."""
    evidence, without = heard.evidence, heard.without
    count = heard.graph.words
    phones = [np.flatnonzero(evidence.word == word) for word in range(count)]
    frames, fits = evidence.frames, evidence.fits.astype(np.float64)
    fit = np.array([np.average(fits[row, 1], weights=frames[row]) for row in phones])
    taken = np.array([frames[row].sum() for row in phones], np.float64)
    long = np.log(taken) - [lengths.expected(evidence.phone[row]) for row in phones]
    usual_fit, usual_stretch = float(np.median(fits[:, 1])), float(np.median(stretch))
    relative = np.column_stack(
        [
            fit - usual_fit,
            [fits[row, 2].mean() - np.median(fits[:, 2]) for row in phones],
            [fits[row, 1].min() - usual_fit for row in phones],
            [stretch[row].mean() - usual_stretch for row in phones],
            [stretch[row].min() - usual_stretch for row in phones],
        ]
    )
    edge = np.median(relative, axis=0)[None]
    left, right = np.concatenate([edge, relative[:-1]]), np.concatenate([relative[1:], edge])
    said = np.concatenate([np.arange(*each) for each in zip(evidence.first, evidence.after, strict=True)])
    level = heard.levels - heard.levels[said].mean()
    sizes = np.array([len(row) for row in phones])
    return np.column_stack(
        [
            without.skip,
            without.skip / sizes,
            without.skip / taken,
            without.other,
            without.skip[:, None] - without.other,
            without.other[:, 1] / sizes,
            without.elsewhere,
            np.full(count, without.usual_elsewhere),
            without.span[:, 1] - without.span[:, 0],
            [level[first:after].mean() for first, after in without.span.tolist()],
            without.inside,
            long,
            long - np.median(long),
            relative,
            np.minimum(left, right),
            np.maximum(left, right),
            [
                _sides(
                    *without.sides[word],
                    (fit[max(word - 1, 0)], fit[min(word + 1, count - 1)]),
                    (usual_fit, usual_stretch),
                    lengths,
                    level,
                )
                for word in range(count)
            ],
        ]
    ).astype(np.float64)


def _sides(
    before: Side | None,
    behind: Side | None,
    with_it: tuple[float, float],
    usual: tuple[float, float],
    lengths: Lengths,
    level: NDArray[np.float32],
) -> list[float]:
    """What becomes of the neighbours of a word that is left out: at the edge to it, and with what it had."""
    fit, long = usual
    there = [side for side in (before, behind) if side is not None]
    stretches = [lengths.stretch(side.phones, side.frames) for side in there]
    edges = [each[-1 if side is before else 0] for side, each in zip(there, stretches, strict=True)]
    losses = [side.fit - own for side, own in zip((before, behind), with_it, strict=True) if side is not None]
    end = behind.first if behind else None
    first = before.after if before else max(0, (len(level) if end is None else end) - _REACH)
    after = min(len(level), first + _REACH) if end is None else end
    return [
        min((side.fit - fit for side in there), default=0.0),
        max((float(each.max()) - long for each in stretches), default=0.0),
        min((side.edge - fit for side in there), default=0.0),
        max((float(each) - long for each in edges), default=0.0),
        min(losses, default=0.0),
        sum(losses),
        after - first,
        float(level[first:after].max()) if after > first else _SILENT,
    ]
