"""What is to be mixed, and its form on the way to the process that does it."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Self

MAX_SECONDS = 300.0
"""The longest clip that is mixed; what it takes of memory follows from it."""

_SIZE = struct.Struct("!I")


class Part(StrEnum):
    """Whose sound it is."""

    BACKGROUND = "background"
    VOCAL = "vocal"
    TAKE = "take"


@dataclass(frozen=True, slots=True)
class Take:
    """One recording and where it belongs: `start_s` to `end_s`, in seconds from the clip's beginning."""

    audio: bytes
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A mix of `seconds`: the background, the original voice where there is one, and the learner's takes.

    Sounds are files in any format that uploads may have.
    """

    background: bytes
    vocal: bytes | None
    takes: tuple[Take, ...]
    seconds: float

    def windows(self) -> list[tuple[Take, float, float]]:
        """Each take with the span it may sound in: its own, cut where the next one begins and at the clip's end."""
        ordered = sorted(self.takes, key=lambda take: take.start_s)
        nexts = [later.start_s for _, later in pairwise(ordered)]
        return [
            (take, take.start_s, min(take.end_s, following, self.seconds))
            for take, following in zip(ordered, [*nexts, self.seconds], strict=True)
        ]

    def to_parts(self) -> list[bytes]:
        """Its form in a pipe, in pieces: what is large is not copied."""
        sounds = [self.background, self.vocal or b"", *(take.audio for take in self.takes)]
        head = json.dumps(
            {
                "seconds": self.seconds,
                "spans": [(take.start_s, take.end_s) for take in self.takes],
                "sizes": [len(sound) for sound in sounds],
            }
        ).encode()
        return [_SIZE.pack(len(head)), head, *sounds]

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_parts` made, put together."""
        (size,) = _SIZE.unpack_from(data)
        at = _SIZE.size + size
        head = json.loads(data[_SIZE.size : at])
        sounds = []
        for length in head["sizes"]:
            sounds.append(data[at : at + length])
            at += length
        background, vocal, *takes = sounds
        spans = zip(takes, head["spans"], strict=True)
        return cls(background, vocal or None, tuple(Take(audio, *span) for audio, span in spans), head["seconds"])
