"""A net learns from what follows what, and what it says goes into the scores."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from yousync.analyzer.speech.hearing import Ear
from yousync.analyzer.speech.lexicon import Lexicon
from yousync.analyzer.speech.model import STATES, folder, load
from yousync.analyzer.speech.net import Net, classes
from yousync.analyzer.speech.teaching import Frames, frames_of, teach
from yousync.audio import decode
from yousync.demo import RECORDINGS

LINE = ("you", "missed", "the", "last", "train", "again")
LONG = 9  # frames of each phone
SILENCE = classes(3) - 1


def speech(seed: int, pieces: int = 150, counts: float = 1.0) -> Frames:
    """Phones 0 and 1 sound the same, but 1 comes after 2 and 0 after a pause."""
    random = np.random.default_rng(seed)
    phones = [phone for _ in range(pieces) for phone in ((2, 1) if random.random() < 0.5 else (3, 0))]
    each = np.repeat(phones, LONG)
    state = np.tile(np.arange(LONG) * STATES // LONG, len(phones))
    sounds = np.array([[0, 0, -9], [0, 0, -9], [-9, -9, 0], [-15, -15, -15]])[each]
    truth = np.where(each == 3, SILENCE, each * STATES + state)
    noise = random.normal(0, 1, sounds.shape)
    return Frames((sounds + noise).astype(np.float16), truth, np.full(len(truth), counts, np.float32))


@pytest.fixture(scope="module")
def net() -> Net:
    return teach([speech(seed) for seed in range(8)], seed=1)


def test_what_sounds_the_same_is_told_by_what_comes_before(net: Net) -> None:
    heard = speech(99)
    told = net(heard.by_phone.astype(np.float32))
    assert told.shape == (len(heard.classes), 4)
    assert (told.argmax(axis=1) == heard.classes // STATES).mean() > 0.95


def test_what_is_told_is_how_much_likelier_a_phone_is_than_elsewhere(net: Net) -> None:
    heard = speech(99)
    told = net(heard.by_phone.astype(np.float32))
    assert np.exp(net.usual).sum() == pytest.approx(1, abs=0.01)
    assert np.exp(told + net.usual).sum(axis=1) == pytest.approx(1, abs=0.01)
    assert net.usual[0] == pytest.approx(np.log(1 / (3 + 0.4)), abs=0.1)  # of pauses less was heard


def test_the_same_is_learned_again_and_survives_json(net: Net) -> None:
    again = teach([speech(seed) for seed in range(8)], seed=1)
    assert net.as_json() == again.as_json()
    read = Net.from_json(orjson.loads(orjson.dumps(net.as_json())))
    heard = speech(99).by_phone.astype(np.float32)
    assert np.array_equal(read(heard), net(heard))


def test_what_counts_little_teaches_little(net: Net) -> None:
    wrong = [Frames(each.by_phone, (SILENCE - each.classes) % SILENCE, each.counts) for each in map(speech, range(8))]
    for each in wrong:
        each.counts[...] = 0.05
    mixed = teach([*(speech(seed) for seed in range(8)), *wrong], seed=1)
    heard = speech(99)
    told = mixed(heard.by_phone.astype(np.float32))
    assert (told.argmax(axis=1) == heard.classes // STATES).mean() > 0.9


@pytest.fixture(scope="module")
def ear() -> Ear:
    return Ear(load())


@pytest.fixture(scope="module")
def take() -> NDArray[np.float32]:
    pcm = decode(RECORDINGS["Last Train Home", 0].read_bytes(), rate=16_000, max_seconds=30)
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def ways() -> list[tuple[tuple[str, ...], ...]]:
    lexicon = Lexicon(folder() / "cmudict-en-us.dict")
    return [lexicon.pronounce(word).ways for word in LINE]


def test_frames_are_named_by_the_text_and_count_as_raters_liked_their_word(ear: Ear, take: NDArray[np.float32]) -> None:
    listening = ear.listen(take, ways())
    assert listening is not None
    found = frames_of(listening, ways(), (0.9, 0.8, 0.7, 0.5, 0.3, 1.0))
    assert found is not None
    silence = classes(len(ear.spoken)) - 1
    spoken = np.flatnonzero(found.classes < silence)
    phones = [ear.model.phones[ear.spoken[each]] for each in found.classes[spoken] // STATES]
    runs = [phone for at, phone in enumerate(phones) if not at or phones[at - 1] != phone]
    assert runs[:6] == ["Y", "UW", "M", "IH", "S", "T"]
    assert set(found.counts[found.classes == silence].tolist()) == {1.0}
    counts = found.counts[spoken]
    order = [round(float(each), 1) for at, each in enumerate(counts) if not at or counts[at - 1] != each]
    assert order == [1.0, 0.7, 0.3, 1.0]
    steps = np.diff(found.classes[spoken][:10] % STATES)
    assert set(steps.tolist()) <= {0, 1, -2}


def test_a_recording_too_short_for_its_text_teaches_nothing(ear: Ear, take: NDArray[np.float32]) -> None:
    listening = ear.listen(take[:8000], ways()[:1])
    assert listening is not None
    assert frames_of(listening, ways() * 3, (1.0,) * 18) is None


def test_what_the_net_says_goes_into_all_scores_of_a_phone(ear: Ear, take: NDArray[np.float32]) -> None:
    size = len(ear.spoken)
    nothing = (np.zeros((11 * size, 2), np.float32), np.zeros(2, np.float32))
    even = np.zeros(classes(size), np.float32)
    liked = even.copy()
    liked[STATES * 5 : STATES * 6] = np.log(np.e**2)  # two nats for each state of the sixth phone
    usual = np.log(np.append(np.full(size, STATES), 1) / classes(size)).astype(np.float32)
    heard = []
    for add in (even, liked):
        net = Net(nothing, (np.zeros((2, len(add)), np.float32), add), usual)
        listening = ear.taught(net).listen(take, ways())
        assert listening is not None
        heard.append(listening)
    alone = ear.listen(take, ways())
    assert alone is not None
    assert np.allclose(heard[0].scores, alone.scores, atol=0.05)
    before, after = (each.by_phone - each.by_phone[:, :1] for each in heard)
    clear = (heard[0].by_phone > -40).all(axis=1)
    assert clear.any()
    gain = (after - before)[clear]
    assert np.allclose(gain[:, 5], 3.0, atol=0.1)
    assert np.allclose(np.delete(gain, 5, axis=1), 0.0, atol=0.1)
