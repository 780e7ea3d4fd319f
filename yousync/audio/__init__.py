"""The one sandboxed decoder: what a recording really is, how long it lasts, and its samples.

Whatever reaches this package was sent by a stranger. Its name and declared type play no part: the first bytes
decide the container, that container's demuxer is forced, and only a few audio codecs exist for it. Everything but
WAV is read in child processes that can open no file and no socket, within limits of time and memory.
"""

from __future__ import annotations

from yousync.audio.prober import Probe, Prober
from yousync.audio.reading import Sound, decode, read_sound
from yousync.audio.sniff import CONTAINERS, sniff

__all__ = ["CONTAINERS", "Probe", "Prober", "Sound", "decode", "read_sound", "sniff"]
