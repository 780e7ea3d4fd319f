"""Files that are no recording, or pretend to be one: each is refused for its own reason, and quickly."""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson
import pytest

from tests import audio_samples as samples
from yousync.analyzer.pronunciation import Pronouncer
from yousync.analyzer.words import Line, Word
from yousync.analyzer.worker import answer, question
from yousync.demo import DEMO_SENTENCE, RECORDINGS

SAID = Line(tuple(Word(word, None, None) for word in ["I", "was", "waiting", "for", "you", "by", "the", "river"]))
LINE = Line((Word("hello", None, None),))
REASONS: dict[str, str] = {
    "video without sound": "no_audio_stream",
    "a codec nobody records with": "codec_not_allowed",
    "mp3 in matroska": "codec_not_allowed",
    "65535 channels": "odd_parameters",
    "no channels": "odd_parameters",
    "1 Hz": "odd_parameters",
    "2^31 Hz": "odd_parameters",
    "7 bits": "odd_parameters",
}
"""The others are of no format that we read."""

FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{name: (REASONS.get(name, "unrecognised_format"), make) for name, make in samples.NOT_AUDIO.items()},
    **{name: ("too_short", make) for name, make in samples.EMPTY.items()},
    "a tenth of a second": ("too_short", lambda: samples.wav(0.1)),
    "ten seconds too many": ("too_long", lambda: samples.wav(15.0, rate=8000)),
    "an hour of silence in a few hundred kB": ("too_long", lambda: samples.flac_bomb(1.0)),
    "digital silence": ("no_speech", lambda: samples.wav(samples=samples.tone(1.0) * 0)),
}


@pytest.fixture(scope="module")
def pronouncer() -> Pronouncer:
    return Pronouncer()


@pytest.mark.parametrize("name", FILES)
def test_each_is_refused_with_its_own_code(pronouncer: Pronouncer, name: str) -> None:
    code, make = FILES[name]
    data = make()
    started = time.process_time()

    found = orjson.loads(answer(question(data, LINE, None), pronouncer, 5.0))

    assert found["error"]["code"] == code
    assert found["error"]["message"].isascii()
    assert time.process_time() - started < 2.0


def test_a_file_cut_on_its_way_is_told_by_what_it_promised(pronouncer: Pronouncer) -> None:
    whole = RECORDINGS[DEMO_SENTENCE].read_bytes()
    for data, cut in ((whole, False), (whole[: len(whole) * 2 // 3], True)):
        found = orjson.loads(answer(question(data, SAID, None), pronouncer, 5.0))
        assert ("truncated_file" in found["result"]["warnings"]) is cut
