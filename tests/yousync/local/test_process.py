"""A child process: its log, its end, and what is left of it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from yousync.local.process import Command, Process, StackError, ending, trim


async def said(process: Process, text: str) -> None:
    async with asyncio.timeout(10):
        while text not in process.tail():
            await asyncio.sleep(0.01)


def python(code: str, **kwargs: object) -> Command:
    return Command(argv=[sys.executable, "-u", "-c", code], env={"PATH": os.environ["PATH"]}, **kwargs)  # type: ignore[arg-type]  # options by name


async def test_runs_in_a_group_of_its_own_and_stops_politely(tmp_path: Path) -> None:
    process = Process("child", tmp_path / "log")
    code = "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(7))\nprint('here')\nsignal.pause()"
    await process.spawn(python(code))
    pid = process.pid
    assert pid is not None
    await said(process, "here")
    assert os.getpgid(pid) == pid != os.getpgid(0)
    await process.stop()
    assert await process.wait() == 7
    assert not process.running


async def test_what_ignores_the_signal_is_killed_with_all_its_children(tmp_path: Path) -> None:
    process = Process("child", tmp_path / "log")
    code = (
        "import os, signal\nsignal.signal(15, signal.SIG_IGN)\n"
        "pid = os.fork()\nif pid: print('child', pid, '.')\nsignal.pause()"
    )
    await process.spawn(python(code, grace=0.2))
    await said(process, " .")
    grandchild = int(process.tail().split("child ")[1].split()[0])
    await process.stop()
    assert await process.wait() == -signal.SIGKILL
    async with asyncio.timeout(5):
        while Path(f"/proc/{grandchild}").exists() and " Z " not in Path(f"/proc/{grandchild}/stat").read_text():
            await asyncio.sleep(0.01)


async def test_a_child_that_dies_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    process = Process("child", tmp_path / "log")
    await process.spawn(python("raise SystemExit('no such luck')"))

    async def never() -> bool:
        return False

    with pytest.raises(StackError, match=r"(?s)child ended with exit status 1 while starting:.*no such luck"):
        await process.until_ready(never)


async def test_a_child_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    process = Process("child", tmp_path / "log")
    await process.spawn(python("import signal; signal.pause()"))

    async def never() -> bool:
        return False

    with pytest.raises(StackError, match="was not ready within"):
        await process.until_ready(never, within=0.1)
    assert not process.running


async def test_can_be_started_again_and_not_twice_at_once(tmp_path: Path) -> None:
    process = Process("child", tmp_path / "log")
    for word in ("first", "second"):
        await process.spawn(python(f"print({word!r}); import signal; signal.pause()"))
        with pytest.raises(StackError, match="already runs"):
            await process.spawn(python("pass"))
        await said(process, word)
        await process.kill()
    assert "first" in process.tail()


async def test_a_program_that_is_not_there_is_an_ending_like_any(tmp_path: Path) -> None:
    process = Process("child", tmp_path / "log")
    await process.spawn(Command(argv=["/nonexistent/program"], env={}))
    assert await process.wait() != 0
    assert "/nonexistent/program" in process.tail()


async def test_a_process_never_started_can_be_stopped(tmp_path: Path) -> None:
    process = Process("child", tmp_path / "log")
    await process.stop()
    await process.kill()
    assert "no log" in process.tail()


def test_a_log_keeps_its_last_half_in_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {n}\n" for n in range(1000)))
    trim(log, limit=1000)
    kept = log.read_text().splitlines()
    assert kept[-1] == "line 999"
    assert kept[0].startswith("line ")
    assert log.stat().st_size <= 500
    trim(log, limit=1000)
    assert log.read_text().splitlines() == kept
    trim(tmp_path / "missing", limit=1)


@pytest.mark.parametrize(("code", "words"), [(0, "exit status 0"), (-9, "SIGKILL"), (-200, "signal 200")])
def test_endings_are_told_in_words(code: int, words: str) -> None:
    assert ending(code) == words
