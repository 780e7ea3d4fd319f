"""How much is tried: everything with FAULTS=all, else a sample that FAULTS_SEED draws again."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

ALL = os.environ.get("FAULTS") == "all"
SEED = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(10**6))

_chance = random.Random(SEED)  # noqa: S311  # a sample that can be drawn again


def some(of: Sequence[T], number: int) -> Sequence[T]:
    """`number` of them by chance, in their order, or all."""
    if ALL:
        return of
    return [of[index] for index in sorted(_chance.sample(range(len(of)), number))]
