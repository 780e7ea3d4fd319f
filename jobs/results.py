"""What analysis servers send, read into the one shape that is stored and that frontends read."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import orjson

from models.analysis_result import Conclusion
from yousync.failures import LEARNER_MESSAGES
from yousync.job import Stage, State

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 200_000
_SMALL: Final = 65_536
Read = TypeVar("Read")
_FAILED_WORDS: Final = {"failed", "failure", "error"}
_WRAPPERS: Final = ("analysis_results", "result", "results")
_INT64: Final = 2**63
_INT32: Final = 2**31  # what ids are


class Unreadable(ValueError):
    """Not a JSON object, or a deeper or larger one than anything we would store."""


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`, storable: no NaN or infinity, no NUL characters, bounded in depth and number.

    Python and numpy servers write NaN although JSON has none (RFC 8259 section 6): it becomes null. Raises
    Unreadable for everything that is no object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            value = json.loads(body, parse_constant=lambda _: None)
        except (ValueError, RecursionError) as error:
            raise Unreadable("not JSON") from error
    if not isinstance(value, dict):
        raise Unreadable("not an object")
    cleaned: dict[str, Any] = _storable(value, MAX_DEPTH, _Budget(MAX_VALUES))
    return cleaned


async def off_the_loop(read: Callable[[bytes], Read], body: bytes) -> Read:
    """`read(body)`, in a thread where the body is large enough to be felt by everybody else."""
    return read(body) if len(body) <= _SMALL else await asyncio.to_thread(read, body)


def conclusion_of(body: bytes) -> Conclusion:
    """How the run ends that this result came for.

    Accepts `{"analysis_results": {...}}`, `{"result": {...}}` and the result object itself, and stores a
    result that has `.result.word_analysis` whenever the data has a word_analysis at all, beside its wrapper or in
    several. A body that reports a failure, or holds nothing at all, ends in `failed`.
    """
    try:
        data = read_object(body)
    except Unreadable as error:
        return _failure("analysis_result_invalid", str(error))
    if str(data.get("status", "")).lower() in _FAILED_WORDS or (data.get("error") and "result" not in data):
        return _failure(*_reported(data.get("error")))
    result = _with_result(data)
    if not result:
        return _failure("analysis_result_invalid", "empty")
    return Conclusion(state=State.COMPLETED, result=result, overall_score=_overall(result))


def prepared(body: bytes, there: Sequence[int]) -> Conclusion:
    """How a video's run ends by what the preprocess server says; `there` are the clips it names that exist.

    Clips that do not exist are left out, and a video of which none does has failed: it would show nothing.
    """
    try:
        data = read_object(body)
    except Unreadable as error:
        return _unprepared("preprocess_result_invalid", str(error))
    named = _ids(data)
    if str(data.get("status", "")).lower() in _FAILED_WORDS or not named:
        return _unprepared("preprocess_failed", str(data.get("message") or "it names no clip"))
    missing = sorted(set(named) - set(there))
    cause = f"clips that do not exist: {', '.join(map(str, missing[:20]))}" if missing else ""
    if not there:
        return _unprepared("preprocess_result_invalid", cause)
    return Conclusion(state=State.COMPLETED, result={"token_ids": list(there)}, cause=cause)


def named_tokens(body: bytes) -> list[int]:
    """The clips that a preprocess server says it has made; empty for what cannot be read."""
    try:
        return _ids(read_object(body))
    except Unreadable:
        return []


def _ids(data: dict[str, Any]) -> list[int]:
    """Servers call the list `token_ids` or `token_id`."""
    found = data.get("token_ids") or data.get("token_id")
    named = found if isinstance(found, list) else [found]
    return [each for each in named if isinstance(each, int) and not isinstance(each, bool) and 0 < each < _INT32]


def _unprepared(code: str, cause: str) -> Conclusion:
    return Conclusion(
        state=State.FAILED, code=code, cause=cause, message=LEARNER_MESSAGES[code], stage=Stage.PREPROCESS
    )


def _with_result(data: dict[str, Any]) -> dict[str, Any]:
    stored = _enveloped(data)
    inner = stored.get("result")
    if isinstance(inner, dict) and "word_analysis" not in inner and (holder := _holder(data)) is not None:
        held = {key: value for key, value in holder.items() if key not in {*_WRAPPERS, "status"}}
        outer = {key: value for key, value in stored.items() if key not in held}
        inner = {key: value for key, value in inner.items() if value is not holder}
        return {**outer, "result": {**inner, **held}}
    return stored


def _holder(data: dict[str, Any]) -> dict[str, Any] | None:
    """The outermost object that has a word_analysis; those of lists are each somebody else's."""
    level = [data]
    while level:
        for each in level:
            if "word_analysis" in each:
                return each
        level = [value for each in level for value in each.values() if isinstance(value, dict)]
    return None


def _enveloped(data: dict[str, Any]) -> dict[str, Any]:
    for name in _WRAPPERS:
        inner = data.get(name)
        if isinstance(inner, dict):
            outer = {key: value for key, value in data.items() if key not in {name, "status"}}
            wrapped_twice = isinstance(inner.get("result"), dict)  # the inner envelope is the shape already
            return {**outer, **(inner if wrapped_twice else {"result": inner})}
    return {"result": data} if data else {}


def _overall(stored: dict[str, Any]) -> float | None:
    inner = stored.get("result")
    value = inner.get("overall_score") if isinstance(inner, dict) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _reported(error: Any) -> tuple[str, str]:
    """Code and cause out of whatever form a server reports its failures in."""
    if isinstance(error, dict):
        code = str(error.get("code", ""))
        cause = str(error.get("message", ""))
    else:
        code, cause = "", str(error or "")
    return (code if re.fullmatch(r"[a-z][a-z0-9_]{0,40}", code) else "analysis_failed"), cause


def _failure(code: str, cause: str) -> Conclusion:
    message = LEARNER_MESSAGES.get(code, LEARNER_MESSAGES["analysis_failed"])
    return Conclusion(state=State.FAILED, code=code, cause=cause, message=message, stage=Stage.SUBMIT)


class _Budget:
    """How many values a result may still have."""

    def __init__(self, values: int) -> None:
        self.left = values


def _storable(value: Any, depth: int, budget: _Budget) -> Any:
    """`value` as Postgres' jsonb takes it: no NUL characters, lone surrogates, integers beyond 64 bits."""
    budget.left -= 1
    if depth == 0 or budget.left < 0:
        raise Unreadable("nested too deep or too many values")
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return float(value) if abs(value) < 2**1000 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_storable(item, depth - 1, budget) for item in value]
    if isinstance(value, dict):
        return {text_of(key): _storable(item, depth - 1, budget) for key, item in value.items()}
    return value


def text_of(value: str) -> str:
    """`value` as Postgres takes it: without NUL characters and lone surrogates."""
    return value.replace("\x00", "").encode("utf-8", "replace").decode()
