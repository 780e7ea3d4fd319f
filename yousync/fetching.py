"""Getting small files from hosts that an operator named, and from nowhere else: URLs in tables are anybody's.

A URL's origin must be on the list, its name must resolve to public addresses only, the connection goes to the very
address that was looked at, and no redirect is followed (OWASP API7:2023, server-side request forgery).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.helpers import is_ip_address
from aiohttp.resolver import ThreadedResolver
from typing_extensions import override
from yarl import URL

from yousync.origin import canonical_origin

MAX_BYTES: Final = 2**20
SECONDS: Final = 3.0

_REFUSED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "::ffff:0:0/96",  # IPv4 in IPv6 notation
        "::/96",  # the same, deprecated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "2002::/16",  # 6to4
        "2001::/32",  # Teredo
        "192.0.0.0/24",  # protocols' own; versions of Python differ on which of these are global
    )
)
"""IPv6 addresses that may mean an IPv4 address within, and what `is_global` is not sure of."""
_METADATA: Final = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "169.254.169.254", "fd00:ec2::254")))
"""Clouds' own services; Azure's has a public address."""

Allowed = Callable[[str], bool]


class FetchRefused(Exception):
    """Not fetched, or not to the end; the message says why and names no other system's text."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet's, and cannot stand for another."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # with a zone, for one
        return False
    if found in _METADATA or not found.is_global or found.is_multicast:
        return False
    return not any(found in network for network in _REFUSED if network.version == found.version)


class Vetting(AbstractResolver):
    """Resolves names to addresses that may be connected to; one bad address among them spoils the name."""

    def __init__(self, inner: AbstractResolver, allowed: Allowed) -> None:
        self._inner = inner
        self._allowed = allowed

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for each in found:
            if not self._allowed(each["host"]):
                raise FetchRefused("the name leads to an address that is not public")
        return found

    @override
    async def close(self) -> None:
        await self._inner.close()


class Fetcher:
    """Fetches by GET, without cookies, credentials or redirects."""

    def __init__(self, session: aiohttp.ClientSession, origins: Collection[str], allowed: Allowed) -> None:
        self._session = session
        self._origins = frozenset(origins)
        self._allowed = allowed

    async def get(self, url: str) -> bytes:
        """At most MAX_BYTES, within SECONDS. Raises FetchRefused for all that goes wrong."""
        try:
            parsed = URL(url)  # what the client itself goes by
            if parsed.user is not None or canonical_origin(str(parsed.origin())) not in self._origins:
                raise FetchRefused("its origin is not among MEDIA_ORIGINS")
            if is_ip_address(parsed.host) and not self._allowed(parsed.host or ""):  # no resolver is asked for these
                raise FetchRefused("its address is not public")
            async with asyncio.timeout(SECONDS):
                return await self._get(parsed)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise FetchRefused(type(error).__name__) from None

    async def _get(self, url: URL) -> bytes:
        async with self._session.get(url, allow_redirects=False) as reply:
            if reply.status != 200:
                raise FetchRefused(f"the answer was {reply.status}")
            body = bytearray()
            async for chunk in reply.content.iter_chunked(65_536):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise FetchRefused(f"it has more than {MAX_BYTES} bytes")
            return bytes(body)


@asynccontextmanager
async def open_fetcher(
    origins: Collection[str], *, resolver: AbstractResolver | None = None, allowed: Allowed = is_public
) -> AsyncIterator[Fetcher]:
    """A fetcher for these origins, each as `canonical_origin` spells it."""
    connector = aiohttp.TCPConnector(
        resolver=Vetting(resolver or ThreadedResolver(), allowed), use_dns_cache=False, limit=8
    )
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Fetcher(session, origins, allowed)
