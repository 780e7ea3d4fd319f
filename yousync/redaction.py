"""Scrubbing secrets from whatever is about to be logged, wherever in it they hide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

GONE = "[redacted]"
MAX_DEPTH = 8
MAX_TEXT = 64 * 2**10

_SECRET_WORDS = frozenset(
    {"authorization", "cookie", "secret", "secrets", "password", "passwd", "pwd", "signature", "sig", "dsn"}
    | {"credential", "credentials", "jwt", "apikey", "bearer", "assertion"}
)
_KEY_OWNERS = frozenset({"api", "access", "private", "secret", "signing", "token", "webhook", "hmac"})
# `token` is also the catalogue's word for a clip: these attributes of one are no secret.
_HARMLESS_AFTER_TOKEN = frozenset({"id", "ids", "name", "type", "info", "count", "status", "tokens"})

# Every repetition is bounded or anchored at a word's start: log lines hold hostile text too.
_SCRUBS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"), GONE),  # a JWT, wherever it stands
    (re.compile(r"\b(Bearer|Basic)\s{1,4}[^\s\"',;]+", re.IGNORECASE), rf"\1 {GONE}"),
    (re.compile(r"\?[^\s\"'<>]+"), f"?{GONE}"),
)
_URL = re.compile(r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}://)([^\s\"'<>]+)", re.IGNORECASE)
# name=value, name: value, 'name': 'value', "name": ["value"]: how reprs and messages write a mapping
_NAME = re.compile(r"""(?<![\w-])([\w-]{1,64})["']?\s{0,4}[=:]\s{0,4}(?!Bearer |Basic )""")
_VALUE = re.compile(
    r"""\[[^\]]{0,4096}\]|b?'(?:[^'\\]|\\.){0,4096}'|b?"(?:[^"\\]|\\.){0,4096}"|[^\s"',;&)}\]]+""", re.DOTALL
)
# One word without anything that could introduce a secret: most of what is logged, so it is let through first.
_HARMLESS = re.compile(r"(?!.*eyJ)[\w./-]*", re.ASCII)
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


def redact(value: Any, *, depth: int = 0) -> Any:
    """`value` with every secret in it replaced; what is not JSON becomes its scrubbed repr."""
    if isinstance(value, str):
        return _scrubbed(value)
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)  # JSON integers end there
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        clean = {}
        for key, item in value.items():
            name, secret = _name(str(key))
            clean[name] = GONE if secret else redact(item, depth=depth + 1)
        return clean
    if depth < MAX_DEPTH and isinstance(value, (list, tuple, set, frozenset)):
        return [redact(item, depth=depth + 1) for item in value]
    return _scrubbed(_text(value))


def _scrubbed(text: str) -> str:
    return scrub(text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}...")


@lru_cache(maxsize=2048)
def _name(key: str) -> tuple[str, bool]:
    """A key as it may be shown, and whether what stands under it may not. The same few come again and again."""
    return scrub(key), is_secret(key)


def _text(value: Any) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 -- a broken __repr__ must not cost the line
        return f"<unprintable {type(value).__name__}>"


@lru_cache(maxsize=2048)
def is_secret(key: str) -> bool:
    """Whether what stands under this name is a secret by its name alone (`token_id` is not)."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_").replace(".", "_").split("_")
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("token", "tokens") and following not in _HARMLESS_AFTER_TOKEN:
            return True
        if word in _KEY_OWNERS and following in ("key", "keys"):
            return True
    return False


def scrub(text: str) -> str:
    """`text` without JWTs, bearer tokens, secrets given by name, passwords in URLs, and query strings."""
    if _HARMLESS.fullmatch(text):
        return text
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()  # lone surrogates have no UTF-8
    text = _URL.sub(_url, text)
    for pattern, replacement in _SCRUBS:
        text = pattern.sub(replacement, text)
    return _without_named(text)


def _without_named(text: str) -> str:
    """Values under a secret's name are cut out; others are searched in turn, for they may nest."""
    kept, done = [], 0
    for name in _NAME.finditer(text):
        if name.start() < done or not is_secret(name.group(1)):
            continue
        value = _VALUE.match(text, name.end())
        if value:
            kept += [text[done : name.end()], GONE]
            done = value.end()
    return "".join([*kept, text[done:]])


def _url(match: re.Match[str]) -> str:
    scheme, rest = match.groups()
    before, question, after = rest.partition("?")
    if "@" in after:  # a query with an address in it, or a password with a question mark: tell neither
        return f"{scheme}{GONE}"
    userinfo, at, place = before.rpartition("@")
    return f"{scheme}{GONE + at if userinfo else ''}{place}{f'?{GONE}' if question else ''}"


def one_line(text: str) -> str:
    r"""`text` with line breaks and other control characters written out, so that it cannot forge a line."""
    return _BREAKS.sub(lambda match: match.group().encode("unicode_escape").decode(), text)
