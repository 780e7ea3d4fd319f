"""The decoder process behind `Prober`: `python -m yousync.audio.reader PARENT_PID MAX_SECONDS`."""

from __future__ import annotations

import json
import sys

from yousync.audio.child import confine, die_with_parent, serve
from yousync.audio.reading import seconds, warm_up
from yousync.errors import NotAudio, YouSyncError

MEMORY_BYTES = 768 * 2**20  # address space, of which Python and the libraries take 130 MB before the first file
CPU_SECONDS = 5


def answer(question: bytes, max_seconds: float) -> bytes:
    """JSON for the parent: how many seconds there are, or the code of the error."""
    try:
        return json.dumps({"seconds": seconds(question, max_seconds=max_seconds)}).encode()
    except YouSyncError as error:
        return json.dumps({"error": error.code}).encode()
    except (MemoryError, OverflowError, ValueError):
        return json.dumps({"error": NotAudio.code}).encode()


def main() -> None:
    """Serves the parent until it goes away."""
    parent, max_seconds = int(sys.argv[1]), float(sys.argv[2])
    die_with_parent(parent)
    warm_up()
    confine(memory_bytes=MEMORY_BYTES)
    serve(lambda question: answer(question, max_seconds), cpu_seconds=CPU_SECONDS)


if __name__ == "__main__":
    main()
