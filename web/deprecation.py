"""Spellings that are kept for old clients: they work as ever, and each answer names the one to use (RFC 9745)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from web.endpoint import Endpoint
from web.requests import add_headers

SINCE: Final = "@1795564800"  # 2026-11-25, as RFC 9745 writes dates


def instead_of(endpoint: Endpoint, path: str) -> Handler:
    """What answers `endpoint` at this spelling of its path.

    A trailing slash is an older spelling, as is a path that another took the place of. The prefix is not: it is
    the client's choice of server.
    """
    prefix = "/api" if path.startswith("/api/") and not endpoint.path.startswith("/api/") else ""
    bare = endpoint.path.rstrip("/")
    if endpoint.deprecated_for is not None:
        successor = prefix + endpoint.deprecated_for
    elif bare and path.endswith("/"):
        successor = prefix + bare
    else:
        return endpoint.__call__

    async def older(request: web.Request) -> web.StreamResponse:
        target = re.sub(r"{(\w+)[^}]*}", lambda found: quote(request.match_info[found[1]], safe=""), successor)
        add_headers(request, {"Deprecation": SINCE, "Link": f'<{target}>; rel="successor-version"'})
        return await endpoint(request)

    return older
