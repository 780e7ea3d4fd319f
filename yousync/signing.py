"""S3 requests signed on S3's clock: a host whose own is off would else be refused from 15 minutes on.

botocore signs with the host's time and corrects nothing. What S3's answers say in their Date header (RFC 9110
section 6.6.1) is the time to sign with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, S3SigV4Auth, S3SigV4QueryAuth
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from yousync.settings import Settings

LINK_WINDOW_SECONDS: Final = 300
"""Links made within such a stretch of time are signed alike, so that an answer with one in it keeps its ETag."""
_TOLERATED: Final = timedelta(minutes=5)  # S3 itself tolerates 15


class _HostClock:
    """How far this host's clock is behind S3's."""

    behind = timedelta(0)


class _OnS3Clock(S3SigV4Auth):
    def _modify_request_before_signing(self, request: Any) -> None:
        _correct(request.context)
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # the stubs leave it out


class _LinkOnS3Clock(S3SigV4QueryAuth):
    def _modify_request_before_signing(self, request: Any) -> None:
        _correct(request.context, window=LINK_WINDOW_SECONDS)
        super()._modify_request_before_signing(request)  # type: ignore[misc]  # the stubs leave it out


def on_clock(settings: Settings) -> S3SigV4Auth:
    """Signs requests by itself, as botocore has it sign those that botocore makes."""
    key, secret = settings.aws_access_key_id, settings.aws_secret_access_key
    return _OnS3Clock(Credentials(key.get_secret_value(), secret.get_secret_value()), "s3", settings.aws_region)


# botocore's own registry of how to sign; both are looked up by name for each client.
AUTH_TYPE_MAPS["s3v4"] = _OnS3Clock
AUTH_TYPE_MAPS["s3v4-query"] = _LinkOnS3Clock


def _correct(context: dict[str, Any], *, window: int = 1) -> None:
    """Sign with S3's time, and with the beginning of its window of so many seconds."""
    if not _HostClock.behind and window == 1:
        return
    signed = datetime.strptime(context["timestamp"], SIGV4_TIMESTAMP).replace(tzinfo=UTC) + _HostClock.behind
    signed -= timedelta(seconds=signed.timestamp() % window)
    context["timestamp"] = signed.strftime(SIGV4_TIMESTAMP)


async def on_s3_clock(request: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
    """Make a request, and make it once more when it was refused and S3 says that it is another time there."""
    try:
        return await request(**arguments)
    except ClientError as error:
        if not _learnt(error):
            raise
    return await request(**arguments)


def _learnt(refusal: ClientError) -> bool:
    """Set our clock by the refusal of a request; False when it is right.

    Where it was wrong the request may have been signed before another one's refusal set it.
    """
    metadata = refusal.response.get("ResponseMetadata", {})
    told = metadata.get("HTTPHeaders", {}).get("date")
    if not 400 <= metadata.get("HTTPStatusCode", 0) < 500 or not told:
        return False
    behind = parsedate_to_datetime(told) - datetime.now(UTC)
    if max(abs(behind), abs(_HostClock.behind)) < _TOLERATED:
        return False
    _HostClock.behind = behind
    return True
