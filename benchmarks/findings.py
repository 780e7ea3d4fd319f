"""What a scenario found: rows that are held against an aim, and tables that tell more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure beside its yardstick. `met` is None where there is no aim, or no figure to judge by."""

    what: str
    aim: str = ""
    ours: str
    beside: str = ""  # the yardstick's own figure, with its name
    ratio: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Everything that was measured, as cells of text."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(slots=True)
class Section:
    """The findings of one scenario."""

    title: str
    how: str  # what was done, for people
    rows: list[Row] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)  # for what is reckoned from them, by name and unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured: rounds of each figure, and whether each is cut short to see that it works at all."""

    rounds: int = 3
    quick: bool = False

    def of(self, full: float, quick: float) -> float:
        """Seconds, the full or the quick ones."""
        return quick if self.quick else full

    def count(self, full: int, quick: int) -> int:
        """A number of things, the full or the quick one."""
        return quick if self.quick else full
