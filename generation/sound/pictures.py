"""The picture of a sound: waveform above, spectrogram below, for people who look for what they cannot hear.

The spectrogram shows 0 to 12 kHz and 80 dB down from the loudest place, the waveform full scale.
"""

import io
from typing import Any

import numpy as np

from byline.generation import brands

WIDTH, HEIGHT = 1000, 520
TOP_HZ = 12_000.0
RANGE_DB = 80.0
_LEFT, _RIGHT, _TOP, _WAVE, _GAP, _BOTTOM = 64, 12, 30, 130, 26, 34
# Dark to light, even in lightness and readable in grey (the "inferno" family).
_PALETTE = np.array(
    [
        (0, 0, 4), (40, 11, 84), (101, 21, 110), (159, 42, 99),
        (212, 72, 66), (245, 125, 21), (250, 193, 39), (252, 255, 164),
    ]
)  # fmt: skip


def picture(samples: np.ndarray, rate: int, title: str = "") -> bytes:
    """A PNG of WIDTH x HEIGHT pixels of float mono `samples`. `title` is drawn as it is."""
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.new("RGB", (WIDTH, HEIGHT), (250, 250, 250))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.truetype(str(brands.FONTS / "OpenSans-Semibold.ttf"), 14)
    wide = WIDTH - _LEFT - _RIGHT
    seconds = len(samples) / rate
    draw.text((_LEFT, 6), title, (20, 20, 20), font=font)
    _waveform(draw, samples, (_LEFT, _TOP), wide)
    first = _TOP + _WAVE + _GAP
    high = HEIGHT - first - _BOTTOM
    canvas.paste(Image.fromarray(spectrogram(samples, rate, wide, high)), (_LEFT, first))
    for label in ("1", "0", "-1"):
        y = _TOP + _WAVE * (1 - float(label)) / 2
        draw.text((_LEFT - 8, y), label, (60, 60, 60), font=font, anchor="rm")
    for kilohertz in (0, 4, 8, 12):
        y = first + high * (1 - kilohertz * 1000 / TOP_HZ)
        draw.text((_LEFT - 8, y), f"{kilohertz} kHz", (60, 60, 60), font=font, anchor="rm")
    step = next(s for s in (0.5, 1, 2, 5, 10, 30, 60, 300, 3600) if seconds / s <= 12 or s == 3600)
    for mark in np.arange(0, seconds + 1e-6, step):
        x = _LEFT + wide * mark / max(seconds, 1e-9)
        draw.text((x, HEIGHT - 8), f"{mark:g} s", (60, 60, 60), font=font, anchor="ms")
    data = io.BytesIO()
    canvas.save(data, "PNG", optimize=True)
    return data.getvalue()


def spectrogram(samples: np.ndarray, rate: int, wide: int, high: int) -> np.ndarray:
    """uint8 RGB (high, wide, 3), low frequencies at the bottom."""
    window = max(256, 2 ** round(np.log2(rate * 0.032)))
    padded = np.pad(samples.astype(np.float64), (window // 2, window))
    starts = np.linspace(0, max(len(samples) - 1, 0), wide).astype(int)
    shape = np.hanning(window)
    levels = np.empty((window // 2 + 1, wide))
    for column, start in enumerate(starts):
        levels[:, column] = np.abs(np.fft.rfft(padded[start : start + window] * shape))
    decibel = 20 * np.log10(np.maximum(levels, 1e-9))
    shown = np.clip((decibel - decibel.max() + RANGE_DB) / RANGE_DB, 0, 1)
    rows = np.linspace(TOP_HZ, 0, high) * window / rate
    held = np.where(rows <= window / 2, rows, 0).astype(int)
    field = np.where((rows <= window / 2)[:, None], shown[held], 0.0) * (len(_PALETTE) - 1)
    low = np.minimum(field.astype(int), len(_PALETTE) - 2)
    part = (field - low)[..., None]
    colours: np.ndarray = (_PALETTE[low] * (1 - part) + _PALETTE[low + 1] * part).round().astype(np.uint8)
    return colours


def _waveform(draw: Any, samples: np.ndarray, at: tuple[int, int], wide: int) -> None:
    left, top = at
    middle = top + _WAVE / 2
    draw.rectangle((left, top, left + wide, top + _WAVE), fill=(255, 255, 255))
    draw.line((left, middle, left + wide, middle), fill=(190, 190, 190))
    for column, part in enumerate(np.array_split(samples, wide)):
        if part.size:
            ends = (middle - _WAVE / 2 * float(np.clip(edge, -1, 1)) for edge in (part.max(), part.min()))
            draw.line((left + column, next(ends), left + column, next(ends)), fill=(24, 62, 120))
