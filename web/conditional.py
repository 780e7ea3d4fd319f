"""Reads that need not be sent again: a strong ETag of what would be sent, and If-None-Match (RFC 9110 section 13)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from aiohttp import hdrs, web

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_PRIVATE = "private, no-cache"
_PUBLIC = "no-cache"


def etag_of(body: bytes) -> str:
    """A strong entity tag, quotes and all, of exactly these bytes: BLAKE2b, some 1 ms a megabyte."""
    return f'"{hashlib.blake2b(body, digest_size=15).hexdigest()}"'


def known(etag: str, if_none_match: Iterable[str]) -> bool:
    """Whether the client has it already: one of its tags, weakly compared, or `*`."""
    given = ",".join(if_none_match)
    return given.strip() == "*" or etag in _TAG.findall(given)


def conditional(
    request: web.Request, body: bytes, *, etag: str | None, headers: Mapping[str, str], personal: bool
) -> web.Response:
    """The 200 with `body`, or a 304 with the same headers when the client has it.

    Whoever keeps the answer asks each time whether it still holds; `personal` ones only the client itself may keep.
    `headers` go over what is put on here.
    """
    put: dict[str, str] = {hdrs.ETAG: etag or etag_of(body), hdrs.CACHE_CONTROL: _PRIVATE if personal else _PUBLIC}
    if personal:
        put[hdrs.VARY] = hdrs.AUTHORIZATION
    put.update(headers)
    if hdrs.IF_NONE_MATCH in request.headers and known(put[hdrs.ETAG], request.headers.getall(hdrs.IF_NONE_MATCH)):
        return web.Response(status=304, headers=put)
    return web.Response(body=body, headers=put, content_type="application/json")
