"""The local stack's secrets: made once at random, kept in the data folder, readable by its owner alone."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from yousync.local.process import StackError


@dataclass(frozen=True, slots=True)
class Secrets:
    """One per data folder."""

    jwt_secret_key: str
    webhook_token_keys: str
    postgres_password: str
    valkey_password: str
    s3_key: str
    s3_secret: str


def kept_secrets(folder: Path) -> Secrets:
    """Read `secrets.json`, or make it. Raises StackError when it is there but not ours."""
    file = folder / "secrets.json"
    names = [field.name for field in fields(Secrets)]
    try:
        found = json.loads(file.read_text())
    except FileNotFoundError:
        made = Secrets(**{name: secrets.token_hex(10 if name == "s3_key" else 32) for name in names})
        private_json(file, asdict(made))
        return made
    except ValueError as error:
        raise StackError(f"{file} is not readable as JSON; remove the data folder to start anew") from error
    if not isinstance(found, dict) or any(not isinstance(found.get(name), str) for name in names):
        raise StackError(f"{file} lacks a secret; remove the data folder to start anew")
    return Secrets(**{name: found[name] for name in names})


def private_json(file: Path, value: object) -> None:
    """Write JSON with mode 0600, whole or not at all."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(value, stream, indent=2)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    half.replace(file)
