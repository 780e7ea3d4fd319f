"""The demo catalogue keeps the promises that clients rely on, and its recordings say what it says they say."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from yousync.audio import decode, sniff
from yousync.demo import CATALOGUE, DEMO_SENTENCE, PITCH, RECORDINGS, TAKES
from yousync.demo.stems import scenes, stems

TOKENS: list[dict[str, Any]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))["tokens"]


def letters(text: str) -> str:
    """As the web frontend compares sentences."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def test_every_line_has_a_recording_of_its_length() -> None:
    lines = {(token["token_name"], index): line for token in TOKENS for index, line in enumerate(token["scripts"])}

    assert lines.keys() == RECORDINGS.keys()
    assert DEMO_SENTENCE in lines
    for name, line in lines.items():
        recording = RECORDINGS[name].read_bytes()
        assert len(recording) < 200_000
        assert sniff(recording) == RECORDINGS[name].suffix[1:]
        seconds = len(decode(recording, max_seconds=10.0)) / 32000
        assert seconds == pytest.approx(line["end_time"] - line["start_time"], abs=0.03)


def test_the_words_of_a_line_spell_it_and_follow_each_other() -> None:
    for token in TOKENS:
        for line in token["scripts"]:
            assert letters("".join(word["word"] for word in line["words"])) == letters(line["script"])
            times = [time for word in line["words"] for time in (word["start_time"], word["end_time"])]
            assert times == sorted(times)
            assert line["start_time"] <= times[0]
            assert times[-1] <= line["end_time"]


def test_lines_lie_in_their_token_and_no_two_spell_the_same() -> None:
    spelt = [letters(line["script"]) for token in TOKENS for line in token["scripts"]]

    assert len(set(spelt)) == len(spelt)
    for token in TOKENS:
        times = [time for line in token["scripts"] for time in (line["start_time"], line["end_time"])]
        assert token["start_time"] <= times[0]
        assert times == sorted(times)
        assert times[-1] <= token["end_time"]
        assert 2 <= len(token["scripts"]) <= 4
        assert re.fullmatch(r"https://www\.youtube\.com/watch\?v=[\w-]{11}", token["youtube_url"])


def test_actors_are_listed() -> None:
    actors = json.loads(CATALOGUE.read_text(encoding="utf-8"))["actors"]

    assert {token["actor_name"] for token in TOKENS} == {actor["name"] for actor in actors}
    assert {token["category"] for token in TOKENS} <= {"로맨스", "액션", "애니메이션", "코미디", "판타지", "드라마"}


def test_takes_are_recordings_small_enough_to_bundle() -> None:
    assert TAKES.keys() == {"good", "bad"}
    for take in TAKES.values():
        recording = take.read_bytes()
        assert len(recording) < 20_000
        assert 1.5 < len(decode(recording, max_seconds=10.0)) / 32000 < 4.0


def test_each_tokens_pitch_is_bundled_and_lies_within_its_lines() -> None:
    assert {token["s3_pitch_url"] for token in TOKENS} == PITCH.keys()
    for token in TOKENS:
        values = json.loads(PITCH[token["s3_pitch_url"]].read_text(encoding="utf-8"))
        times = [value["time"] for value in values]
        voiced = [value["hz"] for value in values if value["hz"] is not None]
        assert times == sorted(times)
        assert token["start_time"] <= times[0]
        assert times[-1] <= token["end_time"]
        assert len(voiced) > len(values) / 3
        assert all(60 < hz < 350 for hz in voiced)


def test_dubbings_of_the_demo_have_stems_of_its_scenes_length() -> None:
    for scene in scenes():
        background, vocal = stems(scene).items()
        assert [key.rsplit("/", 1)[1] for key, _ in (background, vocal)] == ["bgvoice.wav", "vocal.wav"]
        seconds = scene["end_time"] - scene["start_time"]
        heard = [np.frombuffer(decode(sound, max_seconds=60.0), dtype="<i2") for _, sound in (background, vocal)]
        assert [len(sound) / 16000 for sound in heard] == pytest.approx([seconds, seconds], abs=0.01)
        for line in scene["scripts"]:
            start, end = (round((line[name] - scene["start_time"]) * 16000) for name in ("start_time", "end_time"))
            assert np.abs(heard[1][start:end]).max() > 2000, "the line is heard where it is spoken"
            assert np.abs(heard[1][end + 800 : end + 4000]).max() < 100, "and nothing after it"
