"""The catalogue as clients see it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Token(BaseModel):
    """A clip to practise on. Times are seconds in the YouTube video.

    `youtube_url` is always `https://www.youtube.com/watch?v=` and an id of 11 characters.
    """

    id: int
    token_name: str
    actor_name: str
    category: str | None
    start_time: float
    end_time: float
    s3_textgrid_url: str | None
    s3_pitch_url: str | None
    s3_bgvoice_url: str | None
    thumbnail_url: str | None
    youtube_url: str
    view_count: int


class Word(BaseModel):
    """One word of a sentence. Times are seconds in the YouTube video."""

    id: int
    script_id: int
    word: str | None
    start_time: float | None
    end_time: float | None
    probability: float | None


class Script(BaseModel):
    """One sentence of a clip, with its words in order. Times are seconds in the YouTube video."""

    id: int
    token_id: int
    start_time: float
    end_time: float
    script: str
    translation: str | None
    words: list[Word]


class PitchPoint(BaseModel):
    """The pitch at a moment of the YouTube video; no `hz` where nothing is voiced."""

    model_config = ConfigDict(allow_inf_nan=False)

    time: float
    hz: float | None = None


class TokenDetail(Token):
    """A clip with all it takes to practise it.

    `bgvoice_url` is a link to the background sound that opens it for some minutes. `pitch` is null where there is
    none, and at first where it takes long to fetch.
    """

    bgvoice_url: str | None
    pitch: list[PitchPoint] | None
    scripts: list[Script]


class Actor(BaseModel):
    """A person, by the one name shown."""

    id: int
    name: str


class DuetScene(BaseModel):
    """A video that two clips were cut from, to be played by two."""

    youtube_url: str
    thumbnail_url: str | None
    scene_title: str
    duet_pair: list[Token]


class Viewed(BaseModel):
    """How often a clip was viewed, this time included."""

    token_id: int
    view_count: int


class UrlKnown(BaseModel):
    """Whether a video is in the catalogue."""

    exists: bool


class Done(BaseModel):
    """What was done, in words."""

    message: str


class Removed(BaseModel):
    """What was removed, in words."""

    detail: str
