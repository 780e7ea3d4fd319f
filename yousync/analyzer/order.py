"""What an analysis request asks for, in either of the two shapes that backends send."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import orjson

from yousync.analyzer.words import Line, Word, jsonable

_JOB_ID = re.compile(r"[\x21-\x7e]{1,128}")
_MAX_WORDS = 2000


class MalformedOrderError(Exception):
    """The request is of neither shape; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Order:
    """One recording to measure: who asks (`job_id`), where it lies, what should be heard, whom to tell."""

    job_id: str
    bucket: str
    key: str
    webhook_url: str
    line: Line

    @property
    def fingerprint(self) -> str:
        """Equal for two orders of the same work, wherever the answer is to go."""
        what = orjson.dumps([self.bucket, self.key, jsonable(self.line)])
        return hashlib.sha256(what).hexdigest()

    @property
    def webhook_place(self) -> str:
        """The webhook's address without its query, which holds a token: fit for the log."""
        parts = urlsplit(self.webhook_url)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"

    @classmethod
    def read(cls, form: Mapping[str, str], idempotency_key: str | None) -> Self:
        """The order in a form.

        Script shape: one field `request_data`, JSON with `s3_audio_url`, `webhook_url` and `script`. Token shape:
        those two as fields and, where the backend says what should be heard, `script`, JSON with `scripts`. The job
        is named by the Idempotency-Key or else by the webhook's `job_id`. Raises MalformedOrderError.
        """
        if "request_data" in form:
            data = _object(form["request_data"])
            line = _line([_object(data.get("script"))], begins=_object(data.get("script")).get("start_time"))
        else:
            data = dict(form)
            scripts = _object(form["script"]) if form.get("script") else {}
            line = _line(_list(scripts.get("scripts", [])), begins=scripts.get("start_time"))
        webhook = str(data.get("webhook_url") or "")
        if urlsplit(webhook).scheme not in {"http", "https"} or not urlsplit(webhook).hostname:
            raise MalformedOrderError("webhook_url is no http(s) URL")
        job_id = (idempotency_key or "").strip('" ') or parse_qs(urlsplit(webhook).query).get("job_id", [""])[0]
        if not _JOB_ID.fullmatch(job_id):
            raise MalformedOrderError("neither Idempotency-Key nor the job_id of webhook_url names the job")
        scheme, _, place = str(data.get("s3_audio_url") or "").partition("://")
        bucket, _, key = place.partition("/")
        if scheme != "s3" or not bucket or not key:
            raise MalformedOrderError("s3_audio_url is not of the form s3://bucket/key")
        return cls(job_id, bucket, key, webhook, line)


def _line(scripts: list[Any], *, begins: Any) -> Line:
    found = [_object(word) for script in scripts for word in _list(_object(script).get("words", []))]
    if len(found) > _MAX_WORDS:
        raise MalformedOrderError("more words than anybody says in a minute or two")
    words = tuple(
        Word(str(word.get("word") or ""), _seconds(word.get("start_time")), _seconds(word.get("end_time")))
        for word in found
    )
    return Line(words, _seconds(begins))


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise MalformedOrderError("a field that should be JSON is not") from error
    if not isinstance(value, dict):
        raise MalformedOrderError("an object is missing or is something else")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedOrderError("a list is something else")
    return value


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
