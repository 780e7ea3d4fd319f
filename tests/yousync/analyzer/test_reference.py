"""What actors did is read from pitch files and TextGrids; a broken one is refused, not guessed at."""

from __future__ import annotations

import json

import numpy as np
import orjson
import pytest

from yousync.analyzer.reference import Reference, UnusableReference, read_pitch
from yousync.analyzer.textgrid import read_textgrid
from yousync.analyzer.words import Line, Word

LONG = r"""File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 2.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2.5
            text = "AH0"
    item [2]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 2.5
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.4
            text = ""
        intervals [2]:
            xmin = 0.4
            xmax = 1.1
            text = "say"
        intervals [3]:
            xmin = 1.1
            xmax = 1.25
            text = "42"
        intervals [4]:
            xmin = 1.25
            xmax = 2.5
            text = "it ""now"" at"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
2.5
<exists>
1
"IntervalTier"
"words"
0
2.5
2
0
1.1
"say"
1.1
2.5
"it"
"""


def test_a_pitch_file_is_read_and_its_gaps_left_out() -> None:
    given: list[tuple[float, float | None]] = [(12.1, None), (12.3, 210), (12.2, 200.5), (12.4, 0)]
    values = [{"time": time, "hz": hz} for time, hz in given]

    for content in (orjson.dumps(values), orjson.dumps({"pitch": values})):
        track = read_pitch(content)
        assert track.times.tolist() == [12.2, 12.3]
        assert track.hz.tolist() == [200.5, 210.0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'"x"',
        b'[{"time": 1}]',
        b'[{"time": true, "hz": 100}]',
        b'[{"time":1,"hz":null}]',
        b'[{"time":1,"hz":1e9}]',
        b"[" + b"0," * 100_001 + b"0]",
    ],
)
def test_what_is_no_pitch_file_is_refused(content: bytes) -> None:
    with pytest.raises(UnusableReference):
        read_pitch(content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_both_forms_of_textgrids_are_read(encoding: str) -> None:
    assert read_textgrid(LONG.encode(encoding)) == (
        Word("say", 0.4, 1.1),
        Word("42", 1.1, 1.25),
        Word('it "now" at', 1.25, 2.5),
    )
    assert read_textgrid(SHORT.encode(encoding)) == (Word("say", 0.0, 1.1), Word("it", 1.1, 2.5))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<html>",
        '"TextGrid"',
        LONG.replace("xmax = 1.25", 'xmax = "x"'),
        SHORT.replace("\n2\n", '\n"two"\n'),
        SHORT[:90],
        SHORT.replace('"say"', '""').replace('"it"', '" "'),
        "x" * (2**21 + 1),
    ],
)
def test_what_is_no_textgrid_is_refused(content: str) -> None:
    with pytest.raises(UnusableReference):
        read_textgrid(content.encode())


def test_a_reference_survives_the_way_to_another_process() -> None:
    line = Line((Word("a", 1.0, 2.0), Word("b", None, None), Word("c", 3.0, 2.0)), 0.5)
    found = Reference.of_script(line, read_pitch(b'[{"time": 1.0, "hz": 100}, {"time": 1.1, "hz": 110}]'))
    assert found is not None
    assert found.pitch is not None

    again = Reference.from_json(json.loads(json.dumps(found.as_json())))

    assert again.words == found.words == ((1.0, 2.0), None, None)
    assert again.pitch is not None
    assert np.array_equal(again.pitch.hz, found.pitch.hz)


def test_a_script_without_times_is_no_reference() -> None:
    assert Reference.of_script(Line((Word("a", None, None),)), None) is None
    assert Reference.of_script(Line(), None) is None
