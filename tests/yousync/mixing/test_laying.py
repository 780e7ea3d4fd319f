"""A mix, measured: where recordings sound, what is between them, how loud they are, and that nothing clips."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests import audio_samples as samples
from yousync.mixing.laying import Unheard, mix
from yousync.mixing.loudness import loudness
from yousync.mixing.plan import Part, Plan, Take

RATE = 48000
Sound = NDArray[np.float32]

_noise = np.random.default_rng(5)


def wav(sound: NDArray[np.floating], *, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1 if sound.ndim == 1 else sound.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    return out.getvalue()


def read(data: bytes) -> tuple[Sound, int]:
    with wave.open(io.BytesIO(data)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        sound = pcm.astype(np.float32) / np.float32(32767)
        return sound.reshape(-1, file.getnchannels()), file.getframerate()


def hum(seconds: float, *, hz: float, level: float, rate: int = RATE) -> NDArray[np.floating]:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def hiss(seconds: float, *, level: float = 0.02) -> NDArray[np.floating]:
    return np.clip(_noise.normal(0, level, round(seconds * RATE)), -1, 1)


def chirp(seconds: float = 0.06) -> NDArray[np.floating]:
    time = np.arange(round(seconds * RATE)) / RATE
    return 0.5 * np.sin(2 * np.pi * (800 * time + 25000 * time**2)) * np.hanning(len(time))


def spoken(seconds: float = 1.0, *, at: tuple[float, ...] = (0.1, 0.45, 0.85)) -> NDArray[np.int16]:
    sound = np.zeros(round(seconds * RATE))
    for moment in at:
        start = round(moment * RATE)
        sound[start : start + len(chirp())] += chirp()
    return np.round(sound * 32767).astype(np.int16)


def heard_at(sound: Sound, around: float) -> float:
    """When the chirp is heard, in seconds, within 0.15 s of a moment."""
    begin = round((around - 0.15) * RATE)
    part = sound[begin : begin + round(0.36 * RATE), 0]
    return float(begin + np.argmax(np.abs(np.correlate(part, chirp(), "valid")))) / RATE


def level_of(sound: Sound, hz: float, rate: int = RATE) -> float:
    """The amplitude of a hum in a sound."""
    wave_ = np.exp(-2j * np.pi * hz * np.arange(len(sound)) / rate)
    return float(2 * np.abs(sound[:, 0] @ wave_) / len(sound))


RECORDED: dict[str, Callable[[], bytes]] = {
    "wav": lambda: samples.wav(samples=spoken()),
    "wav float": lambda: samples.encoded("wav", "pcm_f32le", sound=spoken()),
    "wav of unknown length": lambda: samples.wav_header(size=0xFFFFFFFF) + spoken().tobytes(),
    "webm opus": lambda: samples.encoded("webm", "libopus", sound=spoken()),
    "webm opus live": lambda: samples.live_webm(sound=spoken()),
    "webm vorbis": lambda: samples.encoded("webm", "vorbis", sound=spoken()),
    "ogg opus": lambda: samples.encoded("ogg", "libopus", sound=spoken()),
    "ogg vorbis": lambda: samples.encoded("ogg", "vorbis", sound=spoken()),
    "ogg flac": lambda: samples.encoded("ogg", "flac", sound=spoken()),
    "mp4 aac": lambda: samples.encoded("mp4", "aac", sound=spoken()),
    "mp4 aac fragmented": lambda: samples.fragmented_mp4(sound=spoken()),
    "mp4 alac": lambda: samples.encoded("mp4", "alac", sound=spoken()),
    "mp3": lambda: samples.encoded("mp3", "libmp3lame", sound=spoken()),
    "mp3 without tag": lambda: samples.encoded(
        "mp3", "libmp3lame", options={"id3v2_version": "0", "write_xing": "0"}, sound=spoken()
    ),
    "flac": lambda: samples.encoded("flac", "flac", sound=spoken()),
}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recording_of_any_format_sounds_where_its_sentence_begins(name: str) -> None:
    plan = Plan(wav(hiss(3.0)), wav(hum(3.0, hz=300, level=0.2)), (Take(RECORDED[name](), 1.2, 2.4),), 3.0)

    mixed, rate = read(mix(plan))

    assert rate == RATE
    assert mixed.shape == (3 * RATE, 1)
    for moment in (0.1, 0.45, 0.85):
        assert heard_at(mixed, 1.2 + moment) == pytest.approx(1.2 + moment, abs=0.005)


@pytest.mark.parametrize("rate", [44100, 22050, 32000, 96000])
def test_positions_hold_at_every_rate_of_background_and_recording(rate: int) -> None:
    spoken_so = samples.encoded("flac", "flac", rate=48000, sound=spoken())
    plan = Plan(wav(hum(3.0, hz=90, level=0.05, rate=rate), rate=rate), None, (Take(spoken_so, 1.2, 2.4),), 3.0)

    mixed, got = read(mix(plan))

    assert got == (44100 if rate % 11025 == 0 else 48000)
    assert len(mixed) == 3 * got
    resampled = np.interp(np.arange(3 * RATE) / RATE, np.arange(len(mixed)) / got, mixed[:, 0])
    for moment in (0.1, 0.45, 0.85):
        assert heard_at(resampled[:, None].astype(np.float32), 1.2 + moment) == pytest.approx(1.2 + moment, abs=0.001)


def test_several_recordings_of_a_minute_long_clip_stay_in_place() -> None:
    starts = [0.0, 13.37, 27.001, 58.5]
    formats = ["webm opus", "mp4 aac", "mp3", "ogg opus"]
    takes = tuple(Take(RECORDED[name](), start, start + 1.1) for name, start in zip(formats, starts, strict=True))

    mixed, _ = read(mix(Plan(wav(hiss(60.0)), None, takes, 60.0)))

    for start in starts:
        for moment in (0.45, 0.85):
            assert heard_at(mixed, start + moment) == pytest.approx(start + moment, abs=0.005)


def test_gaps_are_the_original_to_the_sample() -> None:
    background, vocal = hiss(3.0), hum(3.0, hz=300, level=0.2)
    plan = Plan(wav(background), wav(vocal), (Take(RECORDED["wav"](), 1.0, 2.0),), 3.0)

    mixed, _ = read(mix(plan))

    for gap in (slice(0, RATE), slice(2 * RATE, 3 * RATE)):
        assert np.abs(mixed[gap, 0] - (background + vocal)[gap]).max() <= 3 / 32767
    sentence = mixed[RATE + RATE // 20 : 2 * RATE - RATE // 20]
    assert level_of(sentence, 300) < 0.01  # the original voice is not heard under the learner's
    for change in (RATE, 2 * RATE):  # nothing clicks where one takes over from the other
        assert np.abs(np.diff(mixed[change - RATE // 20 : change + RATE // 20, 0])).max() < 0.15


def test_where_a_short_recording_has_ended_the_original_goes_on() -> None:
    take = Take(samples.wav(samples=spoken(0.5, at=(0.1,))), 1.0, 2.0)
    vocal = hum(3.0, hz=300, level=0.2)

    mixed, _ = read(mix(Plan(wav(np.zeros(3 * RATE)), wav(vocal), (take,), 3.0)))

    rest = slice(round(1.51 * RATE), 2 * RATE)
    assert np.abs(mixed[rest, 0] - vocal[rest]).max() <= 3 / 32767


def test_without_a_vocal_stem_gaps_are_the_background_alone() -> None:
    background = hiss(2.0)

    mixed, _ = read(mix(Plan(wav(background), None, (Take(RECORDED["wav"](), 0.5, 1.5),), 2.0)))

    assert np.abs(mixed[: RATE // 2, 0] - background[: RATE // 2]).max() <= 2 / 32767
    assert np.abs(mixed[round(1.5 * RATE) :, 0] - background[round(1.5 * RATE) :]).max() <= 2 / 32767


def test_a_recording_is_cut_where_its_sentence_ends_and_where_the_next_begins() -> None:
    long = samples.wav(samples=np.round(hum(4.0, hz=700, level=0.3) * 32767).astype(np.int16))
    other = samples.wav(samples=np.round(hum(4.0, hz=1100, level=0.3) * 32767).astype(np.int16))
    plan = Plan(wav(np.zeros(4 * RATE)), None, (Take(other, 2.0, 3.0), Take(long, 0.5, 2.5)), 4.0)

    mixed, _ = read(mix(plan))

    assert level_of(mixed[RATE : 2 * RATE], 700) == pytest.approx(0.3, rel=0.05)
    assert level_of(mixed[2 * RATE : 3 * RATE], 700) < 0.001
    assert level_of(mixed[2 * RATE : 3 * RATE], 1100) == pytest.approx(0.3, rel=0.05)
    assert not mixed[3 * RATE :].any()


def test_sentences_that_reach_over_the_clip_are_cut_to_it() -> None:
    take = samples.wav(samples=spoken(1.0, at=(0.45,)))
    plan = Plan(wav(hiss(2.0)), None, (Take(take, -0.3, 0.7), Take(take, 1.4, 2.4), Take(take, 5.0, 6.0)), 2.0)

    mixed, _ = read(mix(plan))

    assert len(mixed) == 2 * RATE
    assert heard_at(mixed, 0.15) == pytest.approx(0.15, abs=0.005)
    assert heard_at(mixed, 1.85) == pytest.approx(1.85, abs=0.005)


@pytest.mark.parametrize("level", [0.05, 0.2, 0.7])
def test_recordings_are_as_loud_as_the_original_voice(level: float) -> None:
    voice = samples.tone(2.0) / 32768
    take = samples.wav(samples=np.round(samples.tone(1.0) * level).astype(np.int16))

    mixed, _ = read(mix(Plan(wav(np.zeros(2 * RATE)), wav(voice), (Take(take, 0.5, 1.5),), 2.0)))

    wanted = loudness(voice[RATE // 2 : RATE * 3 // 2, None].astype(np.float32), RATE)
    assert wanted is not None
    if level == 0.05:  # 26 dB would raise the room's noise as well: it is raised by 15
        wanted -= 26 - 15
    assert loudness(mixed[RATE // 2 : RATE * 3 // 2], RATE) == pytest.approx(wanted, abs=1.0)


def test_silence_is_not_amplified() -> None:
    room = samples.wav(samples=np.round(hiss(1.0, level=0.0005) * 32767).astype(np.int16))

    mixed, _ = read(mix(Plan(wav(np.zeros(2 * RATE)), wav(hum(2.0, hz=300, level=0.3)), (Take(room, 0.5, 1.5),), 2.0)))

    assert np.abs(mixed[round(0.6 * RATE) : round(1.4 * RATE)]).max() < 0.005


def test_the_sum_of_loud_sounds_does_not_clip() -> None:
    take = samples.wav(samples=np.round(hum(1.0, hz=700, level=0.95) * 32767).astype(np.int16))
    plan = Plan(wav(hum(3.0, hz=110, level=0.9)), wav(hum(3.0, hz=300, level=0.9)), (Take(take, 1.0, 2.0),), 3.0)

    mixed, _ = read(mix(plan))

    assert np.abs(mixed).max() <= 10 ** (-1 / 20) + 1e-4
    assert np.abs(mixed).max() > 0.8
    flat = (np.abs(np.diff(mixed[:, 0])) < 1e-6) & (np.abs(mixed[1:, 0]) > 0.85)
    assert not (flat[1:] & flat[:-1]).any()  # no peak was cut off flat


def test_channels_are_the_backgrounds() -> None:
    wide = np.stack([hum(2.0, hz=110, level=0.1), hum(2.0, hz=220, level=0.1)], axis=1)
    plan = Plan(wav(wide), wav(hum(2.0, hz=300, level=0.1)), (Take(RECORDED["mp4 aac"](), 0.5, 1.5),), 2.0)

    mixed, _ = read(mix(plan))

    assert mixed.shape == (2 * RATE, 2)
    assert level_of(mixed[:, :1], 110) == pytest.approx(0.1, rel=0.05)
    assert level_of(mixed[:, 1:], 220) == pytest.approx(0.1, rel=0.05)
    assert heard_at(mixed[:, 1:], 0.95) == pytest.approx(0.95, abs=0.005)


def test_what_a_browser_lost_on_the_way_is_silence_and_moves_nothing() -> None:
    out = io.BytesIO()
    with av.open(io.BytesIO(RECORDED["webm opus"]()), "r") as whole, av.open(out, "w", format="webm") as torn:
        stream = torn.add_stream_from_template(whole.streams.audio[0])
        for number, packet in enumerate(whole.demux(whole.streams.audio[0])):
            if packet.size and not 12 <= number < 20:  # 0.16 s of packets
                packet.stream = stream
                torn.mux(packet)

    mixed, _ = read(mix(Plan(wav(hiss(3.0)), None, (Take(out.getvalue(), 1.0, 2.0),), 3.0)))

    assert heard_at(mixed, 1.1) == pytest.approx(1.1, abs=0.005)
    assert heard_at(mixed, 1.85) == pytest.approx(1.85, abs=0.005)


def test_the_same_plan_makes_the_same_bytes() -> None:
    plan = Plan(wav(hiss(2.0)), wav(hum(2.0, hz=300, level=0.9)), (Take(RECORDED["mp3"](), 0.5, 1.5),), 2.0)

    assert mix(plan) == mix(Plan.from_bytes(b"".join(plan.to_parts())))


@pytest.mark.parametrize("part", Part)
def test_it_is_said_which_sound_cannot_be_read(part: Part) -> None:
    bad = samples.NOT_AUDIO["random bytes"]()
    sounds = {kind: bad if kind is part else wav(hiss(1.0)) for kind in Part}
    plan = Plan(sounds[Part.BACKGROUND], sounds[Part.VOCAL], (Take(sounds[Part.TAKE], 0.0, 1.0),), 1.0)

    with pytest.raises(Unheard) as told:
        mix(plan)

    assert (told.value.part, told.value.code) == (part, "audio_unrecognised")


def test_samples_that_are_no_numbers_stay_out_of_the_mix() -> None:
    nonsense = np.full(RATE, np.nan, dtype="<f4")
    nonsense[::3] = np.inf
    take = samples.wav_header(bits=32, tag=3, size=4 * RATE) + nonsense.tobytes()
    background = hiss(2.0)

    mixed, _ = read(mix(Plan(wav(background), None, (Take(take, 0.5, 1.5),), 2.0)))

    assert np.abs(mixed[:, 0] - background).max() <= 2 / 32767
