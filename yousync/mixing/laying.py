"""The mix itself: background, the learner's takes at their sentences, the original voice in between."""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray

from yousync.errors import YouSyncError
from yousync.mixing.hearing import Sound, form, hear
from yousync.mixing.loudness import limited, loudness
from yousync.mixing.plan import Part, Plan

_FADE_IN_S, _FADE_OUT_S = 0.004, 0.02
_MOST_GAIN_DB = 15.0  # more would raise the noise of a room into a storm


class Unheard(Exception):
    """A sound of the plan cannot be read: which one, and the code that says why."""

    def __init__(self, part: Part, code: str) -> None:
        self.part, self.code = part, code
        super().__init__(f"{part}: {code}")


def mix(plan: Plan) -> bytes:
    """A 16-bit WAV of the plan's length; the same plan makes the same bytes.

    Its rate and channels are the background's as far as `hearing.form` keeps them. Raises Unheard.
    """
    try:
        rate, channels = form(plan.background)
    except YouSyncError as error:
        raise Unheard(Part.BACKGROUND, error.code) from error
    size = round(plan.seconds * rate)

    def heard(data: bytes, part: Part, seconds: float) -> Sound:
        try:
            return hear(data, rate=rate, channels=channels, seconds=seconds)
        except YouSyncError as error:
            raise Unheard(part, error.code) from error

    total = _sized(heard(plan.background, Part.BACKGROUND, plan.seconds), size)
    vocal = np.zeros_like(total)
    if plan.vocal is not None:
        vocal = _sized(heard(plan.vocal, Part.VOCAL, plan.seconds), size)
    original = np.ones(size, dtype=np.float32)  # how much of the original voice is heard
    for take, start_s, end_s in plan.windows():
        begin, end = round(start_s * rate), min(round(end_s * rate), size)
        if end <= max(begin, 0):
            continue
        sound = heard(take.audio, Part.TAKE, (end - begin) / rate)[max(-begin, 0) :]
        begin = max(begin, 0)
        span = slice(begin, begin + len(sound))
        shape = _shape(len(sound), rate)
        gain = _gain(sound, vocal[begin:end], rate)
        total[span] += sound * (shape * gain)[:, None]
        original[span] *= 1 - shape
    return wav(limited(total + vocal * original[:, None], rate), rate)


def _gain(take: Sound, original: Sound, rate: int) -> np.float32:
    """What makes a take as loud as the original voice of its sentence; 1 where either is silent."""
    own, wanted = loudness(take, rate), loudness(original, rate)
    if own is None or wanted is None:
        return np.float32(1)
    return np.float32(10 ** (np.clip(wanted - own, -_MOST_GAIN_DB, _MOST_GAIN_DB) / 20))


def _shape(size: int, rate: int) -> NDArray[np.float32]:
    """1 with short fades at both ends, of a take of `size` samples."""
    time = np.arange(size)
    rise = np.minimum(1, (time + 1) / (_FADE_IN_S * rate))
    fall = np.minimum(1, (size - time) / (_FADE_OUT_S * rate))
    return (rise * fall).astype(np.float32)


def _sized(sound: Sound, size: int) -> Sound:
    out = np.zeros((size, sound.shape[1]), dtype=np.float32)
    out[: len(sound)] = sound[:size]
    return out


def wav(sound: Sound, rate: int) -> bytes:
    """`sound`, within full scale, as a file of 16-bit PCM."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(sound.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    return out.getvalue()
