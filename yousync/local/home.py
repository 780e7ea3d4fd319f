"""Where the local Postgres keeps its files: in the data folder, or beside it when we are root and it is closed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from yousync.local.account import reachable
from yousync.local.process import Account

ASIDE = Path("/var/lib/yousync")
"""For root alone: outside every private home."""


def postgres_home(data: Path, account: Account | None, say: Callable[[str], None], *, aside: Path = ASIDE) -> Path:
    """The folder for Postgres below `data`, or one of its own in `aside` when `account` cannot get into `data`.

    No permission of an existing folder is widened for it. The choice is kept in `data`, so it survives a move;
    a folder whose data folder was deleted is removed once that data folder is made anew.
    """
    if account is None:
        return data / "postgres"
    note = data / "postgres.path"
    if note.exists():
        return Path(note.read_text().strip())
    if reachable(data, account):
        return data / "postgres"
    aside.mkdir(mode=0o711, parents=True, exist_ok=True)
    for old in sorted(aside.iterdir()):
        owner = old / "owner"
        if owner.exists() and owner.read_text() == str(data.resolve()):
            say(f"removing {old}: the database of an earlier, deleted {data}")
            shutil.rmtree(old)
    home = aside / secrets.token_hex(8)
    home.mkdir(mode=0o711)
    (home / "owner").write_text(str(data.resolve()))
    note.write_text(str(home / "postgres"))
    return home / "postgres"


def remove_postgres_home(data: Path) -> None:
    """Remove what `postgres_home` put outside of `data`, if anything."""
    note = data / "postgres.path"
    if note.exists():
        shutil.rmtree(Path(note.read_text().strip()).parent, ignore_errors=True)
