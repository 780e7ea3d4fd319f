"""The process behind `Mixer`: `python -m yousync.mixing.hand PARENT_PID`, one mix and then its end."""

from __future__ import annotations

import json
import sys

import numpy as np

from yousync.audio.child import confine, die_with_parent, serve
from yousync.mixing.laying import Unheard, mix, wav
from yousync.mixing.plan import Plan, Take

MEMORY_BYTES = 2 * 2**30  # address space: a mix of MAX_SECONDS in stereo takes half of it
CPU_SECONDS = 40


def answer(question: bytes) -> bytes:
    """A WAV, or JSON that says which part cannot be read and why."""
    try:
        return mix(Plan.from_bytes(question))
    except Unheard as error:
        return json.dumps({"part": error.part, "code": error.code}).encode()


def warm_up() -> None:
    """Mixes half a second of noise, so that every module and table that mixing needs is loaded."""
    noise = wav(np.resize(np.array([0.9, -0.9, 0.5], dtype=np.float32), (4000, 1)), 8000)
    mix(Plan(noise, noise, (Take(noise, 0.0, 0.5),), 0.5))


def main() -> None:
    """Serves the parent until it goes away."""
    die_with_parent(int(sys.argv[1]))
    warm_up()
    confine(memory_bytes=MEMORY_BYTES)
    serve(answer, cpu_seconds=CPU_SECONDS)


if __name__ == "__main__":
    main()
