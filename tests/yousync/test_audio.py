"""What the decoder accepts, what it refuses, and that no file can hold it up or get out of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given, settings, strategies as st

from tests import audio_samples as samples
from yousync.audio import CONTAINERS, Prober, decode, read_sound, sniff
from yousync.audio.crew import Crew
from yousync.audio.process import ChildDiedError, ChildTimeoutError
from yousync.audio.wav import wav_seconds
from yousync.errors import AudioTooLong, EmptyAudio, NotAudio

ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture(scope="module")
async def prober() -> AsyncIterator[Prober]:
    async with Prober.open(max_seconds=5.0) as made:
        yield made


async def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def proc(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")


def running(pid: int) -> bool:
    try:
        return proc(pid, "stat").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def environment_of(pid: int) -> set[str]:
    return {entry.partition("=")[0] for entry in proc(pid, "environ").split("\0") if entry}


def open_files_of(pid: int) -> set[str]:
    return {path.name for path in Path(f"/proc/{pid}/fd").iterdir()}


@pytest.mark.parametrize("name", samples.GOOD)
async def test_recordings_are_known_by_content_and_measured(prober: Prober, name: str) -> None:
    container, make = samples.GOOD[name]
    data = make()

    probe = await prober.probe(data)

    assert probe.container == container
    assert probe.container in CONTAINERS
    assert probe.duration_s == pytest.approx(1.0, abs=0.05)
    pcm = np.frombuffer(decode(data, max_seconds=5.0), dtype="<i2")
    assert len(pcm) == pytest.approx(16000, rel=0.05)
    assert np.abs(pcm).max() > 3000


@pytest.mark.parametrize("name", samples.GOOD)
def test_a_whole_file_holds_what_it_promises(name: str) -> None:
    assert not read_sound(samples.GOOD[name][1](), max_seconds=5.0).truncated


@pytest.mark.parametrize(
    "name", ["webm opus", "mp4 aac fragmented", "matroska opus", "mp3", "flac", "wav", "wav float", "wav mu-law"]
)
def test_a_file_cut_on_its_way_is_known_by_what_it_promised(name: str) -> None:
    data = samples.GOOD[name][1]()

    sound = read_sound(data[: len(data) * 6 // 10], max_seconds=5.0)

    assert 0.2 < sound.seconds < 0.7
    assert sound.claims == pytest.approx(1.0, abs=0.03)
    assert sound.truncated


@pytest.mark.parametrize("name", samples.NOT_AUDIO)
async def test_what_is_no_recording_is_refused(prober: Prober, name: str) -> None:
    data = samples.NOT_AUDIO[name]()
    started = time.monotonic()

    with pytest.raises(NotAudio):
        await prober.probe(data)

    assert time.monotonic() - started < 2.0
    with pytest.raises(NotAudio):
        decode(data, max_seconds=5.0)


@pytest.mark.parametrize("name", samples.EMPTY)
async def test_files_without_a_sample_are_empty(prober: Prober, name: str) -> None:
    with pytest.raises(EmptyAudio):
        await prober.probe(samples.EMPTY[name]())


@pytest.mark.parametrize("container", ["webm", "ogg", "mp3", "mp4", "flac", "wav"])
async def test_a_file_cut_anywhere_is_read_or_refused_but_never_breaks(prober: Prober, container: str) -> None:
    data = next(make for kind, make in samples.GOOD.values() if kind == container)()
    pids = prober.pids
    for cut in (0, 1, 12, 45, 100, 400, 1000, len(data) // 2, len(data) - 1):
        try:
            probe = await prober.probe(data[:cut])
        except (EmptyAudio, NotAudio):
            continue
        assert 0 < probe.duration_s <= 1.05
    assert prober.pids == pids


@pytest.mark.parametrize(
    "make",
    [
        lambda: samples.wav(5.2),
        lambda: samples.encoded("webm", "libopus", 5.2),
        lambda: samples.encoded("mp3", "libmp3lame", 5.2),
        lambda: samples.encoded("mp4", "aac", 5.2),
        samples.flac_bomb,
    ],
    ids=["wav", "webm", "mp3", "mp4", "two hours of flac"],
)
async def test_too_long_is_said_without_reading_all_of_it(prober: Prober, make: Callable[[], bytes]) -> None:
    data = make()
    started = time.monotonic()

    with pytest.raises(AudioTooLong):
        await prober.probe(data)

    assert time.monotonic() - started < 1.0
    with pytest.raises(AudioTooLong):
        decode(data, max_seconds=5.0)


@pytest.mark.parametrize("kind", ["wav", "webm"])
async def test_exactly_the_limit_is_not_too_long(prober: Prober, kind: str) -> None:
    data = samples.wav(5.0) if kind == "wav" else samples.encoded("webm", "libopus", 5.0)

    assert (await prober.probe(data)).duration_s == pytest.approx(5.0, abs=0.01)


@pytest.mark.parametrize(
    "head", [b"OggS\x00\x02", b"\x1a\x45\xdf\xa3\x01\x00\x00\x00webm", b"\xff\xfb\x90\x00", b"fLaC"]
)
@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=3000))
def test_noise_behind_any_mark_raises_nothing_unexpected(head: bytes, noise: bytes) -> None:
    with contextlib.suppress(EmptyAudio, NotAudio, AudioTooLong):
        assert decode(head + noise, max_seconds=5.0)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 60), st.binary(max_size=8))
def test_any_damage_to_a_wav_header_is_survived(tail: bytes, at: int, damage: bytes) -> None:
    data = bytearray(samples.wav_header(size=len(tail)) + tail)
    data[at : at + len(damage)] = damage
    with contextlib.suppress(EmptyAudio, NotAudio):
        assert wav_seconds(bytes(data)) > 0


@given(st.binary(max_size=400))
def test_sniffing_never_raises(data: bytes) -> None:
    assert sniff(data) is None or sniff(data) in CONTAINERS


def test_an_id3_tag_is_looked_past() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)

    assert sniff(tag + samples.encoded("mp3", "libmp3lame", options={"id3v2_version": "0"})) == "mp3"
    assert sniff(tag + samples.encoded("flac", "flac")) == "flac"
    assert sniff(tag + b"just text") is None


async def test_a_killed_decoder_is_replaced_and_nobody_notices() -> None:
    data = samples.encoded("webm", "libopus")
    async with Prober.open(max_seconds=5.0) as prober:
        before = prober.pids
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        for _ in range(4):
            probes = await asyncio.gather(*(prober.probe(data) for _ in range(4)))
            assert {probe.container for probe in probes} == {"webm"}
        await until(lambda: len(prober.pids) == 2)
        assert not set(before) & set(prober.pids)


async def test_a_stopped_decoder_is_killed_after_its_time_and_the_others_go_on() -> None:
    data = samples.encoded("webm", "libopus")
    async with Prober.open(max_seconds=5.0, seconds_each=1.0) as prober:
        hung = prober.pids[0]
        os.kill(hung, signal.SIGSTOP)

        outcomes = await asyncio.gather(*(prober.probe(data) for _ in range(6)), return_exceptions=True)

        refused = [outcome for outcome in outcomes if isinstance(outcome, NotAudio)]
        assert len(refused) == 1
        await until(lambda: hung not in prober.pids and len(prober.pids) == 2)
        await until(lambda: not running(hung))
        assert (await prober.probe(data)).container == "webm"


async def test_many_at_once_do_not_block_the_loop(prober: Prober) -> None:
    data = samples.encoded("webm", "libopus", 4.0)
    lags = []

    async def watch() -> None:
        while True:
            started = time.monotonic()
            await asyncio.sleep(0.001)
            lags.append(time.monotonic() - started)

    watcher = asyncio.create_task(watch())
    probes = await asyncio.gather(*(prober.probe(data) for _ in range(60)))
    watcher.cancel()

    assert {probe.container for probe in probes} == {"webm"}
    assert sorted(lags)[len(lags) // 2] < 0.05


async def test_a_caller_who_goes_away_does_no_harm(prober: Prober) -> None:
    data = samples.encoded("webm", "libopus", 4.0)
    tasks = [asyncio.create_task(prober.probe(data)) for _ in range(10)]
    await asyncio.sleep(0)
    for task in tasks[:5]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(result).__name__ for result in results[5:]] == ["Probe"] * 5
    assert (await prober.probe(samples.encoded("ogg", "libopus"))).container == "ogg"


async def test_decoders_are_retired_after_so_many_recordings() -> None:
    async with Crew.open("yousync.audio.reader", ["5.0"], size=2, seconds_each=5.0, answers_each=3) as crew:
        before = set(crew.pids)
        for _ in range(12):
            assert b"seconds" in await crew.ask(samples.encoded("ogg", "libopus", 0.2))
        await until(lambda: len(crew.pids) == 2)
        assert not before & set(crew.pids)


async def test_a_decoder_has_no_secret_no_file_and_no_way_to_open_one(prober: Prober) -> None:
    for pid in prober.pids:
        assert not {name for name in environment_of(pid) if name.startswith(("AWS", "HOME", "JWT", "DATABASE"))}
        assert open_files_of(pid) == {"0", "1", "2"}
        limits = proc(pid, "limits").splitlines()
        assert [line.split()[3:5] for line in limits if line.startswith("Max open files")] == [["3", "3"]]
        assert [line.split()[3:5] for line in limits if line.startswith("Max file size")] == [["0", "0"]]


async def test_decoders_die_with_a_parent_that_was_killed() -> None:
    code = (
        "import asyncio, json, sys\n"
        "from yousync.audio import Prober\n"
        "async def main():\n"
        "    async with Prober.open(max_seconds=5) as prober:\n"
        "        print(json.dumps(prober.pids), flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    pids = json.loads(await parent.stdout.readline())
    os.kill(pids[0], signal.SIGSTOP)  # hung, so the end of its stdin cannot reach it
    parent.kill()
    await parent.wait()
    assert len(pids) == 2
    await until(lambda: not any(running(pid) for pid in pids))


async def test_closing_leaves_no_process_behind() -> None:
    async with Prober.open(max_seconds=5.0) as prober:
        pids = prober.pids
    assert not any(running(pid) for pid in pids)


async def test_a_crew_that_cannot_start_says_so_at_once() -> None:
    with pytest.raises(ChildDiedError):
        async with Crew.open("yousync.audio.nothing", size=1, seconds_each=1.0):
            pass


async def test_a_question_that_takes_too_long_is_told_from_a_dead_child() -> None:
    async with Crew.open("yousync.audio.reader", ["5.0"], size=1, seconds_each=0.3) as crew:
        os.kill(crew.pids[0], signal.SIGSTOP)
        with pytest.raises(ChildTimeoutError):
            await crew.ask(b"OggS")
        assert json.loads(await crew.ask(b"OggS")) == {"error": "audio_unrecognised"}
