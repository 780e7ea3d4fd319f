"""The operations page as data: its sections, their commands with what these are said to print, its tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
TEXT = PAGE.read_text()

_VARIES = re.compile(r"([0-9a-f]{4}…)|(…)|((?:\d{4}-)?\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?)")
_STANDS_FOR = (r"[0-9a-f-]+", ".*", r"[\d:. -]+")
"""What is written for an id, for anything, for a moment; and what may be there instead."""


@dataclass(frozen=True)
class Step:
    """A block of commands, and the lines that it is said to print among others, in this order."""

    commands: str
    shows: tuple[str, ...]

    def missing(self, printed: str) -> list[str]:
        """Those of the lines that it did not print."""
        lines = iter(_plain(line) for line in printed.splitlines())
        return [line for line in self.shows if not any(_pattern(line).fullmatch(each) for each in lines)]


def _plain(line: str) -> str:
    return " ".join(line.split())


def _pattern(line: str) -> re.Pattern[str]:
    text, pattern, end = _plain(line), "", 0
    for found in _VARIES.finditer(text):
        pattern += re.escape(text[end : found.start()]) + _STANDS_FOR[(found.lastindex or 1) - 1]
        end = found.end()
    return re.compile(pattern + re.escape(text[end:]))


def sections() -> dict[str, str]:
    """What stands below each heading, up to the next one of any level; code may hold lines that look like one."""
    found: dict[str, str] = {}
    title, code = "", False
    for line in TEXT.splitlines(keepends=True):
        code ^= line.startswith("```")
        if not code and (heading := re.match(r"#+ (.+)", line)):
            title = heading[1].strip()
            assert title not in found, f"two headings say {title}"
            found[title] = ""
        else:
            found[title] = found.get(title, "") + line
    return found


def steps(title: str) -> list[Step]:
    """The commands of a section, in order."""
    blocks = re.findall(r"```bash\n(.*?)```(?:\n+```text\n(.*?)```)?", sections()[title], re.DOTALL)
    assert blocks, f"no commands under {title}"
    return [Step(commands, tuple(filter(str.strip, shown.splitlines()))) for commands, shown in blocks]


def table(title: str) -> list[list[str]]:
    """The rows of a section's table without its head: cells as they are written."""
    lines = [line for line in sections()[title].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[2:]]
