"""How words are read."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from yousync.analyzer.speech import espeak
from yousync.analyzer.speech.lexicon import Lexicon, parts
from yousync.analyzer.speech.model import folder, load
from yousync.analyzer.speech.rules import digits_spelled, spelled


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon(folder() / "cmudict-en-us.dict")


@pytest.mark.parametrize(
    ("word", "way"),
    [
        ("again,", "AH G EH N"),
        ("“Don’t!”", "D OW N T"),
        ("Café", "K AH F EY"),
        ("twenty-one", "T W EH N T IY W AH N"),
        ("1999", "N AY N T IY N N AY N T IY N AY N"),
        ("lighthouse's", "L AY T HH AW S IH Z"),
        ("trains'", "T R EY N Z"),
    ],
)
def test_words_as_scripts_write_them(lexicon: Lexicon, word: str, way: str) -> None:
    found = lexicon.pronounce(word)
    assert found.source == "dictionary"
    assert tuple(way.split()) in found.ways


def test_words_that_are_said_in_more_than_one_way(lexicon: Lexicon) -> None:
    assert {("R", "EH", "D"), ("R", "IY", "D")} <= set(lexicon.pronounce("read").ways)


@pytest.mark.parametrize("word", ["-", "…", "", "안녕"])
def test_what_is_no_english_word_has_no_way(lexicon: Lexicon, word: str) -> None:
    assert lexicon.pronounce(word).ways == ()


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("make", "M EY K"),
        ("phishing", "F IH SH IH NG"),
        ("knight", "N AY T"),
        ("zorbing", "Z AO R B IH NG"),
        ("btw", "B IY T IY D AH B AH L Y UW"),
    ],
)
def test_rules_read_what_no_dictionary_has(word: str, sounds: str) -> None:
    assert len(spelled(word)) == len(sounds.split())
    assert sum(one != other for one, other in zip(spelled(word), sounds.split(), strict=True)) <= 1


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12))
def test_rules_read_anything_with_sounds_the_model_has(word: str) -> None:
    sounds = spelled(word)
    assert sounds
    assert set(sounds) <= set(load().phones)


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "zero"),
        ("007", "zero zero seven"),
        ("42", "forty two"),
        ("1905", "nineteen oh five"),
        ("2026", "two thousand twenty six"),
        ("1000000", "one million"),
    ],
)
def test_numbers(digits: str, words: str) -> None:
    assert digits_spelled(digits) == words


@given(st.text(max_size=20))
def test_any_text_falls_into_words_or_nothing(text: str) -> None:
    assert all(part.strip("'").isascii() and part for part in parts(text))


def test_espeaks_ipa_is_understood() -> None:
    assert espeak.from_ipa("j_ˈuː_s_ɪ_ŋ_k") == ("Y", "UW", "S", "IH", "NG", "K")
    assert espeak.from_ipa("tʃ_ˈɜː_tʃ_ɪ_l") == ("CH", "ER", "CH", "IH", "L")


def test_espeak_is_asked_where_it_is_installed(tmp_path: Path) -> None:
    """A program of that name stands in for it, and the process that asks can open nothing any more."""
    program = tmp_path / "espeak-ng"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nprint('j_ˈuː_z' if sys.argv[-1] == 'yoozh' else '')\n", "utf-8"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    asked = (
        "import resource; from yousync.analyzer.speech.lexicon import Lexicon;"
        "from yousync.analyzer.speech.model import folder;"
        "lexicon = Lexicon(folder() / 'cmudict-en-us.dict'); resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3));"
        "print(lexicon.pronounce('yoozh'), lexicon.pronounce('xyzzyx'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert "('Y', 'UW', 'Z')" in done.stdout
    assert "espeak" in done.stdout
    assert "rules" in done.stdout  # where espeak has no answer
