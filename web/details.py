"""A clip with all it takes to practise it: its row, its sentences, its pitch and a link to its background sound."""

from __future__ import annotations

import time
from typing import Final

from models.script_lists import scripts_of_token
from models.token_lists import token_row
from web.catalogue import COUNTS_SECONDS, Fleeting
from web.pitch import Pitches
from yousync.errors import TokenNotFound
from yousync.media import Link, located
from yousync.settings import Settings
from yousync.signing import LINK_WINDOW_SECONDS
from yousync.storage import Storage

_UNSETTLED_SECONDS: Final = 0.5


class Details:
    """Puts a clip together; two queries whatever it holds, and S3 keeps nobody waiting for long."""

    def __init__(self, settings: Settings, storage: Storage, pitches: Pitches) -> None:
        self._others = settings.media_buckets
        self._storage = storage
        self._pitches = pitches

    async def of(self, token_id: int) -> Fleeting:
        """The clip in the shape of `web.shapes.TokenDetail`, and how long it holds. Raises TokenNotFound."""
        row = await token_row(token_id)
        if row is None:
            raise TokenNotFound
        scripts = await scripts_of_token(token_id)
        pitch, settled = await self._pitches.of(row["s3_pitch_url"])
        left = LINK_WINDOW_SECONDS - time.time() % LINK_WINDOW_SECONDS  # then its link is another one
        link = await self._link(row["s3_bgvoice_url"])
        body = row | {"bgvoice_url": link, "pitch": pitch, "scripts": scripts}
        return Fleeting(body, min(COUNTS_SECONDS if settled else _UNSETTLED_SECONDS, left))

    async def _link(self, stored: str | None) -> str | None:
        if not stored:
            return None
        match located(stored, bucket=self._storage.bucket, others=self._others):
            case Link(url):
                return url
            case found:
                return await self._storage.presigned(found.uri)
