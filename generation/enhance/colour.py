"""The brand's colours over the picture: its own look-up table, or a light tint made of its two colours.

A kit's `grade` names a .cube file (Adobe Cube LUT 1.0, 3D, domain 0 to 1) or a strength. The tint leans
the shadows towards `primary` and the lights towards `accent` and leaves the lightness of every pixel.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from byline.audit.base.errors import ConfigurationError
from byline.generation.brands import RGB, Brand

VERSION = "grade 1"
_LUMA = np.array([0.2126, 0.7152, 0.0722])
_TINT = 26.0  # grey levels of colour at full strength
_MOST_POINTS = 65
_MOST_BYTES = 16 << 20


def for_brand(brand: Brand) -> Callable[[np.ndarray], np.ndarray]:
    """What the kit does to one (h, w, 3) uint8 picture. ConfigurationError for a table that is none."""
    if brand.lut is not None:
        table = read_cube(brand.lut)
        return lambda frame: graded(frame, table)
    tints = _tints(brand.primary, brand.accent, brand.grade)
    return lambda frame: _tinted(frame, tints)


def _tints(shadow: RGB, light: RGB, strength: float) -> np.ndarray:
    """(1, 256, 3) uint8: what is added at each lightness, with 128 for nothing."""
    share = np.linspace(0, 1, 256)[:, None]
    hues = [_hue(shadow), _hue(light)]
    # Nothing at black, white and in the middle: only what lies between is coloured.
    curve = np.sin(2 * np.pi * share)
    tint = np.where(share < 0.5, hues[0] * curve, hues[1] * -curve) * strength * _TINT
    return np.rint(128 + tint)[None].clip(0, 255).astype(np.uint8)


def _hue(colour: RGB) -> np.ndarray:
    """The colour's difference from a grey of its lightness, at most 1 long."""
    value = np.array(colour, float) / 255
    away: np.ndarray = value - value @ _LUMA
    return away / max(1e-6, float(np.abs(away).max()))


def _tinted(frame: np.ndarray, tints: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.addWeighted(frame, 1, cv2.LUT(cv2.merge([grey] * 3), tints), 1, -128), np.uint8)


def read_cube(path: Path) -> np.ndarray:
    """(N, N, N, 3) float32 of a .cube file, indexed [b, g, r]. ConfigurationError names what is wrong."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigurationError(f"{path.name}: a look-up table is at most {_MOST_BYTES >> 20} MiB")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the look-up table {path.name}") from error
    size, rows = 0, []
    for line in map(str.strip, lines):
        if not line or line.startswith(("#", "TITLE", "DOMAIN_MIN", "DOMAIN_MAX")):
            continue
        if line.startswith("LUT_3D_SIZE"):
            size = int(line.split()[1]) if line.split()[1:] and line.split()[1].isdigit() else 0
            continue
        try:
            rows.append([float(part) for part in line.split()])
        except ValueError as error:
            raise ConfigurationError(f"{path.name}: {line[:40]!r} is no row of a 3D table") from error
    if not 2 <= size <= _MOST_POINTS or len(rows) != size**3 or any(len(row) != 3 for row in rows):
        raise ConfigurationError(
            f"{path.name}: a 3D table of 2 to {_MOST_POINTS} points per side is needed, with all its rows"
        )
    table = np.array(rows, np.float32).reshape(size, size, size, 3)
    if not np.isfinite(table).all():
        raise ConfigurationError(f"{path.name}: a value is not a number")
    return np.clip(table, 0, 1)


def graded(frame: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The picture through the table, between its points trilinear."""
    where = frame.reshape(-1, 3)[:, ::-1].T.astype(np.float32) * ((len(table) - 1) / 255)
    channels = [map_coordinates(table[..., channel], where, order=1) for channel in range(3)]
    return np.rint(np.stack(channels, 1) * 255).astype(np.uint8).reshape(frame.shape)
