"""How long a WAV file lasts, by a walk over its RIFF chunks; no sample is touched."""

from __future__ import annotations

import struct

from yousync.audio.refusals import CodecNotAllowed, OddParameters, UnrecognisedFormat
from yousync.errors import EmptyAudio

_MAX_CHUNKS = 256  # real files have a handful; a file of a million empty chunks must not cost a second
_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 0x0001, 0x0003, 0x0006, 0x0007, 0xFFFE
_WIDTHS: dict[int, frozenset[int]] = {
    _PCM: frozenset({8, 16, 24, 32}),
    _FLOAT: frozenset({32, 64}),
    _A_LAW: frozenset({8}),
    _MU_LAW: frozenset({8}),
}
_STREAMED = frozenset({0, 0xFFFFFFFF})
MAX_CHANNELS = 8
MIN_RATE, MAX_RATE = 4_000, 384_000


def wav_seconds(data: bytes) -> float:
    """The length in seconds of the samples that are really there; see `wav_lengths`."""
    return wav_lengths(data)[0]


def wav_lengths(data: bytes) -> tuple[float, float]:
    """The length in seconds of the samples that are really there, and of those that the header promises.

    Sizes in the header are believed only as far as there are bytes: recorders that stream leave 0 or 4 GB there,
    and promise nothing. Raises a refusal for anything but PCM, float, A-law or mu-law with sane channels and rates,
    and EmptyAudio when the file holds no sample (Microsoft/IBM, Multimedia Programming Interface 1.0, chapter 3).
    """
    frame_bytes, rate = 0, 0
    streamed = struct.unpack_from("<I", data, 4)[0] in _STREAMED if len(data) >= 8 else False
    offset = 12
    for _ in range(_MAX_CHUNKS):
        if offset + 8 > len(data):
            break
        name, size = struct.unpack_from("<4sI", data, offset)
        body = offset + 8
        left = len(data) - body
        if name == b"fmt ":
            frame_bytes, rate = _format(data[body : body + min(size, 64)])
        elif name == b"data":
            if not frame_bytes:
                raise UnrecognisedFormat
            open_ended = size == 0xFFFFFFFF or (size == 0 and streamed)
            there = left if open_ended else min(size, left)
            if there < frame_bytes:
                raise EmptyAudio
            return there // frame_bytes / rate, (there if open_ended else size) // frame_bytes / rate
        offset = body + size + (size & 1)
    if frame_bytes:
        raise EmptyAudio
    raise UnrecognisedFormat


def _format(chunk: bytes) -> tuple[int, int]:
    """Bytes of one sample of all channels, and the rate in Hz."""
    if len(chunk) < 16:
        raise UnrecognisedFormat
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE:
        if len(chunk) < 40:
            raise UnrecognisedFormat
        tag = struct.unpack_from("<H", chunk, 24)[0]  # the sub-format's GUID begins with the old tag
    if tag not in _WIDTHS:
        raise CodecNotAllowed
    if bits not in _WIDTHS[tag] or not 1 <= channels <= MAX_CHANNELS or not MIN_RATE <= rate <= MAX_RATE:
        raise OddParameters
    return channels * bits // 8, rate
