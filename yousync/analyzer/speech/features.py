"""Sound as the acoustic model hears it: mel cepstra with their first and second differences, every 10 ms."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
RATE = 16_000
HOP = 160
HOP_S = HOP / RATE
_WINDOW = 410  # 25.6 ms, what the model was trained with, as are all figures here
_FFT = 512
_FILTERS, _LOWEST_HZ, _HIGHEST_HZ = 25, 130.0, 6800.0
CEPSTRA = 13
_LIFTER = 22
_EMPHASIS = 0.97
_LOG_FLOOR = 1e-4
_FULL_SCALE = 32768.0  # the model was trained on 16 bit numbers


def features(samples: Floats, *, warp: float = 1.0, denoise: bool = True) -> Floats:
    """[frame, 3, 13]: cepstra, differences, second differences. `warp` > 1 is a shorter vocal tract than most."""
    mel = mel_energies(power_spectra(samples), warp)
    if denoise:
        mel = without_noise(mel)
    return with_differences(cepstra(mel))


def power_spectra(samples: Floats) -> Doubles:
    """[frame, 257] of pre-emphasised, windowed sound; at least one frame."""
    sound = samples.astype(np.float64) * _FULL_SCALE
    sound = np.concatenate([sound[:1], sound[1:] - _EMPHASIS * sound[:-1]])
    if len(sound) < _WINDOW:
        sound = np.pad(sound, (0, _WINDOW - len(sound)))
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::HOP]
    spectra = np.fft.rfft(frames * np.hamming(_WINDOW), _FFT)
    return np.asarray(spectra.real**2 + spectra.imag**2)


def mel_energies(power: Doubles, warp: float = 1.0) -> Doubles:
    """[frame, 25]."""
    return power @ _bank(warp)


def cepstra(mel: Doubles) -> Doubles:
    """[frame, 13], their mean over the recording taken away."""
    out = np.log(mel + _LOG_FLOOR) @ _cosines()
    return np.asarray(out - out.mean(axis=0))


def with_differences(static: Doubles) -> Floats:
    """[frame, 3, 13]: differences over two frames either side, and the differences of these over one."""
    count = len(static)
    padded = np.pad(static, ((3, 3), (0, 0)), mode="edge")
    first = padded[4:] - padded[:-4]  # [count + 2]
    second = first[2:] - first[:-2]
    return np.stack([static, first[1 : count + 1], second], axis=1).astype(np.float32)


def without_noise(mel: Doubles) -> Doubles:
    """Mel energies as the model's training had them: steady noise taken away."""
    return np.asarray(mel * noise_gains(mel))


def noise_gains(mel: Doubles) -> Doubles:
    """What to multiply mel energies with so that steady noise goes.

    A slow lower envelope of the smoothed power is the noise (Doblinger 1995); what is left is masked after peaks and
    turned into gains, smoothed over bands (Kim and Stern's PNCC, 2012). Constants are sphinxbase's.
    """
    power = mel[0].copy()
    noise, floor, peak = mel[0] / 20, mel[0] / 20, np.zeros(mel.shape[1])
    gains = np.empty_like(mel)
    for at, frame in enumerate(mel):
        power = 0.7 * power + 0.3 * frame
        noise = _envelope(noise, power)
        signal = np.maximum(power - noise, 1.0)
        floor = _envelope(floor, signal)
        peak *= 0.85
        masked = np.where(signal < 0.85 * peak, peak * 0.2, signal)
        peak = np.maximum(peak, signal)
        gains[at] = np.clip(np.maximum(masked, floor) / np.maximum(power, 1e-10), 0.05, 20.0)
    return np.asarray(gains @ _smoothing(mel.shape[1]))


def _envelope(low: Doubles, value: Doubles) -> Doubles:
    keep = np.where(value >= low, 0.995, 0.5)
    return keep * low + (1 - keep) * value


@cache
def _smoothing(bands: int) -> Doubles:
    apart = np.abs(np.arange(bands)[:, None] - np.arange(bands)[None])
    near = (apart <= 4).astype(np.float64)
    return np.asarray(near / near.sum(axis=0))


@cache
def _bank(warp: float) -> Doubles:
    """[257, 25] triangles of equal area, their corners on whole bins; `warp` moves them up."""
    low, high = _mel(_LOWEST_HZ), _mel(_HIGHEST_HZ)
    corners = _hertz(np.linspace(low, high, _FILTERS + 2))
    if warp != 1.0:
        bend = 0.8 * _HIGHEST_HZ / max(warp, 1.0)  # above it the scale is straightened so that the ends meet
        slope = (_HIGHEST_HZ - bend * warp) / (_HIGHEST_HZ - bend)
        corners = np.where(corners <= bend, corners * warp, bend * warp + (corners - bend) * slope)
    bin_hz = RATE / _FFT
    corners = np.round(corners / bin_hz) * bin_hz
    hz = np.arange(_FFT // 2 + 1) * bin_hz
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (hz[:, None] - left) / np.maximum(middle - left, bin_hz)
    falling = (right - hz[:, None]) / np.maximum(right - middle, bin_hz)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)) * 2 / (right - left))


@cache
def _cosines() -> Doubles:
    """[25, 13]: the orthonormal DCT-II, liftered."""
    at = np.arange(CEPSTRA)[None] * (np.arange(_FILTERS)[:, None] + 0.5) * np.pi / _FILTERS
    scale = np.full(CEPSTRA, np.sqrt(2 / _FILTERS))
    scale[0] = np.sqrt(1 / _FILTERS)
    return np.asarray(np.cos(at) * scale * (1 + _LIFTER / 2 * np.sin(np.arange(CEPSTRA) * np.pi / _LIFTER)))


def _mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))


def _hertz(mel: Doubles) -> Doubles:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))
