"""Where Postgres lives when we are root: only where its account gets without anybody's permissions being widened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from yousync.local.account import copy_readable, reachable, readable
from yousync.local.home import postgres_home, remove_postgres_home
from yousync.local.process import Account
from yousync.local.secret import kept_secrets, private_json

STRANGER = Account(uid=65533, gid=65533)


def said(_: str) -> None:
    return None


def test_without_root_it_is_in_the_data_folder(tmp_path: Path) -> None:
    assert postgres_home(tmp_path, None, said) == tmp_path / "postgres"


def test_a_closed_folder_is_neither_reachable_nor_opened(tmp_path: Path) -> None:
    closed = tmp_path / "private"
    data = closed / "checkout" / ".yousync"
    data.mkdir(parents=True)
    closed.chmod(0o700)
    aside = tmp_path / "aside"
    home = postgres_home(data, STRANGER, said, aside=aside)
    assert home.is_relative_to(aside)
    assert not reachable(data, STRANGER)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_the_choice_is_kept_also_when_the_folder_moves(tmp_path: Path) -> None:
    data = tmp_path / "one"
    data.mkdir(mode=0o700)
    home = postgres_home(data, STRANGER, said, aside=tmp_path / "aside")
    moved = data.rename(tmp_path / "two")
    assert postgres_home(moved, STRANGER, said, aside=tmp_path / "aside") == home


def test_a_deleted_data_folder_takes_its_database_with_it_when_it_is_made_anew(tmp_path: Path) -> None:
    lines: list[str] = []
    data, aside = tmp_path / "data", tmp_path / "aside"
    for folder in (data, tmp_path / "other"):
        folder.mkdir(mode=0o700)
    kept = postgres_home(tmp_path / "other", STRANGER, lines.append, aside=aside)
    old = postgres_home(data, STRANGER, lines.append, aside=aside)
    (data / "postgres.path").unlink()
    new = postgres_home(data, STRANGER, lines.append, aside=aside)
    assert new != old
    assert not old.parent.exists()
    assert kept.parent.exists()
    assert len(lines) == 1
    assert str(old.parent) in lines[0]
    remove_postgres_home(data)
    assert not new.parent.exists()


def test_reach_follows_every_parent_and_the_right_class_of_permission(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    me = Account(os.getuid(), os.getgid())
    assert reachable(inner, me)
    (tmp_path / "a").chmod(0o077)
    assert not reachable(inner, me)  # the owner's class counts for the owner, though others might
    (tmp_path / "a").chmod(0o755)
    file = inner / "file"
    file.write_text("x")
    file.chmod(0o600)
    assert readable(file, me)
    assert not readable(file, STRANGER)


def test_a_copy_can_be_read_by_all_and_keeps_what_can_be_run(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "lib").mkdir(parents=True, mode=0o700)
    (source / "run").write_text("x")
    (source / "run").chmod(0o700)
    (source / "lib" / "data").write_text("y")
    (source / "lib" / "data").chmod(0o600)
    (source / "link").symlink_to("run")
    copy_readable(source, tmp_path / "copy")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "copy").rglob("*")}
    assert modes == {"lib": 0o755, "data": 0o644, "run": 0o755, "link": 0o755}
    assert (tmp_path / "copy" / "link").is_symlink()


def test_secrets_are_made_once_and_closed(tmp_path: Path) -> None:
    first = kept_secrets(tmp_path)
    assert kept_secrets(tmp_path) == first
    assert len({*vars_of(first)}) == 6
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    private_json(tmp_path / "x.json", {"a": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secrets.json", "x.json"]


def vars_of(value: object) -> list[str]:
    return [getattr(value, name) for name in value.__slots__]  # type: ignore[attr-defined]  # a slotted dataclass
