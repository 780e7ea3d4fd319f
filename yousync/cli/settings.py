"""`yousync settings`: what this YouSync is set to, without its secrets."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer
from pydantic import SecretStr

from yousync.cli.lookup import DataOption, settings_for
from yousync.settings import Settings

HIDDEN = "********"


def redacted(settings: Settings) -> dict[str, Any]:
    """Every setting by its variable's name; of URLs with a password the rest stays readable."""
    return {name.upper(): _shown(getattr(settings, name)) for name in sorted(Settings.model_fields)}


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return _without_password(value.get_secret_value())
    if isinstance(value, list):
        return [_shown(item) for item in value]
    return value


def _without_password(secret: str) -> str:
    """A DSN without its password and query; anything else is hidden whole."""
    try:
        url = urlsplit(secret)
        if not (url.scheme and url.hostname):
            return HIDDEN
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        place = host if url.port is None else f"{host}:{url.port}"
    except ValueError:
        return HIDDEN
    user = f"{url.username or ''}:{HIDDEN}@" if url.password else ""
    return urlunsplit((url.scheme, user + place, url.path, "", ""))


def settings(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    data: DataOption = None,
) -> None:
    """Show the settings of the running stack, else of the environment; secrets are hidden."""
    found = redacted(settings_for(data))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        typer.echo(f"{name}={_text(value)}")


def _text(value: Any) -> str:
    """As it would stand in the environment."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
