"""Fields that inputs of several nouns have: pages of lists, and text that can be stored."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

LINE: Final = r"^[^\x00]*[^\x00\s][^\x00]*$"
"""Something to read, and no NUL, which Postgres cannot store."""

Text = Annotated[str, Field(min_length=1, pattern=LINE), AfterValidator(str.strip)]
"""Not blank; blanks around it do not count. Give it a length with `Field(max_length=...)`."""

WebAddress = Annotated[
    str,
    Field(
        max_length=2048,
        pattern=r"^\s*https?://[^\x00-\x20/?#@:\\<>\"]+(:[0-9]{1,5})?([/?#][^\x00-\x20<>\"]*)?\s*$",
        description="An http or https URL",
    ),
    AfterValidator(str.strip),
]
"""A link that a page may show: http(s) alone, no user names in it. It is stored as given but for blanks around it."""

Offset = Annotated[int, Field(ge=0, le=2**31 - 1)]
"""How many entries of a list to leave out."""


def at_most(most: int) -> AfterValidator:
    """Makes more than a list gives at a time that much; less than one stays refused by the field's own `ge`."""
    return AfterValidator(lambda limit: min(limit, most))
