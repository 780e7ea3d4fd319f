"""The table of words: each fault beside its word, each melody beside the actor's."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from yousync.cli.show import show_scores

WORDS: list[dict[str, Any]] = [
    {"word": "say", "word_score": 0.9, "mfcc_similarity": 0.8, "text_status": "pass", "error_type": "None"},
    {"word": "it", "word_score": 0.0, "mfcc_similarity": 0.0, "text_status": "fail", "error_type": "Omission"},
]


def shown(words: list[dict[str, Any]], **whole: Any) -> list[str]:
    console = Console(width=100, record=True)
    with console.capture() as text:
        show_scores({"result": {"result": {"word_analysis": words, **whole}}}, console)
    return [line.rstrip() for line in text.get().splitlines()]


def test_a_fault_stands_beside_its_word() -> None:
    _, say, it, whole = shown(WORDS, overall_score=0.45, fluency_score=0.5, timing_score=None)[:4]

    assert "0.90" in say
    assert "Omission" not in say
    assert "Omission" in it
    assert whole == "overall 0.45  fluency 0.50"


def test_melodies_are_drawn_on_one_scale_and_gaps_stay_empty() -> None:
    sung = [WORDS[0] | {"pitch_st": [-3, None, 3], "reference_pitch_st": [0, 1.5, None]}]

    title, say, *_ = shown(sung)

    assert "actor's" in title
    assert "▁ █" in say
    assert say.count("▅") == 1 or say.count("▄") == 1


def test_results_of_other_servers_are_shown_as_far_as_they_go() -> None:
    assert any("fail" in line for line in shown([{"word": "x", "text_status": "fail"}]))
    assert shown([], warnings=["low_snr"])[-1] == "warnings low_snr"
