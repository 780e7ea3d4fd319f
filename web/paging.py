"""Pages of the catalogue's lists, and what people type to find things in it."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field

from web.fields import Offset, Text, at_most

MAX_PAGE: Final = 500

Limit = Annotated[
    int, Field(ge=1, description=f"How many at most; more than {MAX_PAGE} is {MAX_PAGE}"), at_most(MAX_PAGE)
]
Typed = Annotated[Text, Field(max_length=255)]
"""A few words that somebody typed."""


class PageQuery(BaseModel):
    """Which part of a list."""

    skip: Offset = 0
    limit: Limit = 100
