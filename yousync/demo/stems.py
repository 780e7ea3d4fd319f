"""The sounds under the demo's scenes: a background made here, and the bundled recordings as the original voice.

They lie in S3 where dubbings look for them, so that a stack with the demo catalogue can make dubbings.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from yousync.demo import CATALOGUE, RECORDINGS
from yousync.mixing import Plan, Take
from yousync.mixing.laying import mix, wav

NAMES = ("bgvoice.wav", "vocal.wav")
_RATE = 22050
_CHORD_HZ = (110.0, 164.8, 220.0, 277.2)


def scenes() -> list[dict[str, Any]]:
    """The tokens of the demo catalogue."""
    tokens: list[dict[str, Any]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))["tokens"]
    return tokens


def folder(scene: dict[str, Any]) -> str:
    """Where a scene's stems lie."""
    return f"{scene['actor_name']}/{scene['youtube_url'].rpartition('v=')[2]}/0"


def background(seconds: float) -> bytes:
    """A soft chord that comes and goes over a little hiss, the same each time, as WAV."""
    time = np.arange(round(seconds * _RATE)) / _RATE
    sound = np.random.default_rng(7).normal(0, 0.004, len(time))
    for number, hz in enumerate(_CHORD_HZ, start=1):
        sound += 0.03 * np.sin(2 * np.pi * hz * time) * (1 + np.sin(2 * np.pi * 0.11 * number * time)) / 2
    return wav(sound.astype(np.float32)[:, None], _RATE)


def vocal(scene: dict[str, Any]) -> bytes:
    """The scene's lines as they are spoken in the video, as WAV."""
    begins = scene["start_time"]
    seconds = scene["end_time"] - begins
    silence = wav(np.zeros((round(seconds * _RATE), 1), dtype=np.float32), _RATE)
    takes = tuple(
        Take(
            RECORDINGS[scene["token_name"], number].read_bytes(), line["start_time"] - begins, line["end_time"] - begins
        )
        for number, line in enumerate(scene["scripts"])
    )
    return mix(Plan(silence, None, takes, seconds))


def stems(scene: dict[str, Any]) -> dict[str, bytes]:
    """What lies in S3 for a scene, by key."""
    at = folder(scene)
    sounds = (background(scene["end_time"] - scene["start_time"]), vocal(scene))
    return {f"{at}/{name}": sound for name, sound in zip(NAMES, sounds, strict=True)}
