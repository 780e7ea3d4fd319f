"""Whatever an analysis server sends ends as something that can be stored and that frontends can read."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, strategies as st

from jobs.results import MAX_DEPTH, Unreadable, conclusion_of, named_tokens, prepared, read_object
from yousync.failures import LEARNER_MESSAGES
from yousync.job import State

WORDS = [{"word": "hi", "word_score": 0.5}]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "body",
    [
        {"analysis_results": {"overall_score": 0.7, "word_analysis": WORDS}},
        {"overall_score": 0.7, "word_analysis": WORDS},
        {"result": {"overall_score": 0.7, "word_analysis": WORDS}, "extra": 1},
        {"status": "completed", "result": {"overall_score": 0.7, "word_analysis": WORDS}},
        {"analysis_results": {"result": {"overall_score": 0.7, "word_analysis": WORDS}}},
        {"result": {"overall_score": 0.7}, "word_analysis": WORDS},
        {"result": {"engine": "x"}, "overall_score": 0.7, "word_analysis": WORDS},
        {"result": {"analysis_results": {"overall_score": 0.7, "word_analysis": WORDS}}},
        {"result": {"result": {"result": {"overall_score": 0.7, "word_analysis": WORDS}}}},
        {"scores": {"overall_score": 0.7, "word_analysis": WORDS}},
    ],
)
def test_every_shape_is_stored_where_frontends_look(body: dict[str, Any]) -> None:
    conclusion = conclusion_of(orjson.dumps(body))
    assert conclusion.state is State.COMPLETED
    assert conclusion.result["result"]["word_analysis"] == WORDS
    assert conclusion.overall_score == 0.7


def test_keys_nobody_knows_are_kept() -> None:
    conclusion = conclusion_of(b'{"status":"ok","engine":"x","result":{"word_analysis":[],"later":{"a":[1]}}}')
    assert conclusion.result == {"engine": "x", "result": {"word_analysis": [], "later": {"a": [1]}}}
    conclusion = conclusion_of(b'{"engine":"x","analysis_results":{"version":2,"result":{"word_analysis":[]}}}')
    assert conclusion.result == {"engine": "x", "version": 2, "result": {"word_analysis": []}}
    conclusion = conclusion_of(b'{"engine":"x","result":{"later":{"a":[1]},"scores":{"word_analysis":[],"b":2}}}')
    assert conclusion.result == {"engine": "x", "result": {"word_analysis": [], "b": 2, "later": {"a": [1]}}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"status":"failed","error":{"code":"no_speech","message":"silence"}}', "no_speech"),
        (b'{"status":"FAILED"}', "analysis_failed"),
        (b'{"error":"disk full"}', "analysis_failed"),
        (b'{"status":"error","error":{"code":"<script>"}}', "analysis_failed"),
        (b"{}", "analysis_result_invalid"),
        (b"[1]", "analysis_result_invalid"),
        (b"<html>", "analysis_result_invalid"),
        (b"", "analysis_result_invalid"),
    ],
)
def test_failures_are_failures(body: bytes, code: str) -> None:
    conclusion = conclusion_of(body)
    assert (conclusion.state, conclusion.code) == (State.FAILED, code)
    assert conclusion.message == LEARNER_MESSAGES.get(code, LEARNER_MESSAGES["analysis_failed"])
    assert conclusion.result is None


def test_numbers_that_json_lacks_become_null() -> None:
    body = json.dumps({"result": {"overall_score": float("nan"), "a": [float("inf"), -float("inf")], "b": "NaN"}})
    conclusion = conclusion_of(body.encode())
    assert conclusion.result == {"result": {"overall_score": None, "a": [None, None], "b": "NaN"}}
    assert conclusion.overall_score is None


def test_postgres_takes_no_nul_characters() -> None:
    assert read_object(b'{"a\\u0000b":["c\\u0000"]}') == {"ab": ["c"]}


def test_depth_is_bounded() -> None:
    deep = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    with pytest.raises(Unreadable):
        read_object(deep)
    assert conclusion_of(deep).state is State.FAILED


def test_a_score_is_a_number() -> None:
    for value in ("true", '"0.9"', "null", "[]"):
        assert conclusion_of(b'{"result":{"overall_score":%s}}' % value.encode()).overall_score is None


@given(st.dictionaries(st.text(), JSON))
def test_any_object_is_read_into_something_storable(value: dict[str, Any]) -> None:
    try:
        read = read_object(json.dumps(value).encode())
    except Unreadable:
        return
    assert "\\u0000" not in orjson.dumps(read).decode()
    assert orjson.loads(orjson.dumps(read)) == read


@given(st.binary())
def test_no_bytes_crash_it(body: bytes) -> None:
    assert conclusion_of(body).state in {State.COMPLETED, State.FAILED}


@pytest.mark.parametrize("name", ["token_ids", "token_id"])
def test_the_clips_of_a_video_come_under_either_name(name: str) -> None:
    body = orjson.dumps({name: [4, "5", True, None, 2**40, 7], "status": "completed"})
    assert named_tokens(body) == [4, 7]
    assert prepared(body, [4, 7]).result == {"token_ids": [4, 7]}
    assert named_tokens(b'{"token_id": 9}') == [9]


@pytest.mark.parametrize(
    ("body", "code", "cause"),
    [
        (b'{"token_id": null, "status": "failed", "message": "no subtitles"}', "preprocess_failed", "no subtitles"),
        (b'{"token_ids": [4], "status": "error"}', "preprocess_failed", "it names no clip"),
        (b'{"token_ids": []}', "preprocess_failed", "it names no clip"),
        (b'{"token_ids": [8, 5]}', "preprocess_result_invalid", "clips that do not exist: 5, 8"),
        (b"nonsense", "preprocess_result_invalid", "not JSON"),
    ],
)
def test_a_video_without_clips_has_failed(body: bytes, code: str, cause: str) -> None:
    conclusion = prepared(body, [])
    assert (conclusion.state, conclusion.code, conclusion.cause) == (State.FAILED, code, cause)
    assert conclusion.message == LEARNER_MESSAGES[code]
