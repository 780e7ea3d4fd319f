"""The process that decodes and measures: `python -m yousync.analyzer.worker PARENT_PID MAX_SECONDS`."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import orjson

from yousync.analyzer.measuring import UnusableError, measure
from yousync.analyzer.voice import RATE
from yousync.analyzer.words import Line, Word, from_json, jsonable
from yousync.audio import decode
from yousync.audio.child import LENGTH, confine, die_with_parent, serve
from yousync.audio.reading import warm_up
from yousync.errors import YouSyncError

_MEMORY_BYTES = 1536 * 2**20
_CPU_SECONDS = 60


def question(recording: bytes, line: Line) -> bytes:
    """What the worker is asked: the line as JSON behind its length, then the recording as it is."""
    head = orjson.dumps(jsonable(line))
    return LENGTH.pack(len(head)) + head + recording


def answer(asked: bytes, max_seconds: float) -> bytes:
    """JSON with `result`, or with `error` and its `code` and `message`."""
    (size,) = LENGTH.unpack_from(asked)
    line = from_json(orjson.loads(asked[LENGTH.size : LENGTH.size + size]))
    try:
        pcm = decode(asked[LENGTH.size + size :], rate=RATE, max_seconds=max_seconds)
        return orjson.dumps({"result": measure(pcm, line)})
    except UnusableError as error:
        return _error(error.code, error.message)
    except YouSyncError as error:
        return _error(error.code, error.title)
    except MemoryError:
        return _error("audio_unrecognised", "The recording takes more memory than a recording should.")


def _error(code: str, message: str) -> bytes:
    body: dict[str, Any] = {"error": {"code": code, "message": message}}
    return orjson.dumps(body)


def main() -> None:
    """Serves the parent until it goes away."""
    parent, max_seconds = int(sys.argv[1]), float(sys.argv[2])
    die_with_parent(parent)
    warm_up()
    buzz = np.sin(2 * np.pi * 150 * np.arange(RATE // 2) / RATE) * 9000
    measure(buzz.astype("<i2").tobytes(), Line((Word("a", 0.0, 0.5),), 0.0))
    confine(memory_bytes=_MEMORY_BYTES)
    serve(lambda asked: answer(asked, max_seconds), cpu_seconds=_CPU_SECONDS)


if __name__ == "__main__":
    main()
