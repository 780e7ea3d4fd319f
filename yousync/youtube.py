"""YouTube addresses: every way of writing one, and the one spelling that is kept."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

_ID: Final = re.compile(r"[A-Za-z0-9_-]{11}")
_HOSTS: Final = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "music.youtube.com"})
_EMBEDDING: Final = frozenset({"youtube-nocookie.com", "www.youtube-nocookie.com"})
_FOLDERS: Final = frozenset({"shorts", "embed", "live", "v", "e"})


PATTERN: Final = (
    r"^(https?://)?((www|m|music)\.)?(youtube\.com/(watch\?v=|shorts/|embed/|live/)|youtu\.be/)"
    r"[A-Za-z0-9_-]{11}([?&#/][^\x00-\x20]*)?$"
)
"""What documents say of such an address; `canonical_video` takes some more."""


def canonical_video(text: str) -> str | None:
    """`https://www.youtube.com/watch?v=<11 characters>` of any address of a video; None for anything else.

    Watch pages, youtu.be, shorts, embedded players and live pages are taken, with or without a scheme and whatever
    parameters follow (a start time, a playlist, a share token). Clients take all text after `v=` for the id.
    """
    text = text.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        url = urlsplit(text)
        host = (url.hostname or "").lower().rstrip(".")
        port = url.port
    except ValueError:
        return None
    if url.scheme.lower() not in {"http", "https"} or port not in {None, 80, 443} or url.username is not None:
        return None
    video = _video(host, [part for part in url.path.split("/") if part], url.query)
    return f"https://www.youtube.com/watch?v={video}" if _ID.fullmatch(video) else None


def _video(host: str, path: list[str], query: str) -> str:
    """What stands where the id of a video should; empty where nothing does."""
    if host in {"youtu.be", "www.youtu.be"}:
        return path[0] if len(path) == 1 else ""
    if host not in _HOSTS | _EMBEDDING:
        return ""
    if path == ["watch"]:
        return parse_qs(query).get("v", [""])[0]
    if len(path) == 2 and path[0] in _FOLDERS:
        return path[1]
    return ""
