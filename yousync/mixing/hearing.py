"""The samples of a recording by its own clock: what encoders put in front is left out, what was lost is silence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

import av
import av.audio
import av.error
import numpy as np
from numpy.typing import NDArray

from yousync.audio.reading import container_of, frames_of, opened, packets_of
from yousync.audio.wav import wav_seconds
from yousync.errors import EmptyAudio, NotAudio

Sound = NDArray[np.float32]
"""Samples by time and channel, full scale at 1."""

_LOST_S = 0.015  # a longer hole was sound that did not arrive; a shorter one is how exact the clocks of browsers are
_LOUDEST = 8.0  # float samples may say anything
_UNDECLARED = {"mp3": 1105, "aac": 1024}
"""Samples that encoder and decoder put in front, where the file does not say how many: LAME's and MP3 decoders'
delays (576 + 529, LAME's technical FAQ), and the one frame by which AAC's overlapping windows come late."""


def form(data: bytes) -> tuple[int, int]:
    """The rate in Hz and the channels of a mix over this background: 44100 or 48000, one or two.

    Raises EmptyAudio or NotAudio.
    """
    with opened(data, container_of(data)) as (_, stream):
        context = stream.codec_context
        return (44100 if context.sample_rate % 11025 == 0 else 48000), min(context.channels, 2)


def hear(data: bytes, *, rate: int, channels: int, seconds: float) -> Sound:
    """The sound in `data` at `rate` Hz in one or two channels, no more than `seconds` of it.

    Raises EmptyAudio or NotAudio. Runs FFmpeg on a stranger's bytes: call it in a process of its own.
    """
    container = container_of(data)
    if container == "wav":
        wav_seconds(data)
    with opened(data, container) as (source, stream):
        packets = packets_of(source, stream)
        first = next(packets, None)
        if first is None:
            raise EmptyAudio
        context = stream.codec_context
        late = 0.0
        if not (stream.start_time or 0) > 0 and not (first.pts or 0) < 0:
            late = _UNDECLARED.get(context.codec.canonical_name, 0) / context.sample_rate
        wanted = round((seconds + late) * rate)
        heard = _resampled(_timely(stream, chain((first,), packets), seconds + late), rate, channels, wanted)
    sound = heard[round(late * rate) : wanted]
    return np.clip(np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0), -_LOUDEST, _LOUDEST)


def _resampled(frames: Iterator[av.AudioFrame], rate: int, channels: int, wanted: int) -> Sound:
    resampler = av.AudioResampler(format="flt", layout="mono" if channels == 1 else "stereo", rate=rate)
    pieces: list[Sound] = []
    count = 0
    try:
        for frame in chain(frames, (None,)):
            for out in resampler.resample(frame):
                samples = np.frombuffer(bytes(out.planes[0]), dtype=np.float32)[: out.samples * channels]
                pieces.append(samples.reshape(-1, channels))
                count += out.samples
            if count >= wanted:
                break
    except (av.error.FFmpegError, ValueError) as error:  # a rate or layout that changes midway
        raise NotAudio from error
    if not pieces:
        raise NotAudio
    return np.concatenate(pieces)


def _timely(
    stream: av.AudioStream, packets: Iterator[av.Packet[av.AudioStream]], seconds: float
) -> Iterator[av.AudioFrame]:
    """The frames, with silence where the timestamps say that some are missing; no more than `seconds` of them."""
    began, now = None, 0.0
    for frame in frames_of(stream, packets, math.inf):
        if frame.pts is not None and frame.time_base is not None:
            at = float(frame.pts * frame.time_base)
            began = at - now if began is None else began
            missing = at - began - now
            if missing > _LOST_S:
                silence = _silence(frame, min(missing, seconds - now))
                now += silence.samples / silence.sample_rate
                yield silence
        frame.pts = None
        now += frame.samples / frame.sample_rate
        yield frame
        if now >= seconds:
            return


def _silence(like: av.AudioFrame, seconds: float) -> av.AudioFrame:
    """As long as asked for, in the form of another frame."""
    planar, channels = like.format.is_planar, like.layout.nb_channels
    samples = max(1, round(seconds * like.sample_rate))
    zeros = np.zeros((channels, samples) if planar else (1, samples * channels), dtype=like.to_ndarray().dtype)
    frame = av.AudioFrame.from_ndarray(zeros, format=like.format.name, layout=like.layout.name)
    frame.sample_rate = like.sample_rate
    return frame
