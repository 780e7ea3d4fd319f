"""The words of a request, and where in the recording each of them should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Word:
    """A word and its window in seconds of the video; None where the script does not say."""

    text: str
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """What should be heard: the words in order, and the video time at which the recording begins, if known."""

    words: tuple[Word, ...] = ()
    begins: float | None = None


def jsonable(line: Line) -> dict[str, Any]:
    """The line as JSON can carry it to another process; `from_json` is the way back."""
    return {"words": [[word.text, word.start, word.end] for word in line.words], "begins": line.begins}


def from_json(value: dict[str, Any]) -> Line:
    """The line that `jsonable` wrote."""
    return Line(tuple(Word(text, start, end) for text, start, end in value["words"]), value["begins"])
