"""The sizing table: reckoned from CPU a job, bounded by whatever is full first."""

from __future__ import annotations

from pathlib import Path

from benchmarks.sizing import SHARE, Measured, told, write

MEASURED = Measured(web=3.0, worker=5.0, valkey=2.0, postgres=1.0, together=100.0, stream_kb=17.0)


def rows(text: str) -> list[list[str]]:
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return table[2:]


def test_more_hosts_help_until_valkey_is_full() -> None:
    first, *others = rows(told(MEASURED))
    assert float(first[3]) == SHARE * MEASURED.together
    assert [(row[3], row[4]) for row in others] == [("240", "worker"), ("300", "valkey"), ("300", "valkey")]


def test_the_page_keeps_all_but_the_table(tmp_path: Path) -> None:
    page = tmp_path / "operations.md"
    page.write_text("before\n\n<!-- sizing -->\n\nold\n\n<!-- /sizing -->\nafter\n")
    write(MEASURED, page)
    write(MEASURED, page)
    assert page.read_text() == f"before\n\n<!-- sizing -->\n\n{told(MEASURED)}\n\n<!-- /sizing -->\nafter\n"
