"""Both shapes of request are understood, and nonsense is refused before anything is done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from yousync.analyzer.order import MalformedOrderError, Order, Place
from yousync.analyzer.words import Line, Word

HOOK = "http://127.0.0.1:1/hook?x=1&job_id=j1&token=secret"
SCRIPT: dict[str, Any] = {
    "id": 7,
    "start_time": 9.5,
    "words": [
        {"id": 1, "word": "안녕", "start_time": 10, "end_time": 10.4, "mfcc": [[0.0] * 13]},
        {"id": 2, "word": None},
    ],
}


def form(**changes: Any) -> dict[str, str]:
    return {
        "request_data": json.dumps({"s3_audio_url": "s3://b/a/k.wav", "webhook_url": HOOK, "script": SCRIPT} | changes)
    }


def test_the_script_shape() -> None:
    order = Order.read(form(), None)

    assert (order.job_id, order.recording, order.webhook_url) == ("j1", Place("b", "a/k.wav"), HOOK)
    assert (order.pitch, order.textgrid, order.reference) == (None, None, None)
    assert order.line == Line((Word("안녕", 10.0, 10.4), Word("", None, None)), 9.5)
    assert "secret" not in order.webhook_place
    assert order.webhook_place == "http://127.0.0.1/hook"


def test_the_token_shape_with_and_without_words() -> None:
    fields = {
        "s3_audio_url": "s3://b/k",
        "video_id": "4",
        "webhook_url": HOOK,
        "s3_textgrid_url": "",
        "s3_pitch_url": "",
    }

    assert Order.read(fields, None).line == Line()
    scripts = json.dumps({"scripts": [SCRIPT, SCRIPT]})
    assert len(Order.read(fields | {"script": scripts}, None).line.words) == 4


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("s3://b/a/k%20.wav", Place("b", "a/k%20.wav")),
        ("https://b.s3.ap-northeast-2.amazonaws.com/a/k%20.json", Place("b", "a/k .json")),
        ("https://b.s3.amazonaws.com/k", Place("b", "k")),
        ("http://b.s3.amazonaws.com/k", None),
        ("https://b.s3.evil.example/k", None),
        ("https://127.0.0.1/latest/meta-data", None),
        ("file:///etc/passwd", None),
        ("s3://b/", None),
        ("s3://", None),
        ("https://[", None),
        ("", None),
        (None, None),
    ],
)
def test_nothing_but_objects_in_s3_is_ever_fetched(value: str | None, place: Place | None) -> None:
    assert Order.read(form(s3_pitch_url=value), None).pitch == place


def test_the_actors_voice_pitch_and_words_are_part_of_the_work() -> None:
    first = Order.read(form(), None)

    for name in ("s3_pitch_url", "s3_textgrid_url", "s3_reference_url"):
        assert Order.read(form(**{name: "s3://b/actor"}), None).fingerprint != first.fingerprint


def test_the_idempotency_key_names_the_job() -> None:
    assert Order.read(form(), "other").job_id == "other"
    assert Order.read(form(), '"quoted"').job_id == "quoted"


def test_the_same_work_has_the_same_fingerprint_wherever_the_answer_goes() -> None:
    first = Order.read(form(), None)

    assert first.fingerprint == Order.read(form(webhook_url="http://h/?job_id=j1"), None).fingerprint
    assert first.fingerprint != Order.read(form(s3_audio_url="s3://b/other"), None).fingerprint
    assert first.fingerprint != Order.read(form(script={"words": []}), None).fingerprint


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"request_data": "not json"},
        {"request_data": "[]"},
        form(script=None),
        form(script={"words": "none"}),
        form(script={"words": [1]}),
        form(script={"words": [{}] * 2001}),
        form(s3_audio_url="http://127.0.0.1/latest/meta-data"),
        form(s3_audio_url="file:///etc/passwd"),
        form(s3_audio_url="s3://bucket"),
        form(s3_audio_url=None),
        form(webhook_url="ftp://h/?job_id=1"),
        form(webhook_url="http:///nohost?job_id=1"),
        form(webhook_url="http://h/no-job"),
    ],
)
def test_nonsense_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(MalformedOrderError):
        Order.read(fields, None)
