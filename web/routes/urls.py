"""Videos that clips were cut from, and those of them that two can play."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, Field

from models import token_lists
from web.contract import Contract, Encoded
from web.drafts import Video
from web.shapes import DuetScene, Token, UrlKnown
from web.wiring import CATALOGUE
from yousync.errors import DependencyDown, UrlNotFound
from yousync.youtube import canonical_video

routes = Contract(tag="Catalogue")


class VideoBody(BaseModel):
    """A YouTube video."""

    youtube_url: Video


class VideoQuery(BaseModel):
    """A YouTube video; what is no address of any is simply not there."""

    youtube_url: Annotated[str, Field(max_length=2048, examples=["https://youtu.be/dQw4w9WgXcQ"])]


@routes.post("/urls/check", raises=(DependencyDown,))
async def check_url(_request: web.Request, *, body: VideoBody) -> UrlKnown:
    """Tell whether a video is in the catalogue."""
    return UrlKnown(exists=await token_lists.is_listed(body.youtube_url))


@routes.get("/urls/tokens", raises=(UrlNotFound, DependencyDown))
async def list_tokens_of_video(request: web.Request, *, query: VideoQuery) -> Encoded[list[Token]]:
    """List the clips of a video, the oldest first."""
    return await request.app[CATALOGUE].reply(_tokens_of, canonical_video(query.youtube_url))


@routes.get("/duet/scenes", raises=(DependencyDown,))
async def list_duet_scenes(request: web.Request) -> Encoded[list[DuetScene]]:
    """List the videos that exactly two clips were cut from, at most 500; title and thumbnail are the first clip's."""
    return await request.app[CATALOGUE].reply(_scenes)


async def _tokens_of(url: str | None) -> list[token_lists.Row]:
    found = None if url is None else await token_lists.tokens_of_video(url)
    if found is None:
        raise UrlNotFound
    return found


async def _scenes() -> list[dict[str, object]]:
    rows = await token_lists.duet_tokens()
    return [
        {
            "youtube_url": first["youtube_url"],
            "thumbnail_url": first["thumbnail_url"],
            "scene_title": first["token_name"],
            "duet_pair": [first, second],
        }
        for first, second in zip(rows[::2], rows[1::2], strict=True)
    ]
