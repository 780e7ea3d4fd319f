"""Reading recordings with FFmpeg's libraries: forced demuxers, few codecs, nothing opened, nothing believed."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import NoReturn

import av
import av.audio
import av.container
import av.error
import av.logging

from yousync.audio.refusals import CodecNotAllowed, NoAudioStream, OddParameters, Undecodable, UnrecognisedFormat
from yousync.audio.sniff import sniff
from yousync.audio.wav import MAX_CHANNELS, MAX_RATE, MIN_RATE, wav_lengths
from yousync.errors import AudioTooLong, EmptyAudio

_DEMUXERS = {"webm": "matroska", "ogg": "ogg", "mp4": "mp4", "wav": "wav", "mp3": "mp3", "flac": "flac"}
_CODECS: dict[str, frozenset[str]] = {
    "webm": frozenset({"opus", "vorbis"}),
    "ogg": frozenset({"opus", "vorbis", "flac"}),
    "mp4": frozenset({"aac", "alac", "opus", "flac"}),
    "wav": frozenset({"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"})
    | {"pcm_alaw", "pcm_mulaw"},
    "mp3": frozenset({"mp3", "mp3float"}),
    "flac": frozenset({"flac"}),
}
_PADDING_S = 0.1  # encoders fill up their first and last frames: a minute of sound is a little more in packets
_MISSING_S, _MISSING_SHARE = 0.2, 0.95  # a file is cut short when it holds less than both of what it claims
_TRIED_PACKETS = 16  # decoded to see that there is sound behind the container: about a third of a second


def seconds(data: bytes, *, max_seconds: float) -> float:
    """The length in seconds of the sound in `data`, by reading its packets.

    The container's own duration is not believed: packets are counted, and the first few are decoded, so that
    noise inside a valid container is refused. Raises EmptyAudio, AudioTooLong or one of `refusals`; reading stops
    as soon as `max_seconds` are passed.
    """
    container = container_of(data)
    with opened(data, container) as (source, stream):
        found, heard, tried = 0.0, 0, 0
        for packet in packets_of(source, stream):
            length = float(packet.duration * packet.time_base) if packet.duration and packet.time_base else 0.0
            if tried < _TRIED_PACKETS or length <= 0.0:
                frames = _decoded(packet)
                tried += 1
                heard += sum(frame.samples for frame in frames)
                length = max(length, sum(frame.samples / _rate(frame) for frame in frames))
            found += length
            if found > max_seconds + _PADDING_S:
                raise AudioTooLong
        if not tried:
            raise EmptyAudio
        if not heard:
            # A decoder may hold back its first frames until it is told that no more come.
            heard = sum(frame.samples for frame in _flushed(stream))
        if not heard or found <= 0.0:
            raise Undecodable
        return min(found, max_seconds)


@dataclass(frozen=True, slots=True)
class Sound:
    """Decoded sound: mono signed 16-bit little-endian `pcm` at `rate` Hz, and how long the file `claims` to be.

    `claims` is in seconds, None where the container says nothing; it is never believed, only compared.
    """

    pcm: bytes
    rate: int
    claims: float | None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.pcm) / 2 / self.rate

    @property
    def truncated(self) -> bool:
        """Whether the file promised clearly more than it held: cut on its way, or damaged."""
        return self.claims is not None and self.seconds < min(self.claims - _MISSING_S, self.claims * _MISSING_SHARE)


def decode(data: bytes, *, rate: int = 16000, max_seconds: float) -> bytes:
    """The samples of `read_sound` alone."""
    return read_sound(data, rate=rate, max_seconds=max_seconds).pcm


def read_sound(data: bytes, *, rate: int = 16000, max_seconds: float) -> Sound:
    """The sound in `data`, as one channel at `rate` Hz.

    Decoded samples are counted whatever the container claims: AudioTooLong beyond `max_seconds`. Raises EmptyAudio
    when there is no sample and one of `refusals` when it cannot be read. Blocks, and runs FFmpeg on a stranger's
    bytes: call it in a process of its own.
    """
    container = container_of(data)
    promised = wav_lengths(data)[1] if container == "wav" else None
    out = bytearray()
    with opened(data, container) as (source, stream):
        if container != "wav" and source.duration is not None and source.duration > 0:
            promised = source.duration / av.time_base
        resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
        try:
            for frame in frames_of(stream, packets_of(source, stream), max_seconds):
                for piece in resampler.resample(frame):
                    out += bytes(piece.planes[0])[: piece.samples * 2]
            for piece in resampler.resample(None) if out else ():
                out += bytes(piece.planes[0])[: piece.samples * 2]
        except (av.error.FFmpegError, ValueError) as error:  # a rate or layout that changes midway
            raise Undecodable from error
    return Sound(bytes(out), rate, promised)


def warm_up() -> None:
    """Reads a WAV of one millisecond, so that every module and table that reading needs is loaded."""
    sound = bytes(16)
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    body = b"WAVE" + layout + struct.pack("<4sI", b"data", len(sound)) + sound
    recording = b"RIFF" + struct.pack("<I", len(body)) + body
    seconds(recording, max_seconds=1.0)
    decode(recording, max_seconds=1.0)


def frames_of(
    stream: av.AudioStream, packets: Iterator[av.Packet[av.AudioStream]], max_seconds: float
) -> Iterator[av.AudioFrame]:
    """Every frame that can be decoded, counted; at least one. Raises AudioTooLong, EmptyAudio or NotAudio."""
    found, tried, heard = 0.0, 0, 0
    for packet in chain(packets, (None,)):
        tried += packet is not None
        for frame in _decoded(packet) if packet else _flushed(stream):
            heard += frame.samples
            found += frame.samples / _rate(frame)
            if found > max_seconds + _PADDING_S:
                raise AudioTooLong
            yield frame
    if not heard:
        raise Undecodable if tried else EmptyAudio


def container_of(data: bytes) -> str:
    """The container of `data`. Raises EmptyAudio for no bytes and UnrecognisedFormat for none of ours."""
    if not data:
        raise EmptyAudio
    container = sniff(data)
    if container is None:
        raise UnrecognisedFormat
    return container


@contextmanager
def opened(data: bytes, container: str) -> Iterator[tuple[av.container.InputContainer, av.AudioStream]]:
    """The first audio stream of `data`, read by the demuxer of `container` and no other."""
    av.logging.set_level(None)
    allowed = _CODECS[container]
    options = {
        "codec_whitelist": ",".join(sorted(allowed)),
        "format_whitelist": "matroska,webm,ogg,mov,mp4,m4a,3gp,3g2,mj2,wav,mp3,flac",
        "protocol_whitelist": "none",
        "max_streams": "8",
    }
    try:
        source = av.open(
            io.BytesIO(data), mode="r", format=_DEMUXERS[container], container_options=options, io_open=_refuse
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise UnrecognisedFormat from error
    with source:
        streams = source.streams.audio
        if not streams:
            raise NoAudioStream
        stream = streams[0]
        context = stream.codec_context
        if context.codec.canonical_name not in allowed:
            raise CodecNotAllowed
        if not 1 <= context.channels <= MAX_CHANNELS or not MIN_RATE <= context.sample_rate <= MAX_RATE:
            raise OddParameters
        context.thread_count = 1
        yield source, stream


def _refuse(*_: object) -> NoReturn:
    """Containers may name other files; none is ever opened."""
    raise PermissionError


def packets_of(source: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.Packet[av.AudioStream]]:
    """The packets that can be read; a file cut short ends where it was cut."""
    try:
        for packet in source.demux(stream):
            if packet.size:
                yield packet
    except av.error.FFmpegError:
        return


def _decoded(packet: av.Packet[av.AudioStream]) -> list[av.AudioFrame]:
    """The frames of one packet; none when it is damaged, which one packet may be."""
    try:
        return packet.decode()
    except av.error.FFmpegError:
        return []


def _flushed(stream: av.AudioStream) -> list[av.AudioFrame]:
    try:
        return list(stream.codec_context.decode(None))
    except av.error.FFmpegError:
        return []


def _rate(frame: av.AudioFrame) -> int:
    if not MIN_RATE <= frame.sample_rate <= MAX_RATE:
        raise OddParameters
    return frame.sample_rate
