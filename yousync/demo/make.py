"""Makes the demo catalogue and its recordings with flite; needs Debian's `flite` and the project's own PyAV.

Run `python -m yousync.demo.make` after changing a line. The word times are the synthesiser's own: flite knows
when each phone it makes begins and ends, and its utterance structure says which phones are which word's.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.audio
import numpy as np

from yousync.analyzer.voice import HOP_S, listen
from yousync.audio import decode

HERE = Path(__file__).parent
LEAD_IN_S = 0.5  # video shown before the first line and after the last one
GAP_S = 0.8  # silence between two lines of the video


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a scene: what is said and what it means."""

    english: str
    korean: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One token to be made: `voice` is flite's, `suffix` decides the recordings' format."""

    title: str
    slug: str
    actor_name: str
    aliases: tuple[str, ...]
    category: str
    youtube_id: str
    start_s: float
    voice: str
    suffix: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Take:
    """A learner's try at the demo sentence: what is really said, a little slower and higher than the actor does."""

    slug: str
    says: str
    stretch: float
    pitch_hz: float
    spread_hz: float


TAKES = (
    Take("good", "I was waiting for you by the river.", stretch=1.06, pitch_hz=196, spread_hz=26),
    Take("bad", "I was waiting for by the table.", stretch=1.15, pitch_hz=188, spread_hz=14),
)
TAKES_VOICE = "slt"

SCENES = (
    Scene(
        title="Last Train Home",
        slug="last-train-home",
        actor_name="Mina Harper",
        aliases=("미나 하퍼", "Mina"),
        category="로맨스",
        youtube_id="YouSyncDm01",
        start_s=12.0,
        voice="slt",
        suffix="wav",
        lines=(
            Line("You missed the last train again.", "또 막차를 놓쳤네."),
            Line("I was waiting for you by the river.", "강가에서 너를 기다리고 있었어."),
            Line("Let's walk home before it rains.", "비가 오기 전에 집까지 걸어가자."),
        ),
    ),
    Scene(
        title="The Harbor Job",
        slug="the-harbor-job",
        actor_name="Theo Lindgren",
        aliases=("테오 린드그렌",),
        category="액션",
        youtube_id="YouSyncDm02",
        start_s=40.0,
        voice="rms",
        suffix="flac",
        lines=(
            Line("Nobody leaves until the boat is gone.", "배가 떠날 때까지 아무도 못 나가."),
            Line("Put the money on the table, slowly.", "돈을 탁자 위에 올려놔, 천천히."),
        ),
    ),
    Scene(
        title="The Little Lighthouse",
        slug="the-little-lighthouse",
        actor_name="Oren Vale",
        aliases=("오렌 베일", "Oren"),
        category="애니메이션",
        youtube_id="YouSyncDm03",
        start_s=5.5,
        voice="awb",
        suffix="ogg",
        lines=(
            Line("Every night the little light wakes up.", "밤마다 작은 등불이 깨어나요."),
            Line("It sings to the ships in the fog.", "안개 속의 배들에게 노래를 불러요."),
            Line("And the ships sing back.", "그러면 배들도 노래로 답하죠."),
            Line("Can you hear them too?", "당신에게도 들리나요?"),
        ),
    ),
)


class Flite:
    """The parts of libflite that say when each word of a synthesised line is spoken."""

    def __init__(self, voice: str) -> None:
        self._lib = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        for part in ("usenglish", "cmulex"):
            ctypes.CDLL(f"libflite_{part}.so.1", mode=ctypes.RTLD_GLOBAL)
        for name in ("flite_synth_text", "utt_relation", "utt_wave", "relation_head"):
            getattr(self._lib, name).restype = ctypes.c_void_p
        for name in ("item_next", "item_prev", "item_daughter", "item_as"):
            getattr(self._lib, name).restype = ctypes.c_void_p
        self._lib.item_feat_float.restype = ctypes.c_float
        self._lib.item_feat_string.restype = ctypes.c_char_p
        self._lib.flite_init()
        register = getattr(ctypes.CDLL(f"libflite_cmu_us_{voice}.so.1"), f"register_cmu_us_{voice}")
        register.restype = ctypes.c_void_p
        self._voice = ctypes.c_void_p(register(None))

    def say(self, text: str, path: Path) -> list[tuple[float, float]]:
        """Writes `text` as a 16 kHz mono WAV and returns each token's start and end in seconds."""
        utterance = ctypes.c_void_p(self._lib.flite_synth_text(text.encode(), self._voice))
        self._lib.cst_wave_save_riff(ctypes.c_void_p(self._lib.utt_wave(utterance)), str(path).encode())
        return [self._span(token) for token in self._row(self._head(utterance, b"Token"))]

    def _head(self, utterance: ctypes.c_void_p, relation: bytes) -> int | None:
        head: int | None = self._lib.relation_head(ctypes.c_void_p(self._lib.utt_relation(utterance, relation)))
        return head

    def _row(self, item: int | None) -> list[int]:
        row = []
        while item:
            row.append(item)
            item = self._lib.item_next(ctypes.c_void_p(item))
        return row

    def _below(self, item: int, relation: bytes) -> list[int]:
        in_relation = self._lib.item_as(ctypes.c_void_p(item), relation)
        return self._row(self._lib.item_daughter(ctypes.c_void_p(in_relation))) if in_relation else []

    def _span(self, token: int) -> tuple[float, float]:
        ends = []
        starts = []
        for word in self._below(token, b"Token"):
            for syllable in self._below(word, b"SylStructure"):
                for phone in self._below(syllable, b"SylStructure"):
                    segment = ctypes.c_void_p(self._lib.item_as(ctypes.c_void_p(phone), b"Segment"))
                    ends.append(float(self._lib.item_feat_float(segment, b"end")))
                    previous = self._lib.item_prev(segment)
                    starts.append(
                        float(self._lib.item_feat_float(ctypes.c_void_p(previous), b"end")) if previous else 0.0
                    )
        return min(starts), max(ends)


def encode(source: Path, target: Path) -> None:
    """Writes the WAV `source` as FLAC, or as Opus in Ogg, by the name of `target`."""
    opus = target.suffix == ".ogg"
    with av.open(str(source)) as recording, av.open(str(target), "w") as out:
        stream = out.add_stream("libopus", rate=48000) if opus else out.add_stream("flac", rate=16000)
        stream.layout = "mono"
        if opus:
            stream.bit_rate = 32000
        for frame in recording.decode(recording.streams.audio[0]):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def seconds_of(path: Path) -> float:
    """How long a WAV file lasts."""
    with wave.open(str(path)) as sound:
        return float(sound.getnframes() / sound.getframerate())


def pitch_of(recording: Path, begins: float) -> list[dict[str, float | None]]:
    """The contour of a recording, a value each tenth of a second of the video, as the API's pitch files have it."""
    hz = listen(decode(recording.read_bytes(), max_seconds=20.0)).hz
    tenths = [hz[at : at + 10] for at in range(0, len(hz), 10)]
    middles = [None if np.isnan(tenth).all() else round(float(np.nanmedian(tenth)), 1) for tenth in tenths]
    return [{"time": round(begins + (at * 10 + 5) * HOP_S, 3), "hz": middle} for at, middle in enumerate(middles)]


def record(take: Take) -> None:
    """Writes a learner's take as Opus in Ogg, as browsers send it."""
    made = HERE / "takes" / f"{take.slug}.wav"
    features = {
        "duration_stretch": take.stretch,
        "int_f0_target_mean": take.pitch_hz,
        "int_f0_target_stddev": take.spread_hz,
    }
    settings = [part for name, value in features.items() for part in ("--setf", f"{name}={value}")]
    command = ["flite", "-voice", TAKES_VOICE, *settings, "-t", take.says, "-o", str(made)]
    subprocess.run(command, check=True)  # noqa: S603  # every word of it is in this file
    encode(made, made.with_suffix(".ogg"))
    made.unlink()


def make(scene: Scene) -> dict[str, Any]:
    """Writes the scene's recordings and its actor's pitch, and returns its entry in the catalogue."""
    flite = Flite(scene.voice)
    scripts = []
    pitch: list[dict[str, float | None]] = []
    clock = scene.start_s + LEAD_IN_S
    for number, line in enumerate(scene.lines):
        made = HERE / "recordings" / f"{scene.slug}-{number}.wav"
        spans = flite.say(line.english, made)
        words = [text.strip(".,?!") for text in line.english.split()]
        if len(words) != len(spans):
            raise SystemExit(f"flite reads {line.english!r} as {len(spans)} tokens")
        length = seconds_of(made)
        scripts.append(
            {
                "start_time": round(clock, 3),
                "end_time": round(clock + length, 3),
                "script": line.english,
                "translation": line.korean,
                "words": [
                    {
                        "word": word,
                        "start_time": round(clock + start, 3),
                        "end_time": round(clock + end, 3),
                        "probability": None,
                    }
                    for word, (start, end) in zip(words, spans, strict=True)
                ],
            }
        )
        pitch += pitch_of(made, clock)
        clock += length + GAP_S
        if scene.suffix != "wav":
            encode(made, made.with_suffix(f".{scene.suffix}"))
            made.unlink()
    contour = "[\n" + ",\n".join(json.dumps(value) for value in pitch) + "\n]\n"
    (HERE / "pitch" / f"{scene.slug}.json").write_text(contour, encoding="utf-8")
    return {
        "token_name": scene.title,
        "actor_name": scene.actor_name,
        "category": scene.category,
        "start_time": scene.start_s,
        "end_time": round(clock - GAP_S + LEAD_IN_S, 3),
        "youtube_url": f"https://www.youtube.com/watch?v={scene.youtube_id}",
        "thumbnail_url": None,
        "s3_textgrid_url": None,
        "s3_pitch_url": f"pitch/demo/{scene.slug}.json",
        "s3_bgvoice_url": None,
        "scripts": scripts,
    }


def main() -> None:
    """Makes every scene anew."""
    for folder in ("recordings", "takes", "pitch"):
        (HERE / folder).mkdir(exist_ok=True)
    for take in TAKES:
        record(take)
    catalogue = {
        "actors": [{"name": scene.actor_name, "aliases": list(scene.aliases)} for scene in SCENES],
        "tokens": [make(scene) for scene in SCENES],
    }
    (HERE / "catalogue.json").write_text(json.dumps(catalogue, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
