"""Who Postgres runs as when we are root, which it refuses, and which folders that account can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from pathlib import Path

from yousync.local.process import Account, StackError

UNPRIVILEGED = ("nobody", "daemon")


def unprivileged_account() -> Account | None:
    """An existing account without rights when we are root; None when we are not.

    Not an account named postgres: where there is one, it owns a database that is none of our business.
    """
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise StackError("Postgres does not run as root, and there is no account `nobody` to run it as")


def reachable(path: Path, account: Account) -> bool:
    """Whether `account` can walk from the root folder into the folder `path` (read: into, not list)."""
    folder = path.resolve()
    from_the_top = (*reversed(folder.parents), folder)
    return all(_may(each, account, execute=True) for each in from_the_top)


def readable(path: Path, account: Account) -> bool:
    """Whether `account` can read the file or folder `path` itself."""
    return reachable(path.resolve().parent, account) and _may(path, account, execute=False)


def _may(path: Path, account: Account, *, execute: bool) -> bool:
    found = path.stat()
    owner, group, other = (
        (stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH) if execute else (stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH)
    )
    if found.st_uid == account.uid:
        return bool(found.st_mode & owner)
    if found.st_gid == account.gid:
        return bool(found.st_mode & group)
    return bool(found.st_mode & other)


def give(folder: Path, account: Account | None) -> None:
    """Create `folder`, closed to everyone but its owner, and make `account` that owner."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def copy_readable(source: Path, target: Path) -> None:
    """Copy a tree so that every account can read the copy, whatever the original's parents allow."""
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    for folder, _, files in os.walk(target):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder, name)
            if not path.is_symlink():
                path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
