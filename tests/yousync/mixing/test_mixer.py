"""Mixing in processes of their own: what they answer, and that none of them can hold anybody up."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests import audio_samples as samples
from yousync.audio.process import ChildDiedError, ChildTimeoutError
from yousync.mixing import Mixer, Part, Plan, Take, Unmixable
from yousync.mixing.laying import mix

PLAN = Plan(samples.wav(2.0), samples.wav(2.0), (Take(samples.encoded("webm", "libopus"), 0.5, 1.5),), 2.0)


async def gathered() -> Plan:
    return PLAN


def hands() -> set[int]:
    """The processes of ours that mix."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"\0yousync.mixing.hand\0{os.getpid()}" in (entry / "cmdline").read_text()
            running = (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            continue
        if ours and running:
            found.add(int(entry.name))
    return found


async def one_hand() -> int:
    while not (found := hands()):
        await asyncio.sleep(0.005)
    return found.pop()


async def test_the_process_mixes_as_the_function_does_and_leaves_nothing_behind() -> None:
    assert await Mixer(processes=1).mix(gathered) == mix(PLAN)
    assert not hands()


async def test_a_file_that_is_no_recording_is_said_to_be_none() -> None:
    async def hostile() -> Plan:
        return Plan(PLAN.background, PLAN.vocal, (Take(samples.NOT_AUDIO["ffconcat"](), 0.0, 1.0),), 2.0)

    with pytest.raises(Unmixable) as told:
        await Mixer(processes=1).mix(hostile)

    assert (told.value.part, told.value.code) == (Part.TAKE, "audio_unrecognised")


async def test_no_more_than_so_many_mix_at_once() -> None:
    mixer = Mixer(processes=1)
    mixing = [asyncio.create_task(mixer.mix(gathered)) for _ in range(2)]
    most = 0
    while not all(task.done() for task in mixing):
        most = max(most, len(hands()))
        await asyncio.sleep(0.005)

    assert most == 1
    assert len({task.result() for task in mixing}) == 1


async def test_a_killed_process_is_told_of_and_its_place_is_free_again() -> None:
    mixer = Mixer(processes=1)
    mixing = asyncio.create_task(mixer.mix(gathered))
    os.kill(await one_hand(), signal.SIGKILL)

    with pytest.raises(ChildDiedError):
        await mixing

    assert await mixer.mix(gathered)


async def test_a_process_that_hangs_is_killed() -> None:
    mixer = Mixer(processes=1, seconds_each=1.0)
    mixing = asyncio.create_task(mixer.mix(gathered))
    began = time.monotonic()
    pid = await one_hand()
    os.kill(pid, signal.SIGSTOP)

    with pytest.raises(ChildTimeoutError):
        await mixing

    assert time.monotonic() - began < 5.0
    assert pid not in hands()
