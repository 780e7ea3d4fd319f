"""The inside of a decoder process: it gives up what it does not need, then answers one question after another.

Questions and answers are frames on stdin and stdout: four bytes of length, big-endian, then the content. The
first answer, `READY`, comes unasked. The end of stdin ends the process.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO

READY = b"ready"
LENGTH = struct.Struct("!I")
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Makes the kernel kill this process when its parent dies, however that happens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)


def confine(*, memory_bytes: int) -> None:
    """Takes from this process the means to open, write, fork or fill the memory; there is no way back.

    With no free file descriptor every open() and socket() fails, whatever a demuxer is talked into. All that is
    imported late must have been imported before. Nothing is written to stderr from here on: what a stranger's
    file makes a library say does not belong into the log.
    """
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stderr.fileno())
    os.close(silence)
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_NOFILE, 3)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NPROC, 0)


def serve(answer: Callable[[bytes], bytes], *, cpu_seconds: int) -> None:
    """Answers questions until stdin ends; one that takes more than `cpu_seconds` kills the process."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    _send(answers, READY)
    while (head := questions.read(LENGTH.size)) and len(head) == LENGTH.size:
        (size,) = LENGTH.unpack(head)
        question = questions.read(size)
        if len(question) < size:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + cpu_seconds + 1, hard))
        _send(answers, answer(question))


def _send(out: BinaryIO, content: bytes) -> None:
    out.write(LENGTH.pack(len(content)) + content)
    out.flush()


def _limit(what: int, value: int) -> None:
    try:
        resource.setrlimit(what, (value, value))
    except (OSError, ValueError):
        # macOS refuses some of them; the wall clock and the codec list still stand there.
        if sys.platform == "linux":
            raise
