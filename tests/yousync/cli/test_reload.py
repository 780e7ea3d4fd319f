"""Source files are watched by their times."""

from __future__ import annotations

from pathlib import Path

from yousync.cli.reload import changes


async def test_a_changed_an_added_and_a_removed_file_are_each_seen(tmp_path: Path) -> None:
    (tmp_path / "web" / "routes").mkdir(parents=True)
    file, added = tmp_path / "web" / "app.py", tmp_path / "web" / "routes" / "new.py"
    file.write_text("a = 1")
    seen = changes(tmp_path)
    (tmp_path / "web" / "notes.txt").write_text("not a source file")
    file.write_text("a = 2")
    assert await anext(seen) == "web/app.py"
    added.write_text("b = 1")
    assert await anext(seen) == "web/routes/new.py"
    added.unlink()
    assert await anext(seen) == "web/routes/new.py"
    await seen.aclose()
