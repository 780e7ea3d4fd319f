"""The token that makes a webhook URL a capability: handed out with the request, checked when it comes back."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from yousync.settings import Settings


def sign(settings: Settings, job_id: str) -> str:
    """The token of a job: an HMAC-SHA256 over its id with the first key, the same on every re-send."""
    return _token(settings.webhook_token_keys[0].get_secret_value(), job_id)


def verify(settings: Settings, job_id: str, token: str) -> bool:
    """Whether `token` was made for `job_id` with any of the keys, so that keys rotate with jobs in flight.

    All keys are tried in constant time: neither the key nor the job's existence shows in the time taken.
    """
    given = token.encode("utf-8", "surrogateescape")
    matches = [
        hmac.compare_digest(_token(key.get_secret_value(), job_id).encode(), given)
        for key in settings.webhook_token_keys
    ]
    return any(matches)


def url(settings: Settings, base: str, job_id: str) -> str:
    """The webhook URL for one job: `base`, its own query kept, with `job_id` and `token` added."""
    parts = urlsplit(base)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("job_id", job_id), ("token", sign(settings, job_id))]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _token(key: str, job_id: str) -> str:
    return hmac.new(key.encode(), b"webhook:" + job_id.encode(), hashlib.sha256).hexdigest()
