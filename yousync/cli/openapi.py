"""`yousync openapi`: the API's OpenAPI document, as /openapi.json serves it, for files and generators of clients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer


def openapi(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; standard output unless given.")] = None,
) -> None:
    """Write the OpenAPI document; nothing has to run for it."""
    from web.app import described

    text = orjson.dumps(described(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    if file is None:
        typer.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")
