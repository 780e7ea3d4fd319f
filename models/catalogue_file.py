"""The catalogue as a file: its schema, and reading it so that a mistake is named with its line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Hashable, Iterable
from json import JSONDecodeError, JSONDecoder
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

T = TypeVar("T", bound=Hashable)

_YOUTUBE = re.compile(r"https://www\.youtube\.com/watch\?v=[A-Za-z0-9_-]{11}")


class CatalogueError(Exception):
    """The file is refused; the message lists every reason with its line."""


def _storable(text: str) -> str:
    """Postgres stores neither NUL nor lone surrogates."""
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("contains a character that cannot be stored")
    return text


def _canonical(url: str) -> str:
    """The one spelling that clients take apart: all text after `v=` is the video's id."""
    if not _YOUTUBE.fullmatch(url):
        raise ValueError("must be https://www.youtube.com/watch?v= and an id of 11 characters, with nothing after it")
    return url


Text = Annotated[str, Field(min_length=1), AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_storable)]
YouTubeUrl = Annotated[str, AfterValidator(_canonical)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Unused = Annotated[Any, Field(None, exclude=True, description="read-only in the API; accepted and not used")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WordEntry(_Entry):
    """One word; seconds in the video."""

    word: Text
    start_time: Seconds
    end_time: Seconds
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    mfcc: list[Annotated[list[float], Field(min_length=13, max_length=13)]] | None = None
    id: Unused = None
    script_id: Unused = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end_time < self.start_time:
            raise ValueError("end_time is before start_time")
        return self


class ScriptEntry(_Entry):
    """One sentence; seconds in the video."""

    start_time: Seconds
    end_time: Seconds
    script: Text
    translation: Text | None = None
    words: list[WordEntry] = []
    id: Unused = None
    token_id: Unused = None

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end_time <= self.start_time:
            raise ValueError("end_time is not after start_time")
        return self


class TokenEntry(_Entry):
    """A clip with its sentences."""

    token_name: Text
    actor_name: Name
    category: Text | None = None
    start_time: Seconds
    end_time: Seconds
    youtube_url: YouTubeUrl
    thumbnail_url: Text | None = None
    s3_textgrid_url: Text | None = None
    s3_pitch_url: Text | None = None
    s3_bgvoice_url: Text | None = None
    scripts: list[ScriptEntry] = []
    id: Unused = None
    view_count: Unused = None
    bgvoice_url: Unused = None
    pitch: Unused = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.end_time <= self.start_time:
            raise ValueError("end_time is not after start_time")
        for start in _repeated(script.start_time for script in self.scripts):
            raise ValueError(f"two scripts start at {start}")
        return self


class ActorEntry(_Entry):
    """An actor with other spellings of the name."""

    name: Name
    aliases: list[Name] = []
    id: Unused = None


class UrlEntry(_Entry):
    """Whose video this is; needed only where tokens of several actors share one."""

    youtube_url: YouTubeUrl
    actor_name: Name


class Catalogue(_Entry):
    """A whole file."""

    actors: list[ActorEntry]
    urls: list[UrlEntry] = []
    tokens: list[TokenEntry] = []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [f"actor {name!r} is listed twice" for name in _repeated(actor.name for actor in self.actors)]
        problems += [f"url {url} is listed twice" for url in _repeated(entry.youtube_url for entry in self.urls)]
        keys = _repeated((token.youtube_url, token.actor_name, token.token_name) for token in self.tokens)
        problems += [f"token {' / '.join(key)} is listed twice" for key in keys]
        known = {actor.name for actor in self.actors}
        named = {entry.actor_name for entry in self.urls} | {token.actor_name for token in self.tokens}
        problems += [f"actor {name!r} is used but not listed in `actors`" for name in sorted(named - known)]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _repeated(values: Iterable[T]) -> list[T]:
    return [value for value, count in Counter(values).items() if count > 1]


def parse_catalogue(data: bytes) -> Catalogue:
    """Read a catalogue file. Raises CatalogueError with every fault found, each with its line."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CatalogueError(f"line {line}: not UTF-8 text") from None
    try:
        value = json.loads(text)
    except JSONDecodeError as error:
        raise CatalogueError(f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise CatalogueError("line 1: nested too deeply") from None
    try:
        return Catalogue.model_validate(value)
    except ValidationError as error:
        lines = []
        for item in error.errors(include_url=False, include_input=False):
            message = item["msg"].removeprefix("Value error, ")
            lines.append((line_of(text, item["loc"]), f"{path_of(item['loc'])}: {message}"))
        raise CatalogueError("\n".join(f"line {line}: {reason}" for line, reason in sorted(lines))) from None


def path_of(loc: Iterable[int | str]) -> str:
    """A place in the file as people write it: `tokens[0].scripts[2].script`."""
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return path.removeprefix(".") or "the file"


def line_of(text: str, loc: Iterable[int | str]) -> int:
    """The line on which the value at `loc` begins; where it is missing, its parent's."""
    position = _skip_space(text, 0)
    for step in loc:
        found = _child(text, position, step)
        if found is None:
            break
        position = found
    return text.count("\n", 0, position) + 1


_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = JSONDecoder()


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _child(text: str, position: int, step: int | str) -> int | None:
    """Where member `step` of the object or array at `position` begins; of repeated keys the last, as json takes it."""
    opening = text[position]
    if opening not in "{[" or (opening == "{") != isinstance(step, str):
        return None
    found: int | None = None
    index = 0
    position = _skip_space(text, position + 1)
    while text[position] not in "}]":
        key: int | str = index
        if opening == "{":
            key, position = _DECODER.raw_decode(text, position)
            position = _skip_space(text, _skip_space(text, position) + 1)
        if key == step:
            found = position
        _, position = _DECODER.raw_decode(text, position)
        position = _skip_space(text, position)
        if text[position] == ",":
            position = _skip_space(text, position + 1)
        index += 1
    return found
