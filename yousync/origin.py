"""Web origins (RFC 6454): one spelling of each, so that equal ones compare equal."""

from __future__ import annotations

import re

_SERIALIZED = re.compile(r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def canonical_origin(text: str) -> str | None:
    """`scheme://host[:port]` with a lower-case host and no default port, as browsers send it.

    None for anything else: `null`, `*`, several origins, a path, user info, other schemes.
    """
    match = _SERIALIZED.fullmatch(text)
    if match is None:
        return None
    scheme, host, port = match.groups()
    shown = f":{port}" if port and port != _DEFAULT_PORTS[scheme] else ""
    return f"{scheme}://{host.lower()}{shown}"
