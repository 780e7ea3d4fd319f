"""Takes that are not what they should be: a low score, or a failure with its reason, never a confident figure."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from yousync.analyzer.pitch import RATE
from yousync.analyzer.pronunciation import NoSpeech, Pronouncer, SpeechError
from yousync.analyzer.reference import Reference, read_pitch
from yousync.analyzer.results import analyze
from yousync.analyzer.words import Line, Word
from yousync.audio import decode
from yousync.demo import CATALOGUE, DEMO_SENTENCE, PITCH, RECORDINGS, TAKES

Sound = NDArray[np.float32]
TOKEN: dict[str, Any] = json.loads(CATALOGUE.read_text(encoding="utf-8"))["tokens"][0]
SCRIPT: dict[str, Any] = TOKEN["scripts"][DEMO_SENTENCE[1]]
LINE = Line(
    tuple(Word(word["word"], word["start_time"], word["end_time"]) for word in SCRIPT["words"]), SCRIPT["start_time"]
)
ACTOR = Reference.of_script(LINE, read_pitch(PITCH[TOKEN["s3_pitch_url"]].read_bytes()))
TIME = np.arange(2 * RATE) / RATE
RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def pronouncer() -> Pronouncer:
    return Pronouncer()


def sound(recording: bytes) -> Sound:
    return np.frombuffer(decode(recording, max_seconds=20.0), "<i2").astype(np.float32) / np.float32(32768)


def said(number: int = DEMO_SENTENCE[1], name: str = DEMO_SENTENCE[0]) -> Sound:
    return sound(RECORDINGS[name, number].read_bytes())


def scored(pronouncer: Pronouncer, samples: Any, reference: Reference | None = ACTOR) -> dict[str, Any]:
    return analyze(pronouncer, np.asarray(samples, np.float32), LINE, reference)


def errors(result: dict[str, Any]) -> list[str]:
    return [word["error_type"] for word in result["word_analysis"]]


@pytest.fixture(scope="module")
def good(pronouncer: Pronouncer) -> dict[str, Any]:
    return scored(pronouncer, sound(TAKES["good"].read_bytes()))


@pytest.fixture(scope="module")
def own(pronouncer: Pronouncer) -> dict[str, Any]:
    """The actor against herself."""
    return scored(pronouncer, said())


def test_the_bundled_good_take_is_good_in_every_way(good: dict[str, Any]) -> None:
    result = good

    assert result["overall_score"] > 0.8
    assert set(errors(result)) == {"None"}
    assert min(word["word_score"] for word in result["word_analysis"]) > 0.8
    assert result["intonation_score"] > 0.85
    assert result["timing_score"] > 0.7
    assert result["timing"]["tempo_ratio"] > 1.03, "it was made slower than the actor speaks"
    assert result["warnings"] == []
    assert result["insertions"] == []


def test_the_bundled_bad_take_is_lower_and_its_faults_are_in_their_places(
    pronouncer: Pronouncer, good: dict[str, Any]
) -> None:
    bad = scored(pronouncer, sound(TAKES["bad"].read_bytes()))

    assert bad["overall_score"] < good["overall_score"] - 0.25
    assert errors(bad) == ["None"] * 4 + ["Omission", "None", "None", "Mispronunciation"]
    omitted, wrong = bad["word_analysis"][4], bad["word_analysis"][7]
    assert (omitted["word"], wrong["word"]) == ("you", "river")
    assert (omitted["start_time"], omitted["phones"], omitted["mfcc_similarity"]) == (None, [], 0.0)
    assert wrong["word_score"] < 0.6 < min(bad["word_analysis"][at]["word_score"] for at in (0, 1, 2, 3, 5, 6))
    assert bad["summary"]["passed_words"] == 6
    assert bad["failure_analysis"]["stt_failures"] == ["you", "river"]
    assert bad["completeness_score"] == pytest.approx(7 / 8)
    assert bad["intonation_score"] < good["intonation_score"]


def test_speech_that_is_not_in_the_script_is_an_insertion_where_it_was_said(pronouncer: Pronouncer) -> None:
    words = (*LINE.words[:2], *LINE.words[3:])  # "waiting" is said all the same

    inserted = analyze(pronouncer, said(), Line(words), None)["insertions"]

    middle = (SCRIPT["words"][2]["start_time"] + SCRIPT["words"][2]["end_time"]) / 2 - SCRIPT["start_time"]
    assert [each["error_type"] for each in inserted] == ["Insertion"]
    assert inserted[0]["start_time"] < middle < inserted[0]["end_time"]


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(2 * RATE),
        np.full(2 * RATE, 0.03),
        RNG.normal(0, 0.1, 2 * RATE),
        np.cumsum(RNG.normal(0, 0.01, 2 * RATE)) * 0.1,
        0.3 * np.sin(2 * np.pi * 50 * TIME),
        np.concatenate([np.zeros(RATE), [0.9], np.zeros(RATE)]),
    ],
    ids=["silence", "offset", "white noise", "brown noise", "hum", "click"],
)
def test_without_a_voice_there_is_no_score(pronouncer: Pronouncer, samples: Sound) -> None:
    with pytest.raises(NoSpeech):
        scored(pronouncer, samples)


@pytest.mark.parametrize(
    "samples",
    [
        0.1 * sum(np.sin(2 * np.pi * hz * TIME) for hz in (220, 277, 330, 440)),
        0.2 * np.sign(np.sin(2 * np.pi * np.cumsum(np.repeat([262, 294, 330, 349, 392, 440, 494, 523], 4000)) / RATE)),
    ],
    ids=["chord", "melody"],
)
def test_music_is_no_speech_or_next_to_nothing(pronouncer: Pronouncer, samples: Sound) -> None:
    result: dict[str, Any] = {"overall_score": 0.0}
    with contextlib.suppress(NoSpeech):
        result = scored(pronouncer, samples)
    assert result["overall_score"] < 0.1


@pytest.mark.parametrize(
    "other", [(2, "Last Train Home"), (0, "The Harbor Job"), (0, "The Little Lighthouse")], ids=str
)
def test_another_sentence_is_known_as_one(pronouncer: Pronouncer, other: tuple[int, str]) -> None:
    result = scored(pronouncer, said(*other))

    assert result["overall_score"] < 0.3
    assert "content_mismatch" in result["warnings"]
    assert result["intonation_score"] < 0.3, "another sentence may rise and fall alike"
    assert [word["word"] for word in result["word_analysis"]] == [word.text for word in LINE.words]


def test_half_the_sentence_lacks_the_other_half(pronouncer: Pronouncer) -> None:
    middle = round((SCRIPT["words"][4]["start_time"] - SCRIPT["start_time"]) * RATE)

    result = scored(pronouncer, said()[:middle])

    assert errors(result) == ["None"] * 4 + ["Omission"] * 4
    assert result["completeness_score"] == 0.5
    assert result["overall_score"] < 0.5


def test_clipping_and_noise_are_warned_of(pronouncer: Pronouncer) -> None:
    clipped = scored(pronouncer, np.clip(said() * 30, -1, 1))
    noisy = scored(pronouncer, said() + np.random.default_rng(2).normal(0, np.std(said()) * 0.6, len(said())))

    assert "clipping" in clipped["warnings"]
    assert clipped["energy"]["clipped"] > 0.3
    assert "low_snr" in noisy["warnings"]
    for result in (clipped, noisy):
        assert result["overall_score"] < 0.85


def test_a_quiet_take_is_no_worse(pronouncer: Pronouncer) -> None:
    assert scored(pronouncer, said() * 0.02)["overall_score"] > 0.8


def test_a_recording_too_short_for_its_words_is_said(pronouncer: Pronouncer) -> None:
    with pytest.raises(SpeechError) as caught:
        scored(pronouncer, said()[: RATE // 5])
    assert caught.value.code in {"alignment_failed", "no_speech"}


def test_the_same_take_gives_the_same_json_and_nothing_of_another_take(
    pronouncer: Pronouncer, own: dict[str, Any], good: dict[str, Any]
) -> None:
    assert json.dumps(scored(pronouncer, said()), allow_nan=False) == json.dumps(own, allow_nan=False)
    assert own["word_analysis"] != good["word_analysis"]


def test_without_a_reference_nothing_is_made_up(pronouncer: Pronouncer) -> None:
    result = scored(pronouncer, said(), None)

    assert (result["intonation_score"], result["timing_score"], result["intonation"], result["timing"]) == (None,) * 4
    assert {word["mfcc_similarity"] for word in result["word_analysis"]} == {None}
    assert all("timing_score" not in word for word in result["word_analysis"])
    assert result["summary"]["mfcc_average"] is result["summary"]["time_accuracy"] is None
    assert "no_reference_pitch" in result["warnings"]
    assert result["overall_score"] > 0.8


def test_what_nobody_can_say_comes_back_in_its_place(pronouncer: Pronouncer) -> None:
    words = (LINE.words[0], Word("—", None, None), *LINE.words[1:], Word("", None, None))

    result = analyze(pronouncer, said(), Line(words), None)

    assert [word["word"] for word in result["word_analysis"]] == [word.text for word in words]
    scores = [word["word_score"] for word in result["word_analysis"]]
    assert (scores[1], scores[-1]) == (scores[0], scores[-2])


def test_figures_of_the_voice_are_measured(pronouncer: Pronouncer, own: dict[str, Any]) -> None:
    low, high = scored(pronouncer, sound(TAKES["bad"].read_bytes())), own

    assert low["speech"]["pitch_median_hz"] > high["speech"]["pitch_median_hz"] + 5
    assert low["speech"]["pitch_range_st"] < high["speech"]["pitch_range_st"]
    assert 1 < high["speech"]["pitch_range_st"] < 12
    assert high["speech"]["articulation_rate"] >= high["speech"]["speech_rate"] > 2
    assert high["energy"]["snr_db"] > 30
    assert -40 < high["energy"]["rms_dbfs"] < -5
    assert "emotion" not in json.dumps(high)
