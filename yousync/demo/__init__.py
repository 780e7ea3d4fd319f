"""The demo catalogue: three short scenes of our own writing, and a spoken recording of each of their lines."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

CATALOGUE: Path = _HERE / "catalogue.json"
"""Actors, tokens, scripts and words, in the shape that `yousync seed --file` takes."""

RECORDINGS: dict[tuple[str, int], Path] = {
    ("Last Train Home", 0): _HERE / "recordings" / "last-train-home-0.wav",
    ("Last Train Home", 1): _HERE / "recordings" / "last-train-home-1.wav",
    ("Last Train Home", 2): _HERE / "recordings" / "last-train-home-2.wav",
    ("The Harbor Job", 0): _HERE / "recordings" / "the-harbor-job-0.flac",
    ("The Harbor Job", 1): _HERE / "recordings" / "the-harbor-job-1.flac",
    ("The Little Lighthouse", 0): _HERE / "recordings" / "the-little-lighthouse-0.ogg",
    ("The Little Lighthouse", 1): _HERE / "recordings" / "the-little-lighthouse-1.ogg",
    ("The Little Lighthouse", 2): _HERE / "recordings" / "the-little-lighthouse-2.ogg",
    ("The Little Lighthouse", 3): _HERE / "recordings" / "the-little-lighthouse-3.ogg",
}
"""A token's name and the index of one of its lines, to the recording of that line."""

TAKES: dict[str, Path] = {name: _HERE / "takes" / f"{name}.ogg" for name in ("good", "bad")}
"""Two tries of a learner at the demo sentence: one as it should be, and one that leaves out a word and changes one."""

PITCH: dict[str, Path] = {
    f"pitch/demo/{slug}.json": _HERE / "pitch" / f"{slug}.json"
    for slug in ("last-train-home", "the-harbor-job", "the-little-lighthouse")
}
"""Keys in S3, as the catalogue's tokens name them, to the pitch of these tokens' actors."""

DEMO_SENTENCE: tuple[str, int] = ("Last Train Home", 1)
"""The token and line that `yousync demo` sends through; a key of RECORDINGS."""
