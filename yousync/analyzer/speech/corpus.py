"""Reads labelled learner speech as calibration needs it: speechocean762's labels, one JSON object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SCORES = ("total", "accuracy", "fluency", "prosodic")
_SAME = {"AX": "AH", "OO": "AO", "EE": "IY", "AXR": "ER"}
_SEVERAL = {"TR": "T R", "DR": "D R", "TS": "T S", "DZ": "D Z", "AR": "AA R", "IR": "IH R", "UR": "UH R"}
_MARK = {"(": 0.5, "{": 0.0}  # accented; wrong or missing
_ALIKE = (
    frozenset(("AA", "AO", "AH", "OW")),
    frozenset(("IH", "IY", "AH", "EH")),
    frozenset(("UH", "UW", "AH")),
    frozenset(("AE", "EH", "AH", "AA")),
    frozenset(("ER", "R", "AH")),
    frozenset(("S", "Z")),
    frozenset(("TH", "DH")),
)


@dataclass(frozen=True, slots=True)
class Rated:
    """One utterance. Scores are 0 to 1; `phones` has a list a word, of (phone, share of raters content with it)."""

    id: str
    speaker: str
    age: int
    path: Path
    words: tuple[str, ...]
    scores: dict[str, float]
    experts: dict[str, tuple[float, ...]]
    word_scores: tuple[float, ...]
    phones: tuple[tuple[tuple[str, float], ...], ...]


def read(folder: Path) -> Iterator[Rated]:
    """The utterances of a folder with `labels.jsonl` and `audio/`, in the file's order."""
    with (folder / "labels.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            told = json.loads(line)
            yield Rated(
                told["id"],
                told["speaker"],
                told["age"],
                folder / "audio" / f"{told['id']}.flac",
                tuple(word["text"] for word in told["words"]),
                {name: told[name] / 10 for name in SCORES},
                {name: tuple(score / 10 for score in told["experts"][name]) for name in SCORES},
                tuple(word["accuracy"] / 10 for word in told["words"]),
                tuple(_agreed(word["phones"]) for word in told["words"]),
            )


def marked(text: str) -> list[tuple[str, float]]:
    """A rater's phones: (x) is accented and counts half, {x} wrong, what is in [] was added and is passed over."""
    found: list[tuple[str, float]] = []
    mark, added = 1.0, False
    for sign in re.findall(r"[A-Z]+|[(){}\[\]]", text):
        if sign in "[]":
            added = sign == "["
        elif sign in "({":
            mark = _MARK[sign]
        elif sign in ")}":
            mark = 1.0
        elif not added:
            phone = _SAME.get(sign, sign)
            found += [(each, mark) for each in _SEVERAL.get(phone, phone).split()]
    return found


def paired(ours: Sequence[str], theirs: Sequence[tuple[str, float]]) -> NDArray[np.float64]:
    """Their score for each phone of ours; NaN where theirs has none. Alike vowels are taken for each other."""
    cost = np.zeros((len(ours) + 1, len(theirs) + 1))
    cost[:, 0], cost[0] = np.arange(len(ours) + 1), np.arange(len(theirs) + 1)
    for row, phone in enumerate(ours, 1):
        for column, (other, _) in enumerate(theirs, 1):
            cost[row, column] = min(
                cost[row - 1, column] + 1,
                cost[row, column - 1] + 1,
                cost[row - 1, column - 1] + _apart(phone, other),
            )
    out = np.full(len(ours), np.nan)
    row, column = len(ours), len(theirs)
    while row and column:
        step = _apart(ours[row - 1], theirs[column - 1][0])
        if cost[row, column] == cost[row - 1, column - 1] + step:
            if step < 1:
                out[row - 1] = theirs[column - 1][1]
            row, column = row - 1, column - 1
        elif cost[row, column] == cost[row - 1, column] + 1:
            row -= 1
        else:
            column -= 1
    return out


def _agreed(raters: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Raters write the same phones with marks of their own; the few who wrote others are left out."""
    each = [marked(text) for text in raters]
    names = [tuple(phone for phone, _ in rater) for rater in each]
    usual = max(names, key=names.count)
    same = [rater for rater, name in zip(each, names, strict=True) if name == usual]
    return tuple((phone, float(np.mean([rater[at][1] for rater in same]))) for at, phone in enumerate(usual))


def _apart(one: str, other: str) -> float:
    if one == other:
        return 0.0
    return 0.5 if any(one in group and other in group for group in _ALIKE) else 1.5
