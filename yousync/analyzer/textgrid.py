"""Words and their times out of a Praat TextGrid, for backends that send no script with a clip's recording."""

from __future__ import annotations

import re

from yousync.analyzer.reference import UnusableReference
from yousync.analyzer.words import Word

_TOKENS = re.compile(r'"((?:[^"]|"")*)"|(?<![\w.])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.])')
_MOST_BYTES = 2**21
_MAX_WORDS = 2000


def read_textgrid(content: bytes) -> tuple[Word, ...]:
    """The intervals with text of the tier named "words", or else of the first interval tier.

    Both of Praat's text forms are read alike: without its labels the long form is the short one (Praat manual,
    "TextGrid file formats"). Raises UnusableReference.
    """
    if len(content) > _MOST_BYTES:
        raise UnusableReference("the TextGrid is too large")
    text = content.decode("utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig", "replace")
    # In the long form numbers also stand in brackets, as "intervals [3]:".
    stream: list[tuple[str, float | None]] = [
        (found[1].replace('""', '"'), None) if found[1] is not None else ("", float(found[2]))
        for found in _TOKENS.finditer(re.sub(r"\[\d*\]:?", " ", text))
    ]
    tiers = _tiers(stream)
    words = next((words for name, words in tiers if name.lower().startswith("word")), None)
    words = words if words is not None else next((words for _, words in tiers), None)
    if not words or len(words) > _MAX_WORDS:
        raise UnusableReference("the TextGrid has no words")
    return words


def _tiers(stream: list[tuple[str, float | None]]) -> list[tuple[str, tuple[Word, ...]]]:
    """Interval tiers by name. After "IntervalTier" come its name, start, end, count, and so many intervals."""
    found = []
    for at, (text, _) in enumerate(stream):
        if text != "IntervalTier":
            continue
        head = stream[at + 1 : at + 5]
        count = head[3][1] if len(head) == 4 else None
        if count is None or not 0 <= count <= _MAX_WORDS * 4:
            raise UnusableReference("the TextGrid is damaged")
        body = stream[at + 5 : at + 5 + 3 * int(count)]
        words = []
        for start, end, label in zip(body[::3], body[1::3], body[2::3], strict=False):
            if start[1] is None or end[1] is None or label[1] is not None:
                raise UnusableReference("the TextGrid is damaged")
            if label[0].strip():
                words.append(Word(label[0].strip(), start[1], end[1]))
        found.append((head[0][0], tuple(words)))
    return found
