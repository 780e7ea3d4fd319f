"""Findings as a table and as a page."""

from __future__ import annotations

from benchmarks.findings import Row, Section, Table
from benchmarks.report import as_markdown, as_text, headline, page

SECTION = Section(
    title="Uploads",
    how="Clients send.",
    rows=[
        Row(what="uploads/s", aim="≥ 50 % of the floor", ours="60/s", beside="floor 100/s", ratio="60 %", met=True),
        Row(what="latency", aim="≤ 1/20", ours="9 ms", beside="old design 90 ms", ratio="1/10", met=False),
        Row(what="uploads/s, 1 MB", ours="10/s"),
    ],
    tables=[Table(("server", "uploads/s"), [["YouSync", "60"], ["a|b", "100"]])],
    notes=["A note."],
)


def test_only_rows_with_an_aim_say_whether_it_was_met() -> None:
    assert [row[-1] for row in headline([SECTION]).rows] == ["yes", "no", ""]


def test_text_has_columns_of_one_width() -> None:
    lines = as_text(Table(("a", "b"), [["한국", "1"], ["longer", "2"]])).splitlines()
    assert lines == ["a       b", "------  -", "한국    1", "longer  2"]


def test_markdown_escapes_what_would_end_a_cell() -> None:
    assert as_markdown(SECTION.tables[0]).splitlines() == [
        "| server | uploads/s |",
        "|---|---|",
        "| YouSync | 60 |",
        "| a\\|b | 100 |",
    ]


def test_the_page_counts_the_aims_and_describes_the_machine() -> None:
    text = page([SECTION], machine=["2 cores"], run=["3 rounds"])
    assert "## Against the aims: 1 of 2 met" in text
    assert "- 2 cores\n- 3 rounds" in text
    assert "## Uploads\n\nClients send.\n\n| server |" in text
    assert text.endswith("A note.\n")
