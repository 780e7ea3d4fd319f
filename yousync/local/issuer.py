"""A Google-style issuer of ID tokens, so that signing in runs its real path offline: `python -m yousync.local.issuer`.

`GET /certs` answers as https://www.googleapis.com/oauth2/v1/certs does: key id to PEM X.509 certificate, with a
max-age. `POST /token` takes `{sub, email, email_verified, name, picture, aud?, exp?}` and answers
`{"id_token": ...}`, an RS256 JWT from `https://accounts.google.com`. `GET /healthz` answers 200.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import BaseModel, ConfigDict, Field, ValidationError

ISSUER = "https://accounts.google.com"
CERTS_MAX_AGE = 300
"""Seconds; Google's are some hours, ours are short so that tests of renewal need not wait."""


class TokenRequest(BaseModel):
    """Whose token to issue. Unknown fields become claims of the token, as tests of odd tokens need."""

    model_config = ConfigDict(extra="allow")

    sub: str
    email: str
    email_verified: bool = True
    name: str = ""
    picture: str = ""
    aud: str | None = Field(None, description="the default is the stack's own client id")
    exp: int | None = Field(None, description="seconds since 1970; the default is in an hour")


class Issuer:
    """A signing key and what is published about it."""

    def __init__(self, key: rsa.RSAPrivateKey, audience: str) -> None:
        self._key = key
        self._audience = audience
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.kid = hashlib.sha256(public).hexdigest()[:40]
        self._certificate = _certificate(key)

    def certs(self) -> dict[str, str]:
        """Google's v1 format."""
        return {self.kid: self._certificate}

    def token(self, wanted: TokenRequest) -> str:
        """A signed ID token."""
        now = int(time.time())
        aud = wanted.aud or self._audience
        claims = {
            "iss": ISSUER,
            "azp": aud,
            **wanted.model_dump(),
            "aud": aud,
            "iat": now,
            "exp": wanted.exp if wanted.exp is not None else now + 3600,
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self.kid})


def _certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "yousync-local-issuer")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def kept_key(file: Path) -> rsa.RSAPrivateKey:
    """The key in `file`, made on first use with mode 0600, so that tokens outlive a restart."""
    if file.exists():
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{file} holds no RSA key")
        return key
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    half = file.with_suffix(".part")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(pem)
    half.replace(file)
    return made


def make_app(issuer: Issuer) -> web.Application:
    """The issuer as an aiohttp application."""

    async def certs(_: web.Request) -> web.Response:
        headers = {"Cache-Control": f"public, max-age={CERTS_MAX_AGE}, must-revalidate, no-transform"}
        return web.json_response(issuer.certs(), headers=headers)

    async def token(request: web.Request) -> web.Response:
        try:
            wanted = TokenRequest.model_validate_json(await request.read())
        except ValidationError as error:
            problems: list[Any] = error.errors(include_url=False, include_input=False, include_context=False)
            return web.json_response({"error": "invalid_request", "errors": problems}, status=400)
        return web.json_response({"id_token": issuer.token(wanted)})

    async def healthy(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.add_routes([web.get("/certs", certs), web.post("/token", token), web.get("/healthz", healthy)])
    return app


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", type=Path, required=True, help="PEM file, made when missing")
    parser.add_argument("--audience", required=True, help="the client id tokens are issued for by default")
    given = parser.parse_args()
    app = make_app(Issuer(kept_key(given.key), given.audience))
    web.run_app(app, host="127.0.0.1", port=given.port, print=None, access_log=None, shutdown_timeout=1)


if __name__ == "__main__":
    main()
