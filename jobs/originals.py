"""What recordings are held against, remembered: many are made of the same sentence."""

from __future__ import annotations

from typing import Final

from typing_extensions import override

from models.catalogue_changes import Remembering
from models.script import Original, original_of

_MAX_VALUES: Final = 500_000
"""How many words and numbers of theirs are kept at most; some 50 MB."""


class Originals(Remembering):
    """Clips with one sentence of theirs, or all, until the catalogue changes.

    What was deleted this moment is noticed all the same: its job's row refers to it, and Postgres refuses.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[tuple[int | None, int | None], Original] = {}
        self._values = 0

    async def of(self, token_id: int | None, script_id: int | None) -> Original | None:
        """What `models.script.original_of` says."""
        kept = self._kept.get((token_id, script_id))
        if kept is not None:
            return kept
        generation = self._generation
        found = await original_of(token_id, script_id)
        if found is not None and self._is_current(generation) and (token_id, script_id) not in self._kept:
            self._values += _values(found)
            if self._values > _MAX_VALUES:
                self._kept.clear()
                self._values = _values(found)
            self._kept[token_id, script_id] = found
        return found

    @override
    def forget(self) -> None:
        """The catalogue changed."""
        super().forget()
        self._kept.clear()
        self._values = 0


def _values(original: Original) -> int:
    words = [word for sentence in original.sentences for word in sentence.words]
    return 10 + 10 * len(words) + sum(len(row) for word in words for row in word.mfcc or ())
