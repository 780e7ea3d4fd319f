"""One spelling of each video, whatever was typed; nothing else is taken for a video."""

from __future__ import annotations

import re

import pytest

from yousync.youtube import PATTERN, canonical_video

ID = "dQw4w9WgX-_"


@pytest.mark.parametrize(
    "spelling",
    [
        f"https://www.youtube.com/watch?v={ID}",
        f"https://www.youtube.com/watch?v={ID}&t=42s",
        f"http://youtube.com/watch?v={ID}#comments",
        f"https://m.youtube.com/watch?v={ID}",
        f"https://music.youtube.com/watch?v={ID}&list=abc",
        f"https://youtu.be/{ID}",
        f"https://youtu.be/{ID}?si=share-token",
        f"https://www.youtube.com/shorts/{ID}",
        f"https://www.youtube.com/embed/{ID}?autoplay=1",
        f"https://www.youtube.com/live/{ID}",
        f"www.youtube.com/watch?v={ID}",
    ],
)
def test_spellings_of_a_video(spelling: str) -> None:
    assert canonical_video(spelling) == f"https://www.youtube.com/watch?v={ID}"
    assert re.search(PATTERN, spelling), "and the document says so"


@pytest.mark.parametrize(
    "spelling",
    [
        f"https://www.youtube.com/watch?feature=share&v={ID}",
        f"  https://YouTube.com/watch?v={ID}  ",
        f"https://www.youtube-nocookie.com/embed/{ID}/",
    ],
)
def test_rarer_ones_are_taken_too(spelling: str) -> None:
    assert canonical_video(spelling) == f"https://www.youtube.com/watch?v={ID}"


@pytest.mark.parametrize(
    "other",
    [
        "",
        ID,
        "https://www.youtube.com/watch?v=short",
        f"https://www.youtube.com/watch?v={ID}x",
        f"https://www.youtube.com/watch?x={ID}",
        f"https://www.youtube.com/channel/{ID}",
        f"https://www.youtube.com.example.com/watch?v={ID}",
        f"https://example.com/watch?v={ID}",
        f"https://youtube.com@example.com/watch?v={ID}",
        f"https://me@www.youtube.com/watch?v={ID}",
        f"https://www.youtube.com:8443/watch?v={ID}",
        f"ftp://www.youtube.com/watch?v={ID}",
        f"javascript://www.youtube.com/watch?v={ID}",
        "https://youtu.be/",
        f"https://youtu.be/{ID}/{ID}",
        "https://[::1/watch",
    ],
)
def test_what_is_no_video(other: str) -> None:
    assert canonical_video(other) is None
