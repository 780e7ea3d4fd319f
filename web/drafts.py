"""The catalogue as admins write it. What is not listed here, view counts among it, is not theirs to set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field

from web.fields import Text
from yousync.errors import ValidationFailed
from yousync.youtube import PATTERN, canonical_video


def _canonical(text: str) -> str:
    url = canonical_video(text)
    if url is None:
        raise ValueError("must be the address of a YouTube video")
    return url


Video = Annotated[
    str,
    Field(
        max_length=2048,
        description="Any spelling of its address; kept as https://www.youtube.com/watch?v= and an id",
        examples=["https://youtu.be/dQw4w9WgXcQ"],
        json_schema_extra={"pattern": PATTERN},
    ),
    AfterValidator(_canonical),
]
Name = Annotated[Text, Field(max_length=255)]
Line = Annotated[Text, Field(max_length=10_000)]
Location = Annotated[Text, Field(max_length=2048, description="A key in our bucket, s3://bucket/key, or a URL")]
Seconds = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False, description="In the YouTube video")]
Feature = Annotated[
    list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=13, max_length=13, fail_fast=True)
]

_MAX_WORDS: Final = 1000


class TokenDraft(BaseModel):
    """A clip; its actor and video are added where they are new."""

    token_name: Line
    actor_name: Name
    category: Name | None = None
    start_time: Seconds
    end_time: Seconds
    youtube_url: Video
    s3_textgrid_url: Location | None = None
    s3_pitch_url: Location | None = None
    s3_bgvoice_url: Location | None = None
    thumbnail_url: Location | None = None

    def check(self) -> None:
        """Raises ValidationFailed for what no single field is at fault in."""
        _refuse(_backwards(self.start_time, self.end_time, "/body"))


class WordDraft(BaseModel):
    """One word, and when it is spoken."""

    word: Name
    start_time: Seconds
    end_time: Seconds
    probability: Annotated[float, Field(ge=0, le=1)] | None = None
    # Of a megabyte of nonsense the first fault is told, not 80,000.
    mfcc: Annotated[
        list[Feature] | None, Field(fail_fast=True, description="Features of the original, frame by frame")
    ] = None


class ScriptDraft(BaseModel):
    """A sentence; words that are named, none included, take the place of all it had."""

    token_id: Annotated[int, Field(ge=1, le=2**31 - 1)]
    start_time: Seconds
    end_time: Seconds
    script: Line
    translation: Line | None = None
    words: Annotated[list[WordDraft] | None, Field(max_length=_MAX_WORDS)] = None

    def check(self) -> None:
        """Raises ValidationFailed for what no single field is at fault in: words lie inside, and in their order."""
        _refuse(_backwards(self.start_time, self.end_time, "/body"))
        _refuse(self._misplaced())

    def _misplaced(self) -> Iterator[tuple[str, str]]:
        before = self.start_time
        for place, word in enumerate(self.words or ()):
            at = f"/body/words/{place}"
            if word.end_time < word.start_time:
                yield f"{at}/end_time", "is before start_time"
            if word.start_time < before:
                yield f"{at}/start_time", "is before the word or sentence that it follows begins"
            if word.end_time > self.end_time:
                yield f"{at}/end_time", "is after the sentence's end"
            before = max(before, word.start_time)


class ActorDraft(BaseModel):
    """An actor, by the one name shown."""

    name: Name


def _backwards(start: float, end: float, at: str) -> Iterator[tuple[str, str]]:
    if end <= start:
        yield f"{at}/end_time", "must be after start_time"


def _refuse(faults: Iterator[tuple[str, str]]) -> None:
    errors = [{"pointer": pointer, "detail": detail, "code": "out_of_place"} for pointer, detail in faults]
    if errors:
        raise ValidationFailed(errors=errors)
