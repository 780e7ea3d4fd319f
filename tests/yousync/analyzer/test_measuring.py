"""The measuring hears what was said and what was not; nothing in its result is a constant."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.audio_samples import tone
from yousync.analyzer.measuring import UnusableError, measure
from yousync.analyzer.voice import RATE, listen
from yousync.analyzer.words import Line, Word, windows
from yousync.audio import decode
from yousync.demo import CATALOGUE, RECORDINGS

TOKENS: list[dict[str, Any]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))["tokens"]
LINES = [(token["token_name"], index) for token in TOKENS for index in range(len(token["scripts"]))]
Samples = NDArray[np.int16]


def script(name: tuple[str, int]) -> dict[str, Any]:
    token = next(token for token in TOKENS if token["token_name"] == name[0])
    found: dict[str, Any] = token["scripts"][name[1]]
    return found


def line(name: tuple[str, int]) -> Line:
    told = script(name)
    words = tuple(Word(word["word"], word["start_time"], word["end_time"]) for word in told["words"])
    return Line(words, told["start_time"])


def recording(name: tuple[str, int]) -> Samples:
    return np.frombuffer(decode(RECORDINGS[name].read_bytes(), max_seconds=20.0), dtype="<i2").copy()


def scores(samples: Samples, what: Line) -> list[float]:
    return [word["word_score"] for word in measure(samples.tobytes(), what)["word_analysis"]]


@pytest.mark.parametrize("name", LINES, ids=str)
def test_a_line_well_spoken_scores_well_word_by_word(name: tuple[str, int]) -> None:
    result = measure(recording(name).tobytes(), line(name))

    assert [word["word"] for word in result["word_analysis"]] == [word.text for word in line(name).words]
    assert all(word["word_score"] > 0.5 for word in result["word_analysis"])
    assert {word["text_status"] for word in result["word_analysis"]} == {"pass"}
    assert result["overall_score"] > 0.8
    assert result["summary"]["passed_words"] == result["summary"]["total_words"] == len(line(name).words)
    assert result["warnings"] == []
    assert abs(result["speech"]["start_offset"]) <= 0.04
    for word in result["word_analysis"]:
        assert word["mfcc_similarity"] is None
        assert "pronunciation_score" not in word
        assert word["timing_score"] > 0.5


@pytest.mark.parametrize("name", LINES, ids=str)
def test_silencing_any_one_word_lowers_that_word_and_leaves_the_others(name: tuple[str, int]) -> None:
    told = script(name)
    whole = scores(recording(name), line(name))
    for index, word in enumerate(told["words"]):
        damaged = recording(name)
        first, after = (round((word[key] - told["start_time"]) * RATE) for key in ("start_time", "end_time"))
        damaged[first:after] = 0

        heard = scores(damaged, line(name))

        assert whole[index] - heard[index] > 0.4, word["word"]
        elsewhere = [
            abs(old - new) for at, (old, new) in enumerate(zip(whole, heard, strict=True)) if abs(at - index) > 1
        ]
        assert max(elsewhere, default=0.0) < 0.2, word["word"]


def test_the_same_recording_gives_the_same_result() -> None:
    pcm = recording(LINES[0]).tobytes()

    assert json.dumps(measure(pcm, line(LINES[0]))) == json.dumps(measure(pcm, line(LINES[0])))


@pytest.mark.parametrize("gain", [0.02, 0.1, 1.0])
def test_a_quiet_recording_is_no_worse(gain: float) -> None:
    samples = (recording(LINES[0]) * gain).astype(np.int16)

    assert min(scores(samples, line(LINES[0]))) > 0.5


def test_noise_is_warned_of_and_not_taken_for_speech() -> None:
    noise = np.random.default_rng(1).normal(0, 1, len(recording(LINES[0])))
    samples = recording(LINES[0])
    power = np.sqrt(np.mean(samples.astype(float) ** 2))
    loud = np.clip(samples + noise * power / 2, -32768, 32767).astype(np.int16)

    assert "low_snr" in measure(loud.tobytes(), line(LINES[0]))["warnings"]
    with pytest.raises(UnusableError, match="voice"):
        measure((noise * 3000).astype(np.int16).tobytes(), line(LINES[0]))


def test_clipping_is_warned_of() -> None:
    samples = np.clip(recording(LINES[0]).astype(float) * 20, -32768, 32767).astype(np.int16)

    assert "clipping" in measure(samples.tobytes(), line(LINES[0]))["warnings"]


@pytest.mark.parametrize("samples", [np.zeros(RATE * 2, np.int16), np.zeros(1, np.int16), np.full(RATE, 900, np.int16)])
def test_silence_is_no_speech(samples: Samples) -> None:
    with pytest.raises(UnusableError) as caught:
        measure(samples.tobytes(), line(LINES[0]))
    assert caught.value.code == "no_speech"


@pytest.mark.parametrize("late", [0.3, 0.8])
def test_a_late_start_is_followed_and_said(late: float) -> None:
    samples = np.concatenate([np.zeros(round(late * RATE), np.int16), recording(LINES[0])])

    result = measure(samples.tobytes(), line(LINES[0]))

    assert result["speech"]["start_offset"] == pytest.approx(late, abs=0.06)
    assert min(word["word_score"] for word in result["word_analysis"]) > 0.4
    assert max(word["timing_score"] for word in result["word_analysis"]) < (0.75 if late < 0.5 else 0.05)


def test_a_slower_reading_is_followed_and_said() -> None:
    samples = recording(LINES[3])
    at = np.arange(0, len(samples) - 1, 1 / 1.2)
    slower = np.interp(at, np.arange(len(samples)), samples).astype(np.int16)

    result = measure(slower.tobytes(), line(LINES[3]))

    assert result["speech"]["tempo_ratio"] == pytest.approx(1.2, abs=0.08)
    assert min(word["word_score"] for word in result["word_analysis"]) > 0.4


def test_half_the_line_scores_half() -> None:
    told = script(LINES[0])
    samples = recording(LINES[0])
    samples[round((told["words"][3]["start_time"] - told["start_time"]) * RATE) :] = 0

    heard = scores(samples, line(LINES[0]))

    assert min(heard[:3]) > 0.5
    assert max(heard[4:]) < 0.2


def test_words_without_times_still_all_come_back_in_order() -> None:
    told = line(LINES[1])
    blind = Line(tuple(Word(word.text, None, None) for word in told.words))
    half = Line(tuple(word if index % 2 else Word(word.text, None, None) for index, word in enumerate(told.words)))
    for what in (blind, half):
        result = measure(recording(LINES[1]).tobytes(), what)
        assert [word["word"] for word in result["word_analysis"]] == [word.text for word in told.words]
        assert result["overall_score"] > 0.4
    assert "timing_score" not in measure(recording(LINES[1]).tobytes(), blind)["word_analysis"][0]


def test_without_words_speech_and_pitch_are_measured_all_the_same() -> None:
    result = measure(recording(LINES[0]).tobytes(), Line())

    assert result["word_analysis"] == []
    assert result["overall_score"] is None
    assert result["speech"]["speech_seconds"] > 1.0


def test_windows_never_run_backwards() -> None:
    words = [Word("a", 5.0, 5.5), Word("b", 4.0, 4.2), Word("c", None, None), Word("", 6.0, 5.0), Word("e", 7.0, 7.5)]

    laid = windows(words)

    assert [window.told for window in laid] == [True, True, False, False, True]
    assert all(window.start < window.end for window in laid)
    assert all(after.start >= before.end for before, after in pairwise(laid))


@pytest.mark.parametrize("hz", [80.0, 120.0, 210.0, 400.0])
def test_pitch_is_what_was_played(hz: float) -> None:
    voice = listen(tone(1.0, rate=RATE, hz=hz).tobytes())
    found = voice.hz[~np.isnan(voice.hz)]

    assert len(found) > 60
    assert np.median(found) == pytest.approx(hz, rel=0.01)


def test_pauses_are_found() -> None:
    gap = np.zeros(RATE // 2, np.int16)
    samples = np.concatenate([gap, tone(0.6, rate=RATE), gap, tone(0.6, rate=RATE), gap])

    speech = measure(samples.tobytes(), Line())["speech"]

    assert len(speech["pauses"]) == 1
    assert speech["pauses"][0]["start_time"] == pytest.approx(1.1, abs=0.05)
    assert speech["pauses"][0]["end_time"] == pytest.approx(1.6, abs=0.05)
    assert speech["onset"] == pytest.approx(0.5, abs=0.05)
