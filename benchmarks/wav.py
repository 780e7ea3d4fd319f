"""Recordings: 16-bit PCM mono, noise instead of speech, no two alike."""

from __future__ import annotations

import os
import struct
from typing import Final

HEADER_BYTES: Final = 44
_NOISE_BYTES: Final = 1 << 20
_STAMP: Final = struct.Struct("<QQ")


class Recordings:
    """Makes recordings of `size` bytes; each begins with a number of its own, so their digests differ.

    `rate` is in Hz: higher ones let a large file be a short recording.
    """

    def __init__(self, size: int, *, rate: int = 48_000) -> None:
        self.size = size
        samples = (size - HEADER_BYTES) // 2 * 2
        self._header = wav_header(samples, rate)
        noise = os.urandom(min(samples, _NOISE_BYTES))
        self._noise = (noise * (samples // len(noise) + 1))[: samples - _STAMP.size]
        self._salt = int.from_bytes(os.urandom(8), "little")
        self._made = 0

    def parts(self) -> tuple[bytes, bytes, bytes]:
        """A new recording in three pieces, of which only the middle one is new: nothing large is copied."""
        self._made += 1
        return self._header, _STAMP.pack(self._salt, self._made), self._noise

    def whole(self) -> bytes:
        """A new recording."""
        return b"".join(self.parts())


def wav_header(data_bytes: int, rate: int) -> bytes:
    """RIFF, fmt and data chunk headers for that many bytes of 16-bit mono samples."""
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return (
        struct.pack("<4sI4s", b"RIFF", HEADER_BYTES - 8 + data_bytes, b"WAVE")
        + fmt
        + struct.pack("<4sI", b"data", data_bytes)
    )
