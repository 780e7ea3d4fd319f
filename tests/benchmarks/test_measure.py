"""CPU and memory of processes, children included."""

from __future__ import annotations

import asyncio
import os
import sys

from benchmarks.measure import cpu_seconds, peak_bytes, resident_bytes

SPIN = "import time\nwhile time.process_time() < 0.2: pass\n"
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SPIN!r}])\nprint('done', flush=True)\ninput()"


async def test_cpu_counts_children_that_have_ended() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    used = cpu_seconds([process.pid])
    await process.communicate(b"\n")
    assert used >= 0.2


def test_memory_of_this_process() -> None:
    assert 2**20 < resident_bytes(os.getpid()) <= peak_bytes(os.getpid())


def test_a_process_that_is_gone_used_nothing() -> None:
    assert cpu_seconds([2**22 + 1]) == 0
