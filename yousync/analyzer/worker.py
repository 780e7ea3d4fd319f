"""The process that decodes and measures: `python -m yousync.analyzer.worker PARENT_PID MAX_SECONDS`."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from yousync.analyzer.pitch import RATE
from yousync.analyzer.pronunciation import Pronouncer, SpeechError
from yousync.analyzer.reference import Reference
from yousync.analyzer.results import analyze
from yousync.analyzer.words import Line, Word, from_json, jsonable
from yousync.audio import Sound, read_sound
from yousync.audio.child import LENGTH, confine, die_with_parent, serve
from yousync.audio.reading import warm_up
from yousync.audio.refusals import Refusal
from yousync.errors import AudioTooLong, EmptyAudio, YouSyncError

_MEMORY_BYTES = 1536 * 2**20  # address space; what is resident stays far below
_CPU_SECONDS = 60
_SHORTEST_S = 0.2


def question(recording: bytes, line: Line, reference: Reference | None) -> bytes:
    """Asks for a recording's result: script and reference as JSON behind its length, then the recording."""
    return _pack({"line": jsonable(line), "reference": reference and reference.as_json()}, recording)


def reference_question(recording: bytes, line: Line) -> bytes:
    """Asks for the features of the actor's own recording of a line."""
    return _pack({"line": jsonable(line), "features": True}, recording)


def answer(asked: bytes, pronouncer: Pronouncer, max_seconds: float) -> bytes:
    """JSON with `result` or `features`, or with `error` and its `code` and `message`."""
    (size,) = LENGTH.unpack_from(asked)
    head = orjson.loads(asked[LENGTH.size : LENGTH.size + size])
    line = from_json(head["line"])
    try:
        sound = read_sound(asked[LENGTH.size + size :], rate=RATE, max_seconds=max_seconds)
        if sound.seconds < _SHORTEST_S:
            return _error("too_short", "The recording is shorter than any word.")
        if "features" in head:
            words = [word.text for word in line.words]
            return orjson.dumps({"features": Reference.of_sound(pronouncer, samples_of(sound), words).as_json()})
        reference = head["reference"] and Reference.from_json(head["reference"])
        result = analyze(pronouncer, samples_of(sound), line, reference, truncated=sound.truncated)
        return orjson.dumps({"result": result})
    except SpeechError as error:
        return _error(error.code, error.message)
    except AudioTooLong:
        return _error("too_long", f"The recording is longer than {max_seconds:g} s.")
    except EmptyAudio:
        return _error("too_short", "There is no sound in the recording.")
    except Refusal as error:
        return _error(error.reason, error.title)
    except YouSyncError as error:
        return _error(error.code, error.title)
    except MemoryError:
        return _error("out_of_memory", "The recording takes more memory than a recording should.")


def samples_of(sound: Sound) -> NDArray[np.float32]:
    """Decoded sound as numbers from -1 to 1."""
    return np.frombuffer(sound.pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


def _pack(head: dict[str, Any], recording: bytes) -> bytes:
    told = orjson.dumps(head)
    return LENGTH.pack(len(told)) + told + recording


def _error(code: str, message: str) -> bytes:
    body: dict[str, Any] = {"error": {"code": code, "message": message}}
    return orjson.dumps(body)


def main() -> None:
    """Serves the parent until it goes away."""
    parent, max_seconds = int(sys.argv[1]), float(sys.argv[2])
    die_with_parent(parent)
    warm_up()
    pronouncer = Pronouncer()
    buzz = np.sin(2 * np.pi * 150 * np.arange(RATE // 2) / RATE) * 0.3
    with contextlib.suppress(SpeechError):  # everything that is loaded late is loaded by it, whatever it finds
        analyze(pronouncer, buzz.astype(np.float32), Line((Word("a", 0.0, 0.5),), 0.0))
    confine(memory_bytes=_MEMORY_BYTES)
    serve(lambda asked: answer(asked, pronouncer, max_seconds), cpu_seconds=_CPU_SECONDS)


if __name__ == "__main__":
    main()
