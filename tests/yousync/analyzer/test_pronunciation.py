from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from yousync.analyzer.pronunciation import (
    AlignmentFailed,
    NoSpeech,
    Pronouncer,
    Pronunciation,
    SpokenWord,
    overall,
)
from yousync.audio import decode
from yousync.demo import RECORDINGS

RATE = 16_000
TOKEN = "Last Train Home"
LINE = "You missed the last train again."
OTHER = "The harbor is quiet tonight my friend."
Sound = NDArray[np.float32]


@pytest.fixture(scope="module")
def pronouncer() -> Pronouncer:
    return Pronouncer()


@pytest.fixture(scope="module")
def take() -> Sound:
    return recording(0)


@pytest.fixture(scope="module")
def told(pronouncer: Pronouncer, take: Sound) -> Pronunciation:
    return pronouncer.assess(take, LINE.split())


def recording(number: int) -> Sound:
    pcm = decode(RECORDINGS[TOKEN, number].read_bytes(), rate=RATE, max_seconds=30)
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def plain(told: Pronunciation) -> float:
    return overall(told, intonation=None, timing=None)


def span(word: SpokenWord) -> slice:
    assert word.start_time is not None
    assert word.end_time is not None
    return slice(round(word.start_time * RATE), round(word.end_time * RATE))


def test_a_good_take_scores_high_and_every_word_has_its_place(told: Pronunciation, take: Sound) -> None:
    assert plain(told) > 0.8
    assert [word.word for word in told.words] == LINE.split()
    assert {word.error_type for word in told.words} == {"None"}
    times = [time for word in told.words for time in (word.start_time, word.end_time)]
    assert times == sorted(time for time in times if time is not None)
    assert all(0 <= time <= len(take) / RATE for time in times if time is not None)
    assert [phone.phone for phone in told.words[1].phones] == ["M", "IH", "S", "T"]
    assert told.completeness == 1.0
    assert 2 < told.speech_rate <= told.articulation_rate < 8


def test_the_same_recording_is_told_the_same_way_twice(
    told: Pronunciation, pronouncer: Pronouncer, take: Sound
) -> None:
    pronouncer.assess(recording(1), OTHER.split())
    assert pronouncer.assess(take, LINE.split()) == told


@pytest.mark.parametrize("at", range(6))
def test_a_word_cut_out_is_an_omission(told: Pronunciation, pronouncer: Pronouncer, take: Sound, at: int) -> None:
    cut = np.delete(take, np.r_[span(told.words[at])])
    without = pronouncer.assess(cut, LINE.split())
    assert [word.word for word in without.words if word.error_type == "Omission"] == [LINE.split()[at]]
    assert without.words[at].start_time is None
    assert without.words[at].score < 0.6
    assert plain(without) < plain(told) - 0.1


@pytest.mark.parametrize(("word", "at"), [("must", 3), ("tray", 4), ("rest", 2)])
def test_a_word_nobody_said_is_told_from_neighbours_that_sound_like_it(
    pronouncer: Pronouncer, take: Sound, word: str, at: int
) -> None:
    words = LINE.split()
    heard = pronouncer.assess(take, [*words[:at], word, *words[at:]]).words
    assert [each.word for each in heard if each.error_type == "Omission"] == [word]
    assert {each.error_type for each in heard if each.word != word} == {"None"}


def test_two_words_exchanged_exchange_their_verdicts(told: Pronunciation, pronouncer: Pronouncer, take: Sound) -> None:
    first, second = span(told.words[1]), span(told.words[4])
    order = np.r_[0 : first.start, second, first.stop : second.start, first, second.stop : len(take)]
    swapped = pronouncer.assess(take[order], LINE.split())
    fallen = [before.score - after.score for before, after in zip(told.words, swapped.words, strict=True)]
    assert min(fallen[1], fallen[4]) > 0.3, fallen
    assert min(fallen[1], fallen[4]) > max(fallen[at] for at in (0, 2, 3, 5)), fallen
    assert "None" not in {swapped.words[1].error_type, swapped.words[4].error_type}


def test_another_word_in_the_text_is_not_what_was_said(pronouncer: Pronouncer, take: Sound) -> None:
    swapped = {
        word: pronouncer.assess(take, LINE.replace("last", word).split()).words for word in ("yellow", "dog", "harbor")
    }
    for word, words in swapped.items():
        assert words[3].error_type in {"Mispronunciation", "Omission"}
        assert min(words, key=lambda each: each.score).word == word
        assert {each.error_type for each in (*words[:3], *words[4:])} == {"None"}
    said_otherwise = [words[3] for words in swapped.values() if words[3].error_type == "Mispronunciation"]
    assert len(said_otherwise) > 1
    assert all(any(phone.sounds_like for phone in word.phones) for word in said_otherwise)


def test_speech_outside_the_script_is_told_apart(told: Pronunciation, pronouncer: Pronouncer, take: Sound) -> None:
    word = span(told.words[3])
    heard = pronouncer.assess(take, LINE.replace("last ", "").split())
    middle = (word.start + word.stop) / 2 / RATE
    assert any(start < middle < end for start, end in heard.inserted)
    assert told.inserted == ()


def test_another_sentence_scores_low(pronouncer: Pronouncer, take: Sound) -> None:
    assert plain(pronouncer.assess(take, OTHER.split())) < 0.2


def test_half_a_sentence_is_half_missing(pronouncer: Pronouncer, take: Sound, told: Pronunciation) -> None:
    half = pronouncer.assess(take[: span(told.words[2]).stop], LINE.split())
    assert {word.error_type for word in half.words[3:]} == {"Omission"}
    assert plain(half) < 0.5


@pytest.mark.parametrize("sound", ["noise", "hum", "chord"])
def test_what_is_no_speech_never_scores(pronouncer: Pronouncer, sound: str) -> None:
    time = np.arange(2 * RATE) / RATE
    sounds = {
        "noise": np.random.default_rng(1).normal(0, 0.1, len(time)),
        "hum": 0.3 * np.sin(2 * np.pi * 120 * time),
        "chord": sum(0.1 * np.sin(2 * np.pi * hertz * time) for hertz in (262, 330, 392, 523)),
    }
    assert plain(pronouncer.assess(np.asarray(sounds[sound], np.float32), LINE.split())) < 0.2


def test_silence_is_nobody_speaking(pronouncer: Pronouncer) -> None:
    with pytest.raises(NoSpeech):
        pronouncer.assess(np.zeros(2 * RATE, np.float32), LINE.split())


def test_a_recording_too_short_for_its_script(pronouncer: Pronouncer, take: Sound) -> None:
    with pytest.raises(AlignmentFailed):
        pronouncer.assess(take[4000:8000], LINE.split())


@pytest.mark.parametrize("words", [[], ["-", "..."]])
def test_a_script_without_words(pronouncer: Pronouncer, take: Sound, words: list[str]) -> None:
    with pytest.raises(AlignmentFailed):
        pronouncer.assess(take, words)


def test_words_no_dictionary_knows_are_read_by_rules(pronouncer: Pronouncer, take: Sound) -> None:
    told = pronouncer.assess(take, LINE.replace("last train", "laste trayne").split())
    assert [word.source for word in told.words][3:5] == ["rules", "rules"]
    assert told.words[4].error_type == "None"


def test_parts_without_a_reference_are_left_out_of_the_whole(told: Pronunciation) -> None:
    sure = replace(told, total=0.8, completeness=1.0, match=1.0)
    assert overall(sure, intonation=None, timing=None) == pytest.approx(0.8)
    assert overall(sure, intonation=0.0, timing=None) == pytest.approx(0.8 * 0.75 / 0.875)
    assert overall(replace(sure, completeness=0.5), intonation=None, timing=None) == pytest.approx(0.4)
