"""Makes recordings for tests: good ones in every container, and the hostile ones."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Callable
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

RATE = 48000


def tone(seconds: float, *, rate: int = RATE, hz: float = 220.0) -> NDArray[np.int16]:
    """A buzz with ten harmonics whose loudness goes up and down three times a second, a little like speech."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * hz * n * time) / n for n in range(1, 11))
    loudness = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * time)
    return np.asarray(buzz * loudness * 7000, dtype=np.int16)


def wav(seconds: float = 1.0, *, rate: int = RATE, samples: NDArray[np.int16] | None = None) -> bytes:
    """16-bit mono WAV, as the web frontend records it."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((tone(seconds, rate=rate) if samples is None else samples).tobytes())
    return out.getvalue()


def encoded(
    container: Literal["webm", "ogg", "mp4", "mp3", "flac", "matroska", "wav"],
    codec: Literal["libopus", "vorbis", "aac", "libmp3lame", "flac", "alac", "pcm_f32le", "pcm_mulaw", "adpcm_ms"],
    seconds: float = 1.0,
    *,
    rate: int = RATE,
    options: dict[str, str] | None = None,
    sound: NDArray[np.int16] | None = None,
) -> bytes:
    """A tone, or the sound that is given, in any container with any codec."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options=options or {}) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout = layout = "stereo" if codec == "vorbis" else "mono"
        if codec == "vorbis":
            stream.codec_context.options = {"strict": "experimental"}
        samples = np.repeat(tone(seconds, rate=rate) if sound is None else sound, 2 if layout == "stereo" else 1)
        step = rate * (2 if layout == "stereo" else 1)
        for start in range(0, len(samples), step):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + step], format="s16", layout=layout)
            frame.sample_rate = rate
            frame.pts = start // (step // rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


def live_webm(seconds: float = 1.0, *, sound: NDArray[np.int16] | None = None) -> bytes:
    """WebM/Opus as browsers stream it: no duration, no index, sizes unknown."""
    return encoded("webm", "libopus", seconds, options={"live": "1"}, sound=sound)


def fragmented_mp4(seconds: float = 1.0, *, sound: NDArray[np.int16] | None = None) -> bytes:
    """MP4/AAC as Safari streams it."""
    flags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    return encoded("mp4", "aac", seconds, options=flags, sound=sound)


def video(container: Literal["mp4", "matroska"], *, sound: bool) -> bytes:
    """Half a second of moving picture, with or without sound."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 32, 32
        voice = file.add_stream("aac" if container == "mp4" else "libopus", rate=RATE) if sound else None
        if voice is not None:
            voice.layout = "mono"
            frame = av.AudioFrame.from_ndarray(tone(1.0)[None], format="s16", layout="mono")
            frame.sample_rate = RATE
            file.mux(voice.encode(frame))
            file.mux(voice.encode(None))
        for number in range(5):
            picture = np.full((32, 32, 3), number * 40, dtype=np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    return out.getvalue()


def wav_header(*, channels: int = 1, rate: int = RATE, bits: int = 16, tag: int = 1, size: int = 0) -> bytes:
    """A 44-byte WAV header that claims whatever it is told, `size` in both of its length fields."""
    block = channels * bits // 8
    fmt = struct.pack("<HHIIHH", tag, channels & 0xFFFF, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    return (
        b"RIFF"
        + struct.pack("<I", size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + fmt
        + b"data"
        + struct.pack("<I", size)
    )


def opus_of_noise() -> bytes:
    """A real WebM whose Opus packets were overwritten with zeros and nonsense."""
    data = bytearray(encoded("webm", "vorbis", 1.0))
    half = len(data) // 4
    data[half:] = b"\xa5\x5a" * ((len(data) - half + 1) // 2)
    return bytes(data)


_noise = np.random.default_rng(7).bytes(20_000)

GOOD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "webm opus": ("webm", lambda: encoded("webm", "libopus")),
    "webm vorbis": ("webm", lambda: encoded("webm", "vorbis")),
    "webm opus live": ("webm", live_webm),
    "matroska opus": ("webm", lambda: encoded("matroska", "libopus")),
    "ogg opus": ("ogg", lambda: encoded("ogg", "libopus")),
    "ogg vorbis": ("ogg", lambda: encoded("ogg", "vorbis")),
    "ogg flac": ("ogg", lambda: encoded("ogg", "flac")),
    "mp4 aac": ("mp4", lambda: encoded("mp4", "aac")),
    "mp4 aac fragmented": ("mp4", fragmented_mp4),
    "mp4 with a picture": ("mp4", lambda: video("mp4", sound=True)),
    "matroska with a picture": ("webm", lambda: video("matroska", sound=True)),
    "mp4 alac": ("mp4", lambda: encoded("mp4", "alac")),
    "mp3": ("mp3", lambda: encoded("mp3", "libmp3lame")),
    "mp3 without tag": ("mp3", lambda: encoded("mp3", "libmp3lame", options={"id3v2_version": "0", "write_xing": "0"})),
    "flac": ("flac", lambda: encoded("flac", "flac")),
    "wav": ("wav", wav),
    "wav float": ("wav", lambda: encoded("wav", "pcm_f32le")),
    "wav mu-law": ("wav", lambda: encoded("wav", "pcm_mulaw", rate=8000)),
    "wav streamed, zero sizes": ("wav", lambda: wav_header(size=0) + tone(1.0).tobytes()),
    "wav streamed, 4 GB sizes": ("wav", lambda: wav_header(size=0xFFFFFFFF) + tone(1.0).tobytes()),
}
"""Name to the expected container and a maker of one second of it."""

NOT_AUDIO: dict[str, Callable[[], bytes]] = {
    "ten bytes of a header": lambda: encoded("ogg", "libopus")[:10],
    "random bytes": lambda: _noise,
    "zeros": lambda: bytes(5000),
    "a program called .wav": lambda: b"\x7fELF\x02\x01\x01" + _noise,
    "a web page": lambda: b"<!DOCTYPE html><html><body>Access Denied</body></html>" * 20,
    "an SVG picture": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "a zip": lambda: b"PK\x03\x04" + _noise,
    "HLS playlist of a file": lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "HLS playlist of a URL": lambda: b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
    "ffconcat": lambda: b"ffconcat version 1.0\nfile /etc/passwd\n",
    "SDP": lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 5004 RTP/AVP 0\n",
    "video without sound": lambda: video("mp4", sound=False),
    "mp4 cut before its index": lambda: encoded("mp4", "aac")[:3000],
    "webm header, then noise": lambda: encoded("webm", "libopus")[:60] + _noise,
    "webm of damaged packets": opus_of_noise,
    "ogg pages of noise": lambda: b"OggS\x00\x02" + bytes(20) + b"\x01\x1e" + _noise,
    "flac mark, then noise": lambda: b"fLaC" + _noise,
    "mp3 header, then noise": lambda: b"\xff\xfb\x90\x00" + bytes(5000),
    "ftyp, then noise": lambda: b"\x00\x00\x00\x18ftypisom" + _noise,
    "a codec nobody records with": lambda: encoded("wav", "adpcm_ms"),
    "mp3 in matroska": lambda: encoded("matroska", "libmp3lame"),
    "65535 channels": lambda: wav_header(channels=65535, size=4000) + bytes(4000),
    "no channels": lambda: wav_header(channels=0, size=4000) + bytes(4000),
    "1 Hz": lambda: wav_header(rate=1, size=4000) + bytes(4000),
    "2^31 Hz": lambda: wav_header(rate=2**31, size=4000) + bytes(4000),
    "7 bits": lambda: wav_header(bits=7, size=4000) + bytes(4000),
    "a million empty chunks": lambda: b"RIFF\x00\x00\x00\x00WAVE" + b"LIST\x00\x00\x00\x00" * 1_000_000,
    "RIFF of something else": lambda: b"RIFF\x00\x10\x00\x00AVI LIST" + _noise,
}

EMPTY: dict[str, Callable[[], bytes]] = {
    "no bytes": lambda: b"",
    "a WAV header alone": lambda: wav_header(size=0),
    "a WAV header alone that claims 4 GB": lambda: wav_header(size=0xFFFFFFFF),
    "half a sample": lambda: wav_header(size=1) + b"\x00",
}


def flac_bomb(hours: float = 2.0) -> bytes:
    """Hours of silence in a few hundred kB."""
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as file:
        stream = file.add_stream("flac", rate=8000)
        stream.layout = "mono"
        block = av.AudioFrame.from_ndarray(np.zeros((1, 8000 * 600), dtype=np.int16), format="s16", layout="mono")
        block.sample_rate = 8000
        for number in range(round(hours * 6)):
            block.pts = number * 8000 * 600
            file.mux(stream.encode(block))
        file.mux(stream.encode(None))
    return out.getvalue()
