"""The words of a request, and where in the recording each of them should be."""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True, slots=True)
class Window:
    """Where a word is expected, in seconds since the first word's start. `told` is False for a guess."""

    start: float
    end: float
    told: bool


_LETTER_S = 0.07  # ordinary English: about fourteen letters a second


def windows(words: Sequence[Word]) -> list[Window]:
    """A window for every word, in order and never before the one ahead of it.

    Words without times get a share of the room between their neighbours, by their letters; a script without any
    times is laid out at ordinary speed.
    """
    spans = [_span(word) for word in words]
    known = [index for index, span in enumerate(spans) if span]
    zero = _first(spans)
    out: list[Window] = []
    for index, (word, span) in enumerate(zip(words, spans, strict=True)):
        before = out[-1].end if out else 0.0
        if span:
            start = max(span[0] - zero, before)
            out.append(Window(start, max(span[1] - zero, start + 0.02), told=True))
            continue
        following = next((at for at in known if at > index), None)
        length = _letters(word) * _LETTER_S
        if following is not None:
            room = max(_start(spans, following) - zero - before, 0.0)
            length = room * _letters(word) / sum(_letters(other) for other in words[index:following])
        out.append(Window(before, before + max(length, 0.02), told=False))
    return out


def jsonable(line: Line) -> dict[str, Any]:
    """The line as JSON can carry it to another process; `from_json` is the way back."""
    return {"words": [[word.text, word.start, word.end] for word in line.words], "begins": line.begins}


def from_json(value: dict[str, Any]) -> Line:
    """The line that `jsonable` wrote."""
    return Line(tuple(Word(text, start, end) for text, start, end in value["words"]), value["begins"])


def _span(word: Word) -> tuple[float, float] | None:
    return None if word.start is None or word.end is None or word.end <= word.start else (word.start, word.end)


def _first(spans: Sequence[tuple[float, float] | None]) -> float:
    return next((span[0] for span in spans if span), 0.0)


def _start(spans: Sequence[tuple[float, float] | None], index: int) -> float:
    span = spans[index]
    return span[0] if span else 0.0


def _letters(word: Word) -> int:
    return max(1, len(word.text))
