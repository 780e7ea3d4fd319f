"""Mixing: a learner's recordings laid over a clip's background, and the original voice wherever none plays.

The work is a pure function of its sounds (`laying.mix`). It decodes what strangers recorded, so it runs in a child
process of its own that is made for one mix and ends with it (`mixer.Mixer`).
"""

from __future__ import annotations

from yousync.mixing.mixer import Mixer, Unmixable
from yousync.mixing.plan import MAX_SECONDS, Part, Plan, Take

__all__ = ["MAX_SECONDS", "Mixer", "Part", "Plan", "Take", "Unmixable"]
