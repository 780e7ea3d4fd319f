"""The model of the wheel, and files made here in its formats."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from yousync.analyzer.speech.model import ModelMissing, load, read_gaussians, read_mdef, read_weights


def mdef() -> bytes:
    """Three phones, A, B and silence; B between A and silence at a word's end has states of its own."""
    told = b"what follows\0"
    phones = b"A\0B\0SIL\0"
    padding = b"\0" * (-len(phones) % 4)
    entries = [(0, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0), (2, 2, 1, 0, 0, 0), (3, 1, 2, 1, 0, 2)]
    packed = b"".join(struct.pack("<2i4B", *entry) for entry in entries)
    sequences = struct.pack("<i12h", 12, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    head = struct.pack("<10i", 3, 4, 3, 9, 12, 3, 4, 3, 0, 2)
    return b"BMDF" + struct.pack("<2i", 1, len(told)) + told + head + phones + padding + packed + sequences


def test_a_model_definition_tells_which_senones_a_phone_has_where() -> None:
    phones, triphones, owner = read_mdef(mdef())
    assert phones == ("A", "B", "SIL")
    assert owner.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 1, 1, 1]
    assert triphones.senones(1, 0, 2, first=False, last=True).tolist() == [9, 10, 11]
    assert triphones.senones(1, 1, 1, first=False, last=True).tolist() == [3, 4, 5]


@pytest.mark.parametrize("broken", [b"", b"BMDG" + mdef()[4:]])
def test_what_is_no_model_definition(broken: bytes) -> None:
    with pytest.raises(ModelMissing):
        read_mdef(broken)


def test_gaussians_and_weights_are_read_in_their_order() -> None:
    values = np.arange(2 * 3 * 4 * 5, dtype="<f4")
    head = b"s3\nversion 1.0\nendhdr\n" + struct.pack("<I3i3ii", 0x11223344, 2, 3, 4, 5, 5, 5, 120)
    means = read_gaussians(head + values.tobytes())
    assert means.shape == (2, 3, 4, 5)
    assert means[1, 2, 3, 4] == 119
    text = b"feature_count 3\0"
    raw = np.arange(3 * 2 * 4, dtype="u1")
    dump = struct.pack("<i", len(text)) + text + struct.pack("<3i", 0, 2, 4) + raw.tobytes()
    weights = read_weights(dump)
    assert weights.shape == (3, 4, 2)
    assert np.log(weights[2, 3, 1]) == pytest.approx(-1024 * np.log(1.0001) * 23, rel=1e-5)


def test_the_wheels_model_is_whole() -> None:
    model = load()
    assert len(model.phones) == 42
    assert len(model.owner) == 5126
    assert np.allclose(model.weights.sum(axis=2), 1, atol=0.1)
    assert (model.precisions > 0).all()
