"""Google's ID tokens: who signed in there, checked with certificates that we fetch and keep as long as Google says."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal

import aiohttp
import orjson
import structlog
from google.auth import exceptions, jwt
from pydantic import BaseModel, StrictBool, StringConstraints, ValidationError

from yousync.errors import DependencyDown, EmailUnverified, GoogleTokenInvalid, SignInNotConfigured
from yousync.settings import Settings

log = structlog.get_logger(__name__)

CLOCK_SKEW: Final = 10
"""Seconds that Google's clock and ours may differ by."""
ASK_AGAIN: Final = 30.0
"""Seconds between two requests for certificates, however many unknown key ids come in."""
STALE: Final = 86_400.0
"""Seconds that certificates are used beyond their time while Google cannot be reached."""
_TRY_AGAIN: Final = 5.0  # seconds, after a request that failed
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)

_REFUSALS = (exceptions.GoogleAuthError, ValidationError, ValueError, TypeError, RecursionError)  # what google-auth
# raises for tokens that make no sense: its own errors, and those of what it decodes with

Line = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=2048)]


class Account(BaseModel):
    """A Google account, as an ID token tells of it: `sub` is its name for ever, everything else may change."""

    sub: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s\x00]+@[^@\s\x00]+$", max_length=320)]
    email_verified: StrictBool = False
    iss: Literal["accounts.google.com", "https://accounts.google.com"]
    name: Line = ""
    picture: Line = ""


class Certificates:
    """Google's certificates by key id, fetched when they are needed, by one request at a time."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._known: Mapping[str, str] = {}
        self._fresh_until = 0.0
        self._asked_at = 0.0
        self._failed = True  # as long as nobody has answered
        self._asking = asyncio.Lock()

    async def named(self, key_id: str) -> str | None:
        """The certificate of a key, None when Google has no such key. Raises DependencyDown.

        When their time is over, and once for a key that is new to us, Google is asked. While it does not answer,
        those that we have go on being used, for a day.
        """
        if self._wanting(key_id):
            async with self._asking:
                pause = _TRY_AGAIN if self._failed else ASK_AGAIN
                if self._wanting(key_id) and abs(time.time() - self._asked_at) >= pause:
                    await self._ask()
        found = self._known.get(key_id)
        if time.time() >= self._fresh_until + STALE or (found is None and self._failed):
            raise DependencyDown(retry_after=_TRY_AGAIN)
        return found

    def _wanting(self, key_id: str) -> bool:
        return key_id not in self._known or time.time() >= self._fresh_until

    async def _ask(self) -> None:
        self._asked_at, self._failed = time.time(), True
        try:
            async with self._session.get(self._url, allow_redirects=False) as reply:
                self._known = _certificates(reply.status, await reply.read())
                self._fresh_until, self._failed = time.time() + _lifetime(reply.headers), False
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            log.warning("google_certificates_unread", cause=f"{type(error).__name__}: {error}")


class Google:
    """Verifies ID tokens that were issued to one of our client ids."""

    def __init__(self, certificates: Certificates, client_ids: list[str]) -> None:
        self._certificates = certificates
        self._client_ids = client_ids

    async def verify(self, id_token: str) -> Account:
        """The account that has just signed in.

        Raises GoogleTokenInvalid for whatever Google did not sign for us just now, EmailUnverified where it has not
        seen that the e-mail is theirs, SignInNotConfigured without GOOGLE_CLIENT_ID, DependencyDown while no
        certificate is to be had.
        """
        if not self._client_ids:
            raise SignInNotConfigured  # with an empty audience google-auth would check none
        try:
            header: dict[str, Any] = jwt.decode_header(id_token)  # type: ignore[no-untyped-call]  # google-auth has no types here
            key_id = header.get("kid")
            if header.get("alg") != "RS256" or not isinstance(key_id, str):
                raise GoogleTokenInvalid
            certificate = await self._certificates.named(key_id)
            if certificate is None:
                raise GoogleTokenInvalid
            claims = jwt.decode(  # type: ignore[no-untyped-call]  # as above
                id_token,
                certs={key_id: certificate},
                audience=self._client_ids,
                clock_skew_in_seconds=CLOCK_SKEW,
            )
            account = Account.model_validate(claims)
        except _REFUSALS as error:
            log.info("google_token_refused", cause=type(error).__name__)
            raise GoogleTokenInvalid from None
        if not account.email_verified:
            raise EmailUnverified
        return account


def _certificates(status: int, body: bytes) -> Mapping[str, str]:
    """Google's v1 format: key id to PEM. Raises ValueError for anything else."""
    found = orjson.loads(body) if status == 200 else None
    if not isinstance(found, dict) or not found or not all(isinstance(each, str) for each in found.values()):
        raise ValueError(f"no certificates in an answer with status {status}")
    return found


def _lifetime(headers: Mapping[str, str]) -> float:
    """Seconds that an answer is good for by its Cache-Control and Age; five minutes where it does not say."""
    found = _MAX_AGE.search(headers.get("Cache-Control", ""))
    age = headers.get("Age", "")
    spent = int(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0
    return max(0.0, float(found[1]) - spent) if found else 300.0


@asynccontextmanager
async def open_google(settings: Settings) -> AsyncIterator[Google]:
    """A verifier with a connection of its own; Google is not asked before somebody signs in."""
    timeout = aiohttp.ClientTimeout(total=4)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Google(Certificates(session, settings.google_certs_url), settings.google_client_id)
