"""The findings as text: a table for the terminal, and the page docs/benchmarks.md."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from benchmarks.findings import Row, Section, Table

_HEAD = ("what", "aim", "YouSync", "beside it", "ratio", "met")


def headline(sections: Sequence[Section]) -> Table:
    """Every figure that is held against a yardstick."""
    return Table(_HEAD, [_cells(row) for section in sections for row in section.rows])


def _cells(row: Row) -> list[str]:
    met = "" if row.met is None else "yes" if row.met else "no"
    return [row.what, row.aim, row.ours, row.beside, row.ratio, met]


def as_text(table: Table) -> str:
    """Columns as wide as their widest cell."""
    rows = [list(table.head), *map(list, table.rows)]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)) for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def as_markdown(table: Table) -> str:
    """The same as a Markdown table."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(table.head), "|" + "---|" * len(table.head), *map(line, table.rows)])


def page(sections: Sequence[Section], *, machine: Sequence[str], run: Sequence[str]) -> str:
    """docs/benchmarks.md. `run` says how this run went: when, how long, with which limits raised."""
    judged = [row for section in sections for row in section.rows if row.met is not None]
    return _PAGE.format(
        met=sum(bool(row.met) for row in judged),
        judged=len(judged),
        headline=as_markdown(headline(sections)),
        facts="\n".join(f"- {line}" for line in (*machine, *run)),
        sections="\n\n".join(map(_section, sections)),
    )


def _section(section: Section) -> str:
    return "\n\n".join([f"## {section.title}", section.how, *map(as_markdown, section.tables), *section.notes])


_PAGE = """\
# Benchmarks

`make bench` wrote this page. It measures three servers in turn on the same Postgres, Valkey, S3 server and stand-in for
the analysis server, all of them and the client on one machine:

- **YouSync**: `yousync web` and, where the engine runs, one `yousync worker`, as in the Procfile.
- **The old design** (`benchmarks/baseline/`): FastAPI, synchronous SQLAlchemy, BackgroundTasks, boto3 in a thread pool
  made for each upload, httpx, and streams that ask Postgres once a second. Written from its description, with the
  libraries' defaults, in an environment of its own.
- **The floor** (`benchmarks/floor.py`): the least an honest server could do. It parses the same multipart, writes the
  bytes to Valkey once, inserts one row, and answers.

## Against the aims: {met} of {judged} met

{headline}

## How to read this

A figure is the median of its rounds; where the rounds differ, the lowest and the highest follow in brackets. Rounds of
the servers alternate, each with fresh processes and no job left from before. *met* is empty where there is no aim.
Client, server, Valkey, Postgres, S3 and the stand-in share the cores: figures a second say what the whole machine gets
done, CPU a job is what noise moves least. Recordings are 16-bit PCM mono WAV with different bytes each time; large
tables are seeded as rows. `make bench ARGS="--only accepting --quick"` tries one scenario; only a full run writes this
page.

{facts}

{sections}
"""
