"""Who may send a webhook: the token that makes its URL a capability, and, where it was agreed on, a signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from yousync.settings import Settings

TOLERANCE_SECONDS: Final = 300
"""How old a signature may be, or how far ahead its signer's clock."""


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


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The Standard Webhooks signature of a message by a secret as it is written: `whsec_` and base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape") + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def is_signed(settings: Settings, *, message_id: str, timestamp: str, signatures: str, body: bytes, now: float) -> bool:
    """Whether any of a message's signatures was made lately with one of our secrets; all are tried in constant time."""
    if not message_id or re.fullmatch(r"[0-9]{1,12}", timestamp) is None:
        return False
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    ours = [signature(each.get_secret_value(), message_id, timestamp, body) for each in settings.webhook_secret]
    theirs = [each.encode("utf-8", "surrogateescape") for each in signatures.split()]
    matches = [hmac.compare_digest(mine.encode(), each) for mine in ours for each in theirs]
    return any(matches)


def _token(key: str, job_id: str) -> str:
    return hmac.new(key.encode(), b"webhook:" + job_id.encode(), hashlib.sha256).hexdigest()
