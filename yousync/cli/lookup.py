"""Which YouSync a command is about: the stack running on a data folder, else what the environment says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from dotenv import dotenv_values

from yousync.cli.failure import CommandError, Exit
from yousync.local.lock import is_running
from yousync.local.stack import STACK_FILE
from yousync.settings import Settings

DEFAULT_DATA = ".yousync"
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="The stack's data folder. [env: YOUSYNC_DATA; default: .yousync]", show_default=False),
]


def data_of(given: Path | None) -> Path | None:
    """The data folder that is meant; None when YOUSYNC_DATA is set to nothing, which says: look for no stack."""
    if given is not None:
        return given
    name = os.environ.get("YOUSYNC_DATA", DEFAULT_DATA)
    return Path(name) if name else None


def running_stack(given: Path | None) -> dict[str, Any] | None:
    """What `stack.json` says of the stack running on this folder; None without one."""
    data = data_of(given)
    if data is None or not is_running(data):
        return None
    try:
        found = json.loads((data / STACK_FILE).read_text())
    except FileNotFoundError:
        raise CommandError(f"the stack on {data} is starting or stopping; try again in a moment", Exit.SETUP) from None
    except PermissionError:
        raise CommandError(f"the stack on {data} belongs to another account", Exit.SETUP) from None
    if not isinstance(found, dict):
        raise CommandError(f"{data / STACK_FILE} is not what `yousync up` wrote", Exit.SETUP)
    return found


def settings_for(given: Path | None) -> Settings:
    """Settings of the running stack, else of the environment. Raises SettingsMissing."""
    return settings_of(running_stack(given))


def settings_of(stack: dict[str, Any] | None) -> Settings:
    """Settings of this stack; of the environment for None."""
    env = stack["env"] if stack else {}
    return Settings.load(**{name.lower(): value for name, value in env.items()})


def given_variables() -> dict[str, str]:
    """The settings' variables that the environment or `.env` sets."""
    names = {name.upper() for name in Settings.model_fields}
    found = {name: value for name, value in dotenv_values(".env").items() if value}
    found |= {name: value for name, value in os.environ.items() if value}
    return {name: value for name, value in found.items() if name in names}
