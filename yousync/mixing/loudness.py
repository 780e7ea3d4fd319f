"""How loud sounds are to people, and keeping a sum of them within full scale."""

from __future__ import annotations

from collections.abc import Callable

import av.audio
import av.error
import av.filter
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from yousync.mixing.hearing import Sound

_SILENT_LUFS = -55.0  # below it there is a room, not a voice
_CEILING = np.float32(10 ** (-1 / 20))  # -1 dBFS: what decoders of a lossy copy add to peaks has room above it
_BLOCK_S = 0.001
_REACH = 20  # blocks before and after a peak over which the gain goes down and up again


def loudness(sound: Sound, rate: int) -> float | None:
    """The integrated loudness in LUFS (ITU-R BS.1770, EBU R 128), None for silence and for less than 0.4 s."""
    if not len(sound):
        return None
    graph = av.filter.Graph()
    graph.threads = 1  # the process that mixes may start none
    layout = "mono" if sound.shape[1] == 1 else "stereo"
    source = graph.add_abuffer(sample_rate=rate, layout=layout, format="flt")
    meter, sink = graph.add("ebur128", "metadata=1:framelog=quiet"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound).reshape(1, -1), format="flt", layout=layout)
    frame.sample_rate, frame.pts = rate, 0
    graph.push(frame)
    graph.push(None)
    lufs = -np.inf
    try:
        while True:
            lufs = float(graph.pull().metadata.get("lavfi.r128.I", lufs))
    except (av.error.EOFError, av.error.BlockingIOError):
        return lufs if lufs > _SILENT_LUFS else None


def limited(sound: Sound, rate: int) -> Sound:
    """`sound` with no sample above -1 dBFS: around what is louder the gain goes down and comes back within 20 ms.

    The gain of a millisecond is the mean over its neighbours of the least that each of their neighbours needs, so
    it never exceeds what the millisecond itself needs.
    """
    if not len(sound) or np.abs(sound).max() <= _CEILING:
        return sound
    block = round(rate * _BLOCK_S)
    count = -(-len(sound) // block)
    peaks = np.zeros(count * block, dtype=np.float32)
    peaks[: len(sound)] = np.abs(sound).max(axis=1)
    needed = np.minimum(1.0, _CEILING / np.maximum(peaks.reshape(count, block).max(axis=1), 1e-9))
    # One block of reach is kept for the line drawn between a block's middle and the next one's.
    least = _over(needed, _REACH + 1, np.min)
    gain = _over(least, _REACH, np.mean)
    middles = (np.arange(count) + 0.5) * block
    return sound * np.interp(np.arange(len(sound)), middles, gain).astype(np.float32)[:, None]


def _over(values: NDArray[np.float64], reach: int, what: Callable[..., NDArray[np.float64]]) -> NDArray[np.float64]:
    """`what` of each value and its neighbours within `reach` on both sides."""
    return what(sliding_window_view(np.pad(values, reach, mode="edge"), 2 * reach + 1), axis=1)
