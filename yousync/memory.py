"""How a long-lived process treats its memory."""

from __future__ import annotations

import gc

_YOUNG = 20_000  # objects made before the collector looks for cycles; Python's 700 is for scripts


def settle() -> None:
    """What is there now stays: the collector need not look at it again, and looks at new objects less often.

    Call it once, when a process has started up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
