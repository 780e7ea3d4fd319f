"""The analysis server over HTTP: a real S3, a real webhook receiver, real recordings."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from aiohttp import web
from pydantic import SecretStr

from tests import audio_samples as samples
from tests.yousync.analyzer.conftest import Client, Receiver, analysis_server, served
from yousync import webhooks
from yousync.analyzer.app import Config
from yousync.analyzer.voice import listen
from yousync.audio import decode
from yousync.demo import CATALOGUE, DEMO_SENTENCE, RECORDINGS
from yousync.local.port import free_port
from yousync.local.s3 import ObjectStore
from yousync.settings import Settings

TOKEN: dict[str, Any] = json.loads(CATALOGUE.read_text(encoding="utf-8"))["tokens"][0]
SCRIPT: dict[str, Any] = TOKEN["scripts"][DEMO_SENTENCE[1]] | {"id": 2}
WORDS = [word["word"] for word in SCRIPT["words"]]
SPEECH = RECORDINGS[DEMO_SENTENCE].read_bytes()
Put = Callable[[str, bytes], Awaitable[str]]


def script_form(audio: str, webhook: str, script: dict[str, Any] = SCRIPT) -> dict[str, str]:
    return {"request_data": json.dumps({"s3_audio_url": audio, "webhook_url": webhook, "script": script})}


def ended_count(figures: str) -> float:
    (line,) = [line for line in figures.splitlines() if line.startswith('yousync_analyzer_ended_total{code="",')]
    return float(line.split()[-1])


async def ended(server: Client, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while True:
        _, found = await server.get(f"/analyses/{job_id}")
        if found.get("status") in {"completed", "failed"}:
            return found
        assert time.monotonic() < deadline, "it did not end in time"
        await asyncio.sleep(0.02)


async def test_a_script_recording_comes_back_with_its_words(server: Client, receiver: Receiver, put: Put) -> None:
    hook = f"{receiver.url}/hook?a=%2F+b&job_id=s1&token=t%3D%3D"

    status, reply = await server.analyze(script_form(await put("s1.wav", SPEECH), hook))

    assert (status, reply) == (202, {"job_id": "s1", "task_id": "s1", "status": "accepted"})
    ((path, body),) = await receiver.wait(1)
    assert path == "/hook?a=%2F+b&job_id=s1&token=t%3D%3D"
    assert body["status"] == "completed"
    assert [word["word"] for word in body["result"]["word_analysis"]] == WORDS
    assert {word["text_status"] for word in body["result"]["word_analysis"]} == {"pass"}
    assert body["result"]["overall_score"] > 0.8
    assert body["result"]["engine"]["name"] == "yousync-analyzer"
    assert body["result"]["timing_score"] > 0.8
    assert body["result"]["intonation_score"] is None
    assert "no_reference_pitch" in body["result"]["warnings"]
    assert await server.get("/analyses/s1") == (200, body)


async def test_a_clip_is_held_against_its_actors_pitch(server: Client, receiver: Receiver, put: Put) -> None:
    hz = listen(decode(SPEECH, max_seconds=10.0)).hz
    begins = SCRIPT["start_time"]
    pitch = [
        {"time": begins + at / 100, "hz": None if np.isnan(hz[at]) else float(hz[at])} for at in range(0, len(hz), 10)
    ]
    form = {
        "s3_audio_url": await put("t.wav", SPEECH),
        "video_id": "9",
        "s3_textgrid_url": "",
        "s3_pitch_url": await put("pitch.json", orjson.dumps(pitch)),
        "script": json.dumps({"start_time": begins, "scripts": [SCRIPT]}),
    }
    for number in (1, 2):
        await server.analyze(form | {"webhook_url": f"{receiver.url}/hook?job_id=p{number}"})
        await receiver.wait(number)

    first, again = (body["result"] for _, body in receiver.got)
    assert first == again
    assert [word["word"] for word in first["word_analysis"]] == WORDS
    assert first["intonation_score"] > 0.85
    assert all(word["mfcc_similarity"] > 0.6 for word in first["word_analysis"])
    assert len(first["word_analysis"][1]["pitch_st"]) == len(first["word_analysis"][1]["reference_pitch_st"]) == 8
    assert first["timing"]["start_offset"] == pytest.approx(0.0, abs=0.1)
    assert "no_reference_pitch" not in first["warnings"]
    figures = await server.text("/metrics")
    assert 'yousync_analyzer_references_total{found="fetched",kind="pitch"} 1.0' in figures
    assert 'yousync_analyzer_references_total{found="known",kind="pitch"} 1.0' in figures


async def test_the_actors_own_voice_will_do_for_words_without_times(
    server: Client, receiver: Receiver, put: Put
) -> None:
    bare = {"words": [{"word": word} for word in WORDS]}
    audio = await put("take.wav", SPEECH)
    form = script_form(audio, f"{receiver.url}/hook?job_id=v1", bare)
    form["request_data"] = json.dumps(json.loads(form["request_data"]) | {"s3_reference_url": audio})

    await server.analyze(form)

    result = (await receiver.wait(1))[0][1]["result"]
    assert result["intonation_score"] > 0.7
    assert result["timing"]["tempo_ratio"] == pytest.approx(1.0)
    assert result["timing"]["start_offset"] is None


async def test_a_reference_that_cannot_be_used_costs_no_result(server: Client, receiver: Receiver, put: Put) -> None:
    form = script_form(await put("take.wav", SPEECH), f"{receiver.url}/hook?job_id=u1")
    broken = {"s3_pitch_url": await put("broken.json", b"<Error>AccessDenied</Error>")}
    form["request_data"] = json.dumps(json.loads(form["request_data"]) | broken)

    await server.analyze(form)

    result = (await receiver.wait(1))[0][1]["result"]
    assert "reference_unusable" in result["warnings"]
    assert result["intonation_score"] is None
    assert result["timing_score"] > 0.5


async def test_the_words_of_a_textgrid_stand_in_for_a_script(server: Client, receiver: Receiver, put: Put) -> None:
    intervals = "".join(f'{word["start_time"]}\n{word["end_time"]}\n"{word["word"]}"\n' for word in SCRIPT["words"])
    grid = f'"ooTextFile"\n"TextGrid"\n0\n99\n<exists>\n1\n"IntervalTier"\n"words"\n0\n99\n{len(WORDS)}\n{intervals}'
    form = {
        "s3_audio_url": await put("t.wav", SPEECH),
        "video_id": "9",
        "s3_textgrid_url": await put("clip.TextGrid", grid.encode()),
        "s3_pitch_url": "",
    }
    await server.analyze(form | {"webhook_url": f"{receiver.url}/hook?job_id=g1"})
    await receiver.wait(1)
    await server.analyze(form | {"webhook_url": f"{receiver.url}/hook?job_id=g2", "s3_textgrid_url": ""})
    await receiver.wait(2)

    with_words, without = (body for _, body in receiver.got)
    assert [word["word"] for word in with_words["result"]["word_analysis"]] == WORDS
    assert with_words["result"]["timing_score"] > 0.5
    assert without["error"]["code"] == "alignment_failed"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("silence", samples.wav(samples=samples.tone(1.0) * 0), "no_speech"),
        ("page", b"<Error><Code>AccessDenied</Code></Error>", "unrecognised_format"),
        ("nothing", b"", "too_short"),
        ("long", samples.flac_bomb(0.1), "too_long"),
        ("missing", None, "audio_not_found"),
    ],
)
async def test_what_cannot_be_measured_is_a_failure_with_its_reason(
    server: Client, receiver: Receiver, put: Put, bucket: ObjectStore, name: str, data: bytes | None, code: str
) -> None:
    audio = f"s3://{bucket.bucket}/nowhere" if data is None else await put(name, data)
    await server.analyze(script_form(audio, f"{receiver.url}/hook?job_id={name}"))

    body = (await receiver.wait(1))[0][1]
    assert body["status"] == "failed"
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    assert "result" not in body


async def test_the_same_key_is_measured_once_and_told_again(server: Client, receiver: Receiver, put: Put) -> None:
    audio = await put("once.wav", SPEECH)
    form = script_form(audio, f"{receiver.url}/hook?job_id=x")
    await asyncio.gather(*(server.analyze(form, "once") for _ in range(5)))
    first = (await receiver.wait(1))[0][1]
    await ended(server, "once")
    figures = await server.text("/metrics")
    await put("once.wav", samples.wav(2.0))  # a second measuring would find other words' times

    status, reply = await server.analyze(form, "once")

    assert (status, reply["job_id"]) == (202, "once")
    assert ended_count(await server.text("/metrics")) == ended_count(figures) > 0
    assert (await receiver.wait(2))[1][1] == first
    assert len(receiver.got) == 2


async def test_the_same_key_for_another_recording_is_another_analysis(
    server: Client, receiver: Receiver, put: Put
) -> None:
    await server.analyze(script_form(await put("one.wav", SPEECH), f"{receiver.url}/hook"), "again")
    await receiver.wait(1)
    await server.analyze(script_form(await put("two.wav", samples.wav(1.0)), f"{receiver.url}/hook"), "again")

    first, second = (body["result"] for _, body in await receiver.wait(2))
    assert first != second


async def test_a_recording_that_was_not_there_yet_is_looked_for_again(
    server: Client, receiver: Receiver, put: Put, bucket: ObjectStore
) -> None:
    form = script_form(f"s3://{bucket.bucket}/late.wav", f"{receiver.url}/hook?job_id=late")
    await server.analyze(form)
    assert (await receiver.wait(1))[0][1]["error"]["code"] == "audio_not_found"
    await put("late.wav", SPEECH)
    await server.analyze(form)

    assert (await receiver.wait(2))[1][1]["status"] == "completed"


async def test_webhooks_are_tried_again_after_5xx_but_not_after_4xx(
    server: Client, receiver: Receiver, put: Put
) -> None:
    receiver.answers = [500, 503, 200]
    await server.analyze(script_form(await put("retry.wav", SPEECH), f"{receiver.url}/hook?job_id=retry"))
    assert len({json.dumps(body) for _, body in await receiver.wait(3)}) == 1

    receiver.answers = [401, 200]
    await server.analyze(script_form(await put("refused.wav", SPEECH), f"{receiver.url}/hook?job_id=refused"))
    await receiver.wait(4)
    await server.analyze(script_form(await put("after.wav", SPEECH), f"{receiver.url}/hook?job_id=after"))
    assert [body["job_id"] for _, body in await receiver.wait(5)] == ["retry"] * 3 + ["refused", "after"]


async def test_webhooks_are_signed_anew_at_each_try_as_yousync_checks_them(
    config: Config, receiver: Receiver, put: Put
) -> None:
    old, new = (SecretStr("whsec_" + base64.b64encode(bytes([number]) * 32).decode()) for number in (1, 2))
    receiver.answers = [500]
    async with analysis_server(config.model_copy(update={"webhook_secret": [old, new]})) as server:
        await server.analyze(script_form(await put("signed.wav", SPEECH), f"{receiver.url}/hook?job_id=signed"))
        await receiver.wait(2)

    for headers, body in receiver.raw:
        for secret in (old, new):
            settings = Settings.model_construct(webhook_secret=[secret])
            assert webhooks.is_signed(
                settings,
                message_id=headers["webhook-id"],
                timestamp=headers["webhook-timestamp"],
                signatures=headers["webhook-signature"],
                body=body,
                now=time.time(),
            )
    assert {headers["webhook-id"] for headers, _ in receiver.raw} == {"signed"}


async def test_webhooks_wait_for_a_receiver_that_is_away(server: Client, put: Put) -> None:
    port, late = free_port(), Receiver()
    await server.analyze(script_form(await put("away.wav", SPEECH), f"http://127.0.0.1:{port}/hook?job_id=away"))
    await ended(server, "away")
    app = web.Application()
    app.router.add_post("/hook", late.take)
    async with served(app, port):
        assert (await late.wait(1))[0][1]["status"] == "completed"


async def test_beyond_its_queue_it_says_when_to_come_again(config: Config, receiver: Receiver, put: Put) -> None:
    small = config.model_copy(update={"analyzer_queue": 1, "analyzer_workers": 1})
    long = await put("long.wav", samples.wav(6.0, rate=16000))
    async with analysis_server(small) as server:
        replies = await asyncio.gather(
            *(server.analyze(script_form(long, f"{receiver.url}/hook"), f"q{number}") for number in range(12))
        )
        statuses = [status for status, _ in replies]
        assert 503 in statuses
        assert 202 in statuses
        assert next(body for status, body in replies if status == 503)["error"]["code"] == "queue_full"
        await receiver.wait(statuses.count(202), seconds=30)


async def test_a_recording_that_takes_too_long_is_said_to_and_its_process_replaced(
    config: Config, receiver: Receiver, put: Put
) -> None:
    audio = await put("endless.wav", samples.wav(20.0, rate=16000))
    hasty = config.model_copy(update={"analyzer_seconds_each": 0.05, "analyzer_workers": 1})
    async with analysis_server(hasty) as server:
        for name in ("t1", "t2"):
            await server.analyze(script_form(audio, f"{receiver.url}/hook?job_id={name}"))
        bodies = [body for _, body in await receiver.wait(2)]

    assert [body["error"]["code"] for body in bodies] == ["analysis_timeout"] * 2
    assert {body["status"] for body in bodies} == {"failed"}


def measuring() -> set[int]:
    """The processes that measure, of all analysis servers in this one."""
    children = {
        int(pid) for thread in Path("/proc/self/task").iterdir() for pid in (thread / "children").read_text().split()
    }
    return {pid for pid in children if b"yousync.analyzer.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()}


async def test_a_recording_under_which_every_process_is_killed_is_said_to_and_may_come_again(
    config: Config, receiver: Receiver, put: Put
) -> None:
    form = script_form(await put("deadly.wav", samples.wav(20.0, rate=16000)), f"{receiver.url}/hook")
    others = measuring()
    async with analysis_server(config.model_copy(update={"analyzer_workers": 1})) as server:
        await server.analyze(form, "d1")
        while not receiver.got:
            await asyncio.sleep(0.1)
            if "yousync_analyzer_workers 1.0" in await server.text("/metrics"):  # one is ready, and has been asked
                for pid in measuring() - others:
                    os.kill(pid, signal.SIGKILL)
        assert receiver.got[0][1]["error"]["code"] == "worker_died"
        await server.analyze(form, "d1")
        assert (await receiver.wait(2))[1][1]["status"] == "completed"


async def test_it_remembers_only_so_many(config: Config, receiver: Receiver, put: Put) -> None:
    async with analysis_server(config.model_copy(update={"analyzer_kept": 2})) as server:
        for number in range(3):
            await server.analyze(script_form(await put("kept.wav", SPEECH), f"{receiver.url}/hook"), f"k{number}")
            await ended(server, f"k{number}")
        assert [(await server.get(f"/analyses/k{number}"))[0] for number in range(3)] == [404, 200, 200]


async def test_requests_that_make_no_sense(server: Client) -> None:
    assert (await server.analyze({"request_data": "{}"}))[0] == 400
    assert (await server.analyze({}))[0] == 400
    assert (await server.get("/analyses/unknown"))[0] == 404
    assert (await server.get("/healthz"))[1]["status"] == "ok"


async def test_no_token_is_ever_logged(
    server: Client, receiver: Receiver, put: Put, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [500]
    hook = f"{receiver.url}/hook?job_id=quiet&token=VERYSECRET"
    await server.analyze(script_form(await put("quiet.wav", SPEECH), hook))
    await receiver.wait(2)
    await server.analyze(script_form("s3://recordings/gone", "http://127.0.0.1:9/?job_id=q2&token=VERYSECRET"))
    await ended(server, "q2")

    out, err = capfd.readouterr()
    assert "quiet" in out + err + caplog.text
    assert "VERYSECRET" not in out + err + caplog.text
