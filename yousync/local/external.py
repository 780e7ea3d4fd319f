"""Which parts somebody else provides: those whose variables are set."""

from __future__ import annotations

from collections.abc import Mapping

from yousync.local.process import StackError

MARKS: dict[str, tuple[str, ...]] = {
    "postgres": ("DATABASE_URL",),
    "valkey": ("REDIS_URL",),
    "s3": ("AWS_ENDPOINT_URL_S3", "S3_BUCKET_NAME"),  # a key pair alone lies about in many shells
    "issuer": ("GOOGLE_CERTS_URL", "GOOGLE_CLIENT_ID"),
    "analyzer": ("TARGET_SERVER_URL",),
}
"""Part to the variables of which one is enough."""

NEEDED: dict[str, tuple[str, ...]] = {
    "s3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "S3_BUCKET_NAME"),
    "issuer": ("GOOGLE_CLIENT_ID",),
}
"""What else such a part must come with."""


def external_parts(given: Mapping[str, str]) -> dict[str, str]:
    """Part name to the variable that makes it external. Raises StackError when the rest of its variables is missing."""
    found: dict[str, str] = {}
    for part, variables in MARKS.items():
        mark = next((name for name in variables if given.get(name)), None)
        if mark is None:
            continue
        missing = [name for name in NEEDED.get(part, ()) if not given.get(name)]
        if missing:
            raise StackError(
                f"{mark} is set, so the local {part} is not started, but {', '.join(missing)} is missing.\n"
                f"Set it as well, or unset {mark} to use the local one."
            )
        found[part] = mark
    return found
