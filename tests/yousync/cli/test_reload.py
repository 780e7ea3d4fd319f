"""Source files are watched by their times."""

from __future__ import annotations

import asyncio
from pathlib import Path

from yousync.cli.reload import changes


async def test_a_changed_an_added_and_a_removed_file_are_each_seen(tmp_path: Path) -> None:
    (tmp_path / "web" / "routes").mkdir(parents=True)
    file, added = tmp_path / "web" / "app.py", tmp_path / "web" / "routes" / "new.py"
    file.write_text("a = 1")
    (tmp_path / "web" / "notes.txt").write_text("not a source file")
    seen = changes(tmp_path)
    steps = (
        lambda: file.write_text("a = 2"),
        lambda: added.write_text("b = 1"),
        added.unlink,
    )
    for step, name in zip(steps, ("web/app.py", "web/routes/new.py", "web/routes/new.py"), strict=True):
        following = asyncio.ensure_future(anext(seen))
        await asyncio.sleep(0)
        while not following.done():  # the first look may come after the step: then there is no change to see yet
            step() if step is not added.unlink or added.exists() else None
            await asyncio.wait({following}, timeout=1.0)
        assert await following == name
    await seen.aclose()
