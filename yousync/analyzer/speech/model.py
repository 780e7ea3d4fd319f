"""Reads the acoustic model that the pocketsphinx wheel carries; nothing else of pocketsphinx is used.

The model is "PTM": one codebook of 128 Gaussians for each of 42 phones and each of three feature streams, and 5126
senones (the states that triphones share) which mix the Gaussians of their phone's codebook with weights of their own.
Formats: sphinxbase's `bin_mdef.h`, `s3file`, and `sendump`, whose header describes it.
"""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
STATES = 3  # of every phone, passed from left to right
_LOG_WEIGHT = -1024 * np.log(1.0001)  # nats in one unit of a mixture weight
_LEAST_VARIANCE = 1e-4
_INTERNAL, _BEGIN, _END, _SINGLE = range(4)  # where in its word a triphone stands


class ModelMissing(Exception):
    """The pocketsphinx wheel is not installed, or holds another model than ours."""


@dataclass(frozen=True, slots=True)
class Model:
    """`means` and `precisions` are [phone, stream, density, 13], `weights` [stream, senone, density] as numbers 0 to 1.

    `constants` is the log of each density's peak. `owner` says to which phone each senone belongs.
    """

    phones: tuple[str, ...]
    owner: NDArray[np.int64]
    means: Floats
    precisions: Floats
    constants: Floats
    weights: Floats
    triphones: Triphones

    def number(self, phone: str) -> int:
        """Where the phone stands among `phones`."""
        return self.phones.index(phone)


@dataclass(frozen=True, slots=True)
class Triphones:
    """Which senones a phone's states use beside given neighbours."""

    base: NDArray[np.int64]
    plain: NDArray[np.int64]  # [phone, state]: without regard to neighbours
    sequences: NDArray[np.int64]
    found: dict[int, int]  # place, base, left and right packed into one number → row of `sequences`
    silence: int
    fillers: frozenset[int]

    def senones(self, phone: int, left: int, right: int, *, first: bool, last: bool) -> NDArray[np.int64]:
        """The senones of the phone's three states; those of the phone alone where the triphone was never trained."""
        place = (_SINGLE if last else _BEGIN) if first else (_END if last else _INTERNAL)
        left = self.silence if left in self.fillers else left
        right = self.silence if right in self.fillers else right
        for each in (place, _INTERNAL, _SINGLE, _BEGIN, _END):
            row = self.found.get(_packed(each, phone, left, right))
            if row is not None:
                return np.asarray(self.sequences[row])
        return np.asarray(self.plain[phone])


def folder() -> Path:
    """Where the wheel keeps its English model. Raises ModelMissing."""
    spec = importlib.util.find_spec("pocketsphinx")
    where = Path(spec.origin).parent / "model" / "en-us" if spec and spec.origin else None
    if where is None or not (where / "en-us" / "mdef").is_file():
        raise ModelMissing("The analysis server needs the pocketsphinx package: pip install 'yousync[analyzer]'.")
    return where


@cache
def load() -> Model:
    """The model, once a process. About 0.2 s and 30 MB."""
    where = folder() / "en-us"
    phones, triphones, owner = read_mdef((where / "mdef").read_bytes())
    means = read_gaussians((where / "means").read_bytes())
    variances = np.maximum(read_gaussians((where / "variances").read_bytes()), _LEAST_VARIANCE)
    weights = read_weights((where / "sendump").read_bytes())
    constants = (-0.5 * np.log(2 * np.pi * variances).sum(axis=-1)).astype(np.float32)
    return Model(phones, owner, means, (1 / variances).astype(np.float32), constants, weights, triphones)


def read_mdef(data: bytes) -> tuple[tuple[str, ...], Triphones, NDArray[np.int64]]:
    """Phones, triphones, and the phone each senone belongs to. Raises ModelMissing."""
    if data[:4] != b"BMDF":
        raise ModelMissing("The model definition is not a binary mdef of this machine's byte order.")
    (told,) = struct.unpack_from("<i", data, 8)
    count, total, states, _, senones, _, rows, _, nodes, silence = struct.unpack_from("<10i", data, 12 + told)
    if states != STATES:
        raise ModelMissing(f"The model's phones have {states} states, not {STATES}.")
    at = 12 + told + 40
    names = []
    for _each in range(count):
        end = data.index(b"\0", at)
        names.append(data[at:end].decode())
        at = end + 1
    at += -(at - 12 - told - 40) % 4
    at += nodes * 8
    entry = np.dtype([("sequence", "<i4"), ("matrix", "<i4"), ("place", "u1"), ("context", "u1", 3)])
    entries = np.frombuffer(data, entry, total, at)
    at += total * entry.itemsize + 4
    sequences = np.frombuffer(data, "<i2", rows * STATES, at).reshape(rows, STATES).astype(np.int64)
    owner = np.zeros(senones, np.int64)
    base, left, right = entries["context"][count:].astype(np.int64).T
    owner[sequences[entries["sequence"][:count]]] = np.arange(count)[:, None]
    owner[sequences[entries["sequence"][count:]]] = base[:, None]
    keys = _packed(entries["place"][count:].astype(np.int64), base, left, right)
    found = dict(zip(keys.tolist(), entries["sequence"][count:].tolist(), strict=True))
    fillers = frozenset(np.flatnonzero(entries["place"][:count]).tolist()) | {silence}
    triphones = Triphones(np.arange(count), sequences[entries["sequence"][:count]], sequences, found, silence, fillers)
    return tuple(names), triphones, owner


def read_gaussians(data: bytes) -> Floats:
    """An s3 file of means or variances, as [phone, stream, density, 13]. Raises ModelMissing."""
    at = data.index(b"endhdr\n") + 7
    magic, books, streams, densities = struct.unpack_from("<I3i", data, at)
    if magic != 0x11223344:
        raise ModelMissing("The model's Gaussians are not of this machine's byte order.")
    sizes = set(struct.unpack_from(f"<{streams}i", data, at + 16))
    if len(sizes) != 1:
        raise ModelMissing("The model's feature streams are of different lengths.")
    (size,) = sizes
    at += 16 + 4 * streams + 4
    values = np.frombuffer(data, "<f4", books * streams * densities * size, at)
    return values.reshape(books, streams, densities, size).copy()


def read_weights(data: bytes) -> Floats:
    """Mixture weights of a sendump without clusters, as [stream, senone, density]. Raises ModelMissing."""
    at, streams = 0, 0
    while size := struct.unpack_from("<i", data, at)[0]:
        text = data[at + 4 : at + 4 + size].rstrip(b"\0").decode()
        at += 4 + size
        if text.startswith("feature_count"):
            streams = int(text.split()[1])
        if text.startswith("cluster_count") and int(text.split()[1]):
            raise ModelMissing("The model's mixture weights are clustered.")
    densities, senones = struct.unpack_from("<2i", data, at + 4)
    values = np.frombuffer(data, "u1", streams * densities * senones, at + 12).reshape(streams, densities, senones)
    table = np.exp(_LOG_WEIGHT * np.arange(256)).astype(np.float32)
    return np.ascontiguousarray(table[values.transpose(0, 2, 1)])


def _packed(place: Any, base: Any, left: Any, right: Any) -> Any:
    return ((place * 64 + base) * 64 + left) * 64 + right
