"""What an analysis request asks for, in either of the two shapes that backends send."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

from yousync.analyzer.words import Line, Word, jsonable

_JOB_ID = re.compile(r"[\x21-\x7e]{1,128}")
_S3_HOST = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]*)\.s3[.-][a-z0-9.-]*amazonaws\.com")
_MAX_WORDS = 2000


class MalformedOrderError(Exception):
    """The request is of neither shape; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Place:
    """An object in S3."""

    bucket: str
    key: str

    @classmethod
    def read(cls, value: Any) -> Self | None:
        """The object that an `s3://` URL, or AWS' own https form, names; None for everything else.

        Nothing but S3 is ever fetched: a URL in a request must not make this server call others.
        """
        if not isinstance(value, str):
            return None
        try:
            parts = urlsplit(value)
        except ValueError:
            return None
        if parts.scheme == "s3":
            bucket, key = parts.netloc, value.partition("://")[2].partition("/")[2]
        else:
            found = _S3_HOST.fullmatch(parts.netloc) if parts.scheme == "https" else None
            bucket, key = (found["bucket"] if found else ""), unquote(parts.path.removeprefix("/"))
        return cls(bucket, key) if bucket and key else None


@dataclass(frozen=True, slots=True)
class Order:
    """One recording to analyse: who asks, where it lies, what should be heard, and whom to tell.

    `pitch`, `textgrid` and `reference` are the actor's: contour, word times, and voice, each None where not named.
    """

    job_id: str
    recording: Place
    webhook_url: str
    line: Line
    pitch: Place | None = None
    textgrid: Place | None = None
    reference: Place | None = None

    @property
    def fingerprint(self) -> str:
        """Equal for two orders of the same work, wherever the answer is to go."""
        places = [self.recording, self.pitch, self.textgrid, self.reference]
        what = orjson.dumps([[place and asdict(place) for place in places], jsonable(self.line)])
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
        recording = Place.read(data.get("s3_audio_url"))
        if recording is None:
            raise MalformedOrderError("s3_audio_url is not of the form s3://bucket/key")
        actor = (Place.read(data.get(name)) for name in ("s3_pitch_url", "s3_textgrid_url", "s3_reference_url"))
        return cls(job_id, recording, webhook, line, *actor)


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
