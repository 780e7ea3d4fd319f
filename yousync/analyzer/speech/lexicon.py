"""How words are pronounced: pocketsphinx's dictionary, then espeak-ng where it is installed, then rules of our own."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from yousync.analyzer.speech import espeak
from yousync.analyzer.speech.rules import digits_spelled, spelled

Source = Literal["dictionary", "espeak", "rules"]
_MOST_VARIANTS = 4
_VOICELESS = frozenset(("P", "T", "K", "F", "TH"))
_HISSING = frozenset(("S", "Z", "SH", "ZH", "CH", "JH"))
_RANK = ("dictionary", "espeak", "rules")


@dataclass(frozen=True, slots=True)
class Pronounced:
    """The ways to say a word, as ARPAbet without stress; none for what is not a word, such as a dash."""

    ways: tuple[tuple[str, ...], ...]
    source: Source


class Lexicon:
    """Looks words up in the dictionary's text as it is: 3 MB, and no time to load."""

    def __init__(self, dictionary: Path) -> None:
        espeak.helper()  # while this process still may start another
        self._text = b"\n" + dictionary.read_bytes()
        self.pronounce = lru_cache(maxsize=20_000)(self._pronounce)

    def _pronounce(self, word: str) -> Pronounced:
        """The ways to say `word` as it stands in a script, with its punctuation."""
        whole: list[tuple[str, ...]] = [()]
        source: Source = "dictionary"
        for part in parts(word):
            ways, from_where = self._part(part)
            whole = [(*before, *way) for before in whole for way in ways][:_MOST_VARIANTS]
            source = max(source, from_where, key=_RANK.index)
        return Pronounced(tuple(dict.fromkeys(way for way in whole if way)), source)

    def _part(self, part: str) -> tuple[list[tuple[str, ...]], Source]:
        if part[0].isdigit():
            ways: list[tuple[str, ...]] = [()]
            for word in digits_spelled(part).split():
                ways = [(*before, *way) for before in ways for way in self._part(word)[0]][:_MOST_VARIANTS]
            return ways, "dictionary"
        if ways := self._look_up(part):
            return ways, "dictionary"
        if part.endswith("'s") and (ways := self._look_up(part[:-2])):
            return [(*way, *_possessive(way[-1])) for way in ways], "dictionary"
        if part.endswith("'") and (ways := self._look_up(part[:-1])):
            return ways, "dictionary"
        if way := espeak.pronounce(part):
            return [way], "espeak"
        return [spelled(part)], "rules"

    def _look_up(self, word: str) -> list[tuple[str, ...]]:
        found = []
        for number in range(1, _MOST_VARIANTS + 1):
            key = word if number == 1 else f"{word}({number})"
            at = self._text.find(f"\n{key} ".encode())
            if at < 0:
                break
            line = self._text[at + 1 : self._text.find(b"\n", at + 1)].decode()
            found.append(tuple(line.split()[1:]))
        return found


def _possessive(last: str) -> tuple[str, ...]:
    """How 's sounds after a sound."""
    if last in _HISSING:
        return ("IH", "Z")
    return ("S",) if last in _VOICELESS else ("Z",)


def parts(word: str) -> list[str]:
    """What is spoken of a word as written: lower case, without punctuation and accents, at hyphens apart."""
    plain = unicodedata.normalize("NFKD", word.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")).lower()
    plain = (
        "".join(each for each in plain if not unicodedata.combining(each))
        .replace("&", " and ")
        .replace("%", " percent ")
    )
    plain = re.sub(r"(?<=[0-9]),(?=[0-9]{3})", "", plain)
    found = re.findall(r"[0-9]+|'?[a-z]+(?:'[a-z]+)*'?", plain)
    return [part for each in found if (part := each if each[0].isdigit() else _unquoted(each))]


def _unquoted(part: str) -> str:
    """Without quotation marks, but with the apostrophes of 'em and goin'."""
    if part.startswith("'") and (part.endswith("'") or part[1:] not in _CLIPPED):
        part = part[1:]
    return part if part.endswith(("n'", "s'")) else part.rstrip("'")


_CLIPPED = frozenset({"em", "til", "cause", "bout", "round", "course", "tis", "twas", "kay", "n"})
