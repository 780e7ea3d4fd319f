"""Asks espeak-ng, where it is installed, how a word is said; a program of its own, so its licence stays its own.

A process that scores strangers' files gives up starting others. So one helper is started before, and asked through its
pipes: `python -m yousync.analyzer.speech.espeak` reads a word a line, and writes ARPAbet or an empty line.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache

_PROGRAM = "espeak-ng"
_SECONDS = 2.0
# Longest first where one begins another. What is not here (stress, length) is passed over.
_SOUNDS = {
    "aɪɚ": "AY ER",
    "aɪə": "AY AH",
    "tʃ": "CH",
    "dʒ": "JH",
    "aɪ": "AY",
    "aʊ": "AW",
    "eɪ": "EY",
    "oʊ": "OW",
    "əʊ": "OW",
    "ɔɪ": "OY",
    "ɑːɹ": "AA R",
    "ɔːɹ": "AO R",
    "oːɹ": "AO R",
    "ɛɹ": "EH R",
    "ɪɹ": "IH R",
    "ʊɹ": "UH R",
    "ɜː": "ER",
    "əl": "AH L",
    "iə": "IY AH",
    "ɚ": "ER",
    "ɝ": "ER",
    "iː": "IY",
    "uː": "UW",
    "ɑː": "AA",
    "ɔː": "AO",
    "oː": "AO",
    "i": "IY",
    "u": "UW",
    "ɪ": "IH",
    "ᵻ": "IH",
    "ɛ": "EH",
    "e": "EH",
    "æ": "AE",
    "a": "AE",
    "ʌ": "AH",
    "ə": "AH",
    "ɐ": "AH",
    "ʊ": "UH",
    "ɒ": "AA",
    "ɑ": "AA",
    "ɔ": "AO",
    "o": "OW",
    "p": "P",
    "b": "B",
    "t": "T",
    "d": "D",
    "ɾ": "T",
    "k": "K",
    "ɡ": "G",
    "g": "G",
    "f": "F",
    "v": "V",
    "θ": "TH",
    "ð": "DH",
    "s": "S",
    "z": "Z",
    "ʃ": "SH",
    "ʒ": "ZH",
    "h": "HH",
    "x": "K",
    "m": "M",
    "n": "N",
    "ŋ": "NG",
    "l": "L",
    "ɫ": "L",
    "ɹ": "R",
    "r": "R",
    "w": "W",
    "j": "Y",
}
_LONGEST = max(map(len, _SOUNDS))


@cache
def helper() -> subprocess.Popen[str] | None:
    """The helper of this process, started when first asked for; None where espeak-ng is not installed.

    It ends when this process does, as its input then ends.
    """
    if shutil.which(_PROGRAM) is None:
        return None
    return subprocess.Popen(  # noqa: S603 -- this very module
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )


def pronounce(word: str) -> tuple[str, ...]:
    """ARPAbet for a word of letters and apostrophes; nothing where espeak-ng is not installed or does not answer."""
    asked = helper()
    if asked is None or asked.stdin is None or asked.stdout is None:
        return ()
    try:
        asked.stdin.write(f"{word}\n")
        asked.stdin.flush()
        return tuple(asked.stdout.readline().split())
    except OSError:
        return ()


def _ask(word: str) -> tuple[str, ...]:
    try:
        done = subprocess.run(  # noqa: S603 -- no shell, and the word stands behind the end of the options
            [_PROGRAM, "-q", "-v", "en-us", "--ipa=1", "--sep=_", "--", word],
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return from_ipa(done.stdout.decode(errors="replace"))


def from_ipa(text: str) -> tuple[str, ...]:
    """ARPAbet of espeak's IPA."""
    plain = text.replace("_", "").replace("\N{COMBINING VERTICAL LINE BELOW}", "").replace("\N{ZERO WIDTH JOINER}", "")
    sounds: list[str] = []
    at = 0
    while at < len(plain):
        for length in range(_LONGEST, 0, -1):
            if found := _SOUNDS.get(plain[at : at + length]):
                sounds += found.split()
                at += length
                break
        else:
            at += 1
    return tuple(sounds)


def main() -> None:
    """Answers until there is nobody who asks."""
    for line in sys.stdin:
        sys.stdout.write(" ".join(_ask(line.strip())) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
