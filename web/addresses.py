"""Where a request really comes from, past the proxies that are ours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from aiohttp import web


def client_address(request: web.Request, trusted: list[str]) -> str:
    """The client's address: the peer's, or the first one in X-Forwarded-For that no trusted proxy wrote.

    `trusted` holds networks (CIDR). Headers from anybody else are not believed, and what is no address ends
    the walk. IPv6 clients count by their /64, which is what one subscriber has.
    """
    networks = _networks(tuple(trusted))
    hops = [part.strip() for value in request.headers.getall("X-Forwarded-For", []) for part in value.split(",")]
    address = request.remote or "0.0.0.0"  # noqa: S104  # an unknown peer, not a bind
    while hops:
        try:
            if not any(ip_address(address) in network for network in networks):
                break
            ip_address(hops[-1])
        except ValueError:
            break
        address = hops.pop()
    return _counted(address)


def came_by_https(request: web.Request, trusted: Sequence[str]) -> bool:
    """Whether the client's connection ended, encrypted, at a proxy of ours; what others say of it is not believed."""
    if request.headers.get("X-Forwarded-Proto", "").rpartition(",")[2].strip().lower() != "https":
        return False
    try:
        peer = ip_address(request.remote or "")
    except ValueError:
        return False
    return any(peer in network for network in _networks(tuple(trusted)))


def who(request: web.Request, caller: Any, trusted: list[str]) -> str:
    """Whoever is counted for a request: its user, or its address where it is nobody's."""
    return client_address(request, trusted) if caller is None else f"user:{caller.id}"


@lru_cache(maxsize=8)
def _networks(trusted: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(entry, strict=False) for entry in trusted]


def _counted(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else str(parsed)
