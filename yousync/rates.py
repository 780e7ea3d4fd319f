"""How often one caller may ask: the named rates, and how RATE_LIMITS changes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests at once, and as many again spread over `seconds`."""

    count: int
    seconds: int


DEFAULTS: Final[Mapping[str, Rate]] = {
    "default": Rate(600, 60),  # a page of the web app asks for some ten things
    "login": Rate(12, 60),
    "upload": Rate(60, 60),  # a sentence takes seconds to speak, and a failed upload is sent again after two
    "bookmarks": Rate(30, 60),  # a client is known to ask for an empty list in a loop, until it is refused
}
"""For one person. An address, behind which a class may sit, has ADDRESS_SHARE times as many."""

ADDRESS_SHARE: Final = 5


def rates(text: str) -> dict[str, Rate]:
    """The rates that RATE_LIMITS says: `on`, `off` for none, or changes such as `default=1200/60,login=off`.

    Raises ValueError for anything else.
    """
    if text == "off":
        return {}
    found = dict(DEFAULTS)
    for entry in [] if text == "on" else text.split(","):
        name, _, value = entry.strip().partition("=")
        count, _, seconds = value.partition("/")
        if name in DEFAULTS and value == "off":
            found.pop(name, None)
        elif name in DEFAULTS and count.isdecimal() and seconds.isdecimal() and int(count) and int(seconds):
            found[name] = Rate(int(count), int(seconds))
        else:
            names = ", ".join(DEFAULTS)
            raise ValueError(f"must be on, off, or NAME=COUNT/SECONDS and NAME=off separated by commas, of {names}")
    return found
