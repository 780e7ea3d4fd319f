"""What a row of the earlier server means in ours, where that takes more than SQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from models.analysis_result import Conclusion
from models.importing.earlier import Fit
from yousync.failures import LEARNER_MESSAGES
from yousync.job import State
from yousync.youtube import canonical_video

Conclude = Callable[[bytes], Conclusion]
"""Reads what an analysis server sent, as for any webhook: the engine's own rule."""

NEVER_ENDED: Final = "never_ended"
"""The code of an analysis that the earlier server left unfinished."""


def letters(text: str) -> str:
    """As the web frontend compares sentences: what is neither a Latin letter nor a digit does not count."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def fit_video(row: dict[str, Any]) -> dict[str, Any]:
    """The one spelling of its video, None where it names none."""
    return row | {"video": canonical_video(row["youtube_url"]) if row["youtube_url"] else None}


def fit_script(row: dict[str, Any]) -> dict[str, Any]:
    """What its text is compared by."""
    return row | {"letters": letters(row["script"])}


def fit_word(row: dict[str, Any]) -> dict[str, Any]:
    """Without the NUL that jsonb cannot hold."""
    mfcc = row["mfcc"]
    return row | {"mfcc": None if mfcc is None else mfcc.replace("\\u0000", "")}


def fit_result(conclude: Conclude) -> Fit:
    """How the row ended, by the same rule as a webhook's: what was never ended failed, what holds nothing did too."""

    def fit(row: dict[str, Any]) -> dict[str, Any]:
        if row["status"] == "completed":
            ended = conclude((row["result"] or "{}").encode())
            return row | _ended(ended, row["message"])
        if row["status"] == "failed":
            return row | _failed("analysis_failed", row["message"] or "")
        return row | _failed(NEVER_ENDED, LEARNER_MESSAGES[NEVER_ENDED])

    return fit


def _ended(ended: Conclusion, said: str | None) -> dict[str, Any]:
    if ended.state is not State.COMPLETED:
        return _failed(ended.code, ended.message)
    inner = ended.result.get("result")
    words = inner.get("word_analysis") if isinstance(inner, dict) else None
    heard = [_text(word) for word in words] if isinstance(words, list) else []
    score = ended.overall_score
    return {
        "letters": letters(" ".join(heard)),
        "state": State.COMPLETED.value,
        "code": "",
        "said": said or "",
        "stored": orjson.dumps(ended.result).decode(),
        "overall_score": score / 100 if score is not None and 1 < score <= 100 else score,
    }


def _failed(code: str, said: str) -> dict[str, Any]:
    return {"letters": "", "state": "failed", "code": code, "said": said, "stored": None, "overall_score": None}


def _text(word: Any) -> str:
    """A word of a result: text, or in old ones an object of its own."""
    word = word.get("word") if isinstance(word, dict) else word
    word = word.get("word") if isinstance(word, dict) else word
    return word if isinstance(word, str) else ""
