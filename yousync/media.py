"""Where a clip's files lie: what the catalogue's `s3_…_url` columns say, taken apart."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

_AMAZON: Final = re.compile(
    r"(?:(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?"
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object in a bucket that is ours, or that we were told to read."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Link:
    """Anything else, as it was written."""

    url: str


def located(stored: str, *, bucket: str, others: Collection[str] = ()) -> S3Object | Link:
    """What a stored value means: a key of `bucket`, `s3://bucket/key`, or Amazon's URL of an object in either style.

    Objects of buckets that are neither `bucket` nor among `others` are links like any other: a host that only looks
    like S3's, or a bucket of somebody else's, is not asked with our credentials.
    """
    if _SCHEME.match(stored) is None:
        return S3Object(bucket, stored.lstrip("/"))
    try:
        url = urlsplit(stored)
        host = url.hostname or ""
    except ValueError:
        return Link(stored)
    key = unquote(url.path.lstrip("/"))
    named = ""
    if url.scheme == "s3":
        named, key = url.netloc, stored.split("://", 1)[1].partition("/")[2]
    elif url.scheme in {"http", "https"} and (found := _AMAZON.fullmatch(host)):
        named = found["bucket"] or ""
        if not named:
            named, _, key = key.partition("/")
    return S3Object(named, key) if key and named in {bucket, *others} else Link(stored)
