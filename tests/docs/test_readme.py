"""Both READMEs say the same: the same commands, files, settings and links, in the same order of sections."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH, KOREAN = (ROOT / name for name in ("README.md", "README.ko.md"))
TEXTS = (ENGLISH.read_text(), KOREAN.read_text())
HANGUL = re.compile("[가-힣]")


def headings(text: str) -> list[str]:
    """How deep each section lies; what it is called is another language's business."""
    return re.findall(r"^(#+) ", prose(text), re.MULTILINE)


def blocks(text: str) -> list[str]:
    """What the fenced blocks hold."""
    return re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """All but the fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def bones(block: str) -> list[str]:
    """A block without what is said for people: comments, the picture's words, what folders are for."""
    if block.startswith("flowchart"):
        return re.findall(r"^ *(?:(\w+) --.*--> (\w+)|subgraph (\w+)|(\w+)[\[(])", block, re.MULTILINE)
    if block.startswith("yousync/"):
        return re.findall(r"^ *[\w./]+/ ", block, re.MULTILINE)
    commands = (re.sub(r"(^|\s{2,})# .*", "", line).rstrip() for line in block.splitlines())
    return [command for command in commands if command]


def test_the_sections() -> None:
    assert headings(TEXTS[0]) == headings(TEXTS[1])


def test_the_blocks() -> None:
    english, korean = ([bones(block) for block in blocks(text)] for text in TEXTS)
    assert all(english)
    assert english == korean


@pytest.mark.parametrize(
    "pattern",
    [r"(?<!`)`([^`\n]+)`(?!`)", r"\]\((docs/[^)]+)\)", r"\b([A-Z]+(?:_[A-Z]+)+(?:=\w+)?)\b"],
    ids=["code", "links", "settings"],
)
def test_what_they_name(pattern: str) -> None:
    english, korean = (sorted(re.findall(pattern, prose(text), re.ASCII)) for text in TEXTS)
    assert english
    assert english == korean


@pytest.mark.parametrize("text", TEXTS, ids=["en", "ko"])
def test_links_lead_to_what_is_there(text: str) -> None:
    files = {link.partition("#")[0] for link in re.findall(r"\]\(([\w./]+(?:#[\w-]+)?)\)", text)}
    assert files
    assert not [name for name in sorted(files) if not (ROOT / name).exists()]


def test_each_leads_to_the_other_and_keeps_to_its_language() -> None:
    assert "](README.ko.md)" in TEXTS[0]
    assert "](README.md)" in TEXTS[1]
    paragraphs = [part for part in prose(TEXTS[1]).split("\n\n") if not part.lstrip().startswith(("# ", "["))]
    assert all(HANGUL.search(part) for part in paragraphs if part.strip())
