"""Recordings that the service takes for what they are, no two alike."""

from __future__ import annotations

import io
import wave

import pytest

from benchmarks.wav import Recordings
from yousync.audio import Prober


@pytest.mark.parametrize(("size", "rate"), [(160_000, 48_000), (15 * 2**20, 192_000)])
async def test_recordings_are_wav_of_the_size_asked_for(size: int, rate: int) -> None:
    recording = Recordings(size, rate=rate).whole()
    assert len(recording) == size
    with wave.open(io.BytesIO(recording)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate)
        seconds = file.getnframes() / rate
    async with Prober.open(max_seconds=60) as prober:
        probe = await prober.probe(recording)
    assert probe.container == "wav"
    assert probe.duration_s == pytest.approx(seconds)


def test_no_two_recordings_are_alike() -> None:
    recordings, others = Recordings(1_000), Recordings(1_000)
    assert len({recordings.whole() for _ in range(100)} | {others.whole() for _ in range(100)}) == 200
