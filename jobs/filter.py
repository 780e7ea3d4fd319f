"""How operators say which jobs they mean, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from yousync.job import Stage, State

AGE: Final = r"[1-9][0-9]{0,3}[smhd]"
"""How ages are written: 90s, 10m, 24h, 7d."""
REASON_CHARACTERS: Final = 500
"""How long a reason may be; there must be one."""
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs: all that meet every criterion. Ages count from the upload, on Valkey's clock."""

    states: frozenset[State] = frozenset(State)
    stage: Stage | None = None  # the one they are in, or had got to when they ended
    user: str = ""  # id or e-mail
    token_id: int | None = None
    older_than: timedelta | None = None
    younger_than: timedelta | None = None
    code: str = ""  # error code of the last failure


def age(text: str) -> timedelta:
    """The age that is written like this. Raises ValueError."""
    if re.fullmatch(AGE, text) is None:
        raise ValueError(f"{text!r} is no age: write 90s, 10m, 24h or 7d")
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
