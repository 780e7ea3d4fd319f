"""Access tokens that we never made, in every way that libraries were ever fooled (RFC 8725 section 2)."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from yousync.identity import Caller, mint, mint_ticket
from yousync.settings import Settings

_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_PUBLIC = _RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
_STRANGERS = "k" * 64


def forgeries(settings: Settings, *, user_id: int, session_id: str) -> dict[str, str]:
    """Each by the trick it plays; the claims are those of a session that goes on."""
    good = mint(settings, user_id=user_id, email="a@example.com", session_id=session_id)
    claims = jwt.decode(good, options={"verify_signature": False})
    header = jwt.get_unverified_header(good)
    key = settings.jwt_secret_key[0].get_secret_value()
    own = jwt.algorithms.HMACAlgorithm.to_jwk(_STRANGERS)
    signed, _, signature = good.rpartition(".")
    caller = Caller(user_id=user_id, session_id=session_id, token_id="t")
    without = {name: {**claims} for name in claims if name != "email"}
    for name, left in without.items():
        del left[name]
    return {
        "another key": by_hand(header, claims, _STRANGERS),
        "another key, brought along": by_hand(header | {"jwk": json.loads(own)}, claims, _STRANGERS),
        "another key, to be fetched": by_hand(header | {"jku": "http://x", "x5u": "http://x"}, claims, _STRANGERS),
        "another key, by its own name": by_hand(header | {"kid": "theirs"}, claims, _STRANGERS),
        "a key that is a file": by_hand(header | {"kid": "../../../../dev/null"}, claims, ""),
        "our key by no name": by_hand({n: v for n, v in header.items() if n != "kid"}, claims, key),
        "our key by another name": by_hand(header | {"kid": "other"}, claims, key),
        "our key, another algorithm": jwt.encode(claims, key, algorithm="HS512", headers=header | {"alg": "HS512"}),
        "our key, no such algorithm": by_hand(header | {"alg": "hs256"}, claims, key),
        "a public key as the secret": by_hand(header, claims, _PUBLIC.decode()),
        "an asymmetric algorithm": jwt.encode(claims, _RSA, algorithm="RS256", headers=header | {"alg": "RS256"}),
        "half a signature": f"{signed}.{signature[:20]}",
        "no signature": f"{signed}.",
        "no dot": signed,
        "another's claims": f"{by_hand(header, claims | {'sub': '1'}, key).rpartition('.')[0]}.{signature}",
        "another type": by_hand(header | {"typ": "JWT"}, claims, key),
        "no type": by_hand({n: v for n, v in header.items() if n != "typ"}, claims, key),
        "a ticket": mint_ticket(settings, caller=caller, job_id="0" * 32),
        "another issuer": by_hand(header, claims | {"iss": "somebody"}, key),
        "another audience": by_hand(header, claims | {"aud": "another-api"}, key),
        "audiences": by_hand(header, claims | {"aud": [claims["aud"], "another-api"]}, key),
        "a subject that is no id": by_hand(header, claims | {"sub": "0"}, key),
        "a subject that is a number": by_hand(header, claims | {"sub": user_id}, key),
        "no end that is a time": by_hand(header, claims | {"exp": "never"}, key),
        **{f"alg {name}": by_hand(header | {"alg": name}, claims, "") for name in ("none", "None", "NONE", "nOnE")},
        **{f"alg {name}, signed": by_hand(header | {"alg": name}, claims, key) for name in ("none", "None", "")},
        **{f"without {name}": by_hand(header, left, key) for name, left in without.items()},
    }


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: str) -> str:
    """A token as its parts say, signed with HMAC-SHA256 whatever they say; without a secret not at all."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims)]
    signed = ".".join(parts)
    if not secret:
        return f"{signed}."
    signature = hmac.digest(secret.encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
