"""The architecture page: each module of `web/` has a room on it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_module_of_web_stands_in_one_room() -> None:
    rooms = (ROOT / "docs" / "architecture.md").read_text().split("The rooms of `web/`")[1].split("\n\n")[1]
    named = [name for line in rooms.splitlines()[2:] for name in re.findall(r"`(\w+)`", line)]
    there = [path.stem for path in (ROOT / "web").glob("*.py") if path.stem != "__init__"]
    assert sorted(named) == sorted(there)
