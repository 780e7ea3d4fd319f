"""A small net that has heard learners: which phone a frame is, by how well the model's phones fit it and those around.

The acoustic model takes frames one by one and was trained on other speakers. Which of its mistakes belong together, and
how phones follow on each other, can be learned from little speech, as the net starts from what the model heard.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from yousync.analyzer.speech.model import STATES

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Doubles = NDArray[np.float64]
_AROUND = np.array([-12, -9, -6, -4, -2, 0, 2, 4, 6, 9, 12])  # frames that are looked at: 0.12 s either side
_FAR = -20.0  # nats below the best; what fits worse does not fit at all
_NEVER = 1e-9


def inputs(by_phone: Floats | Halves) -> Floats:
    """[frame, inputs] from [frame, phone], how well the model's phones fit in nats below the best of any."""
    fits = np.maximum(by_phone, np.float32(_FAR)).astype(np.float32)
    frames = np.arange(len(fits))[:, None] + _AROUND
    return np.asarray(fits[np.clip(frames, 0, len(fits) - 1)].reshape(len(fits), -1))


def classes(phones: int) -> int:
    """What a frame may be: a state of a phone, or after them silence."""
    return phones * STATES + 1


@dataclass(frozen=True, slots=True)
class Net:
    """Two layers, each its weights and what is added: `hidden` lets through what is above 0, `out` names `classes`.

    `usual` is the logarithm of how often each phone is met, and after them silence.
    """

    hidden: tuple[Floats, Floats]
    out: tuple[Floats, Floats]
    usual: Floats

    def __call__(self, by_phone: Floats) -> Floats:
        """[frame, phone, after them silence]: nats by which it is likelier here than elsewhere."""
        above = inputs(by_phone) @ self.hidden[0] + self.hidden[1]
        shares = np.maximum(above, 0, out=above) @ self.out[0] + self.out[1]
        shares -= shares.max(axis=1, keepdims=True)
        np.exp(shares, out=shares)
        shares /= shares.sum(axis=1, keepdims=True)
        phones = shares[:, :-1].reshape(len(shares), -1, STATES).sum(axis=2)
        return np.asarray(np.log(np.column_stack([phones, shares[:, -1]]) + np.float32(_NEVER)) - self.usual)

    def rounded(self) -> Self:
        """As `from_json` gives it back."""
        return self.from_json(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads: numbers of 16 bits, some 0.4 MB."""
        return {
            "hidden": [_packed(each) for each in self.hidden],
            "out": [_packed(each) for each in self.out],
            "usual": _packed(self.usual),
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """The net as it was written."""
        hidden, out = ((_unpacked(told[name][0]), _unpacked(told[name][1])) for name in ("hidden", "out"))
        return cls(hidden, out, _unpacked(told["usual"]))


def _packed(values: Floats) -> dict[str, Any]:
    return {"shape": values.shape, "data": base64.b64encode(values.astype("<f2").tobytes()).decode()}


def _unpacked(told: dict[str, Any]) -> Floats:
    values = np.frombuffer(base64.b64decode(told["data"]), "<f2").astype(np.float32)
    return values.reshape(told["shape"])
