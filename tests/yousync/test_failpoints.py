"""Failpoints do nothing unless asked, and then what they were asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from yousync import failpoints

PROGRAM = """
import asyncio
from yousync.failpoints import failpoint, failpoints

@failpoints("audio.put")
async def put(fails):
    if fails:
        raise OSError

async def main():
    for fails in (False, True):
        try:
            await put(fails)
        except OSError:
            failpoint("audio.lost")

asyncio.run(main())
"""


def passed(tmp_path: Path, *orders: str) -> tuple[int, list[str]]:
    """How a program with these orders ended, and the points it passed."""
    file = tmp_path / "passed"
    env = {"YOUSYNC_FAILPOINTS": ",".join([f"record:{file}", *orders])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, cwd=Path(failpoints.__file__).parents[1], check=False
    )
    return done.returncode, file.read_text().split()


ALL = ["audio.put.before", "audio.put.after", "audio.put.before", "audio.put.after", "audio.lost"]


@pytest.mark.parametrize(
    ("orders", "number"),
    [
        ([], 5),
        (["kill:audio.put.before:2"], 3),
        (["kill:audio.put.after:1"], 2),
        (["kill:audio.put.after:3"], 5),
        (["kill-hit:4"], 4),
    ],
)
def test_a_process_ends_where_it_was_told(tmp_path: Path, orders: list[str], number: int) -> None:
    code, names = passed(tmp_path, *orders)
    assert names == ALL[:number]
    assert code == (0 if number == len(ALL) else -9)


def test_nothing_is_wrapped_in_production() -> None:
    async def effect() -> None: ...

    assert failpoints.failpoints("noun.verb")(effect) is effect
    failpoints.failpoint("noun.verb.before")


def test_a_wrong_order_is_refused() -> None:
    with pytest.raises(ValueError, match="pause"):
        failpoints.Failpoints("pause:3")


def test_a_process_freezes_where_it_was_told_and_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "passed"
    env = {"YOUSYNC_FAILPOINTS": f"record:{file},stop:audio.put.after:1"}
    child = subprocess.Popen([sys.executable, "-c", PROGRAM], env=env, cwd=Path(failpoints.__file__).parents[1])
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert file.read_text().split() == ALL[:2]
    child.send_signal(signal.SIGCONT)
    assert child.wait(20) == 0
    assert file.read_text().split() == ALL
