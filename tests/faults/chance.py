"""How much is tried: everything with FAULTS=all, else a sample that FAULTS_SEED draws again.

FAULTS_ONLY names a part of what is wanted, wherever there is such a thing to choose from.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

ALL = os.environ.get("FAULTS") == "all"
ONLY = os.environ.get("FAULTS_ONLY", "")
SEED = int(os.environ.setdefault("FAULTS_SEED", str(secrets.randbelow(10**6))))
"""In the environment, as processes that share the tests between them must draw the same."""


def some(site: str, of: Sequence[T], number: int) -> Sequence[T]:
    """`number` of them by chance, in their order, or all; each `site` draws for itself, whatever else is drawn."""
    if ONLY and (wanted := [each for each in of if ONLY in " ".join(str(each).split())]):
        return wanted
    if ALL:
        return of
    chance = random.Random(f"{SEED}:{site}")  # noqa: S311  # a sample that can be drawn again
    return [of[index] for index in sorted(chance.sample(range(len(of)), number))]
