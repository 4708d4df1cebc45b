"""FX presets: versioned looks laid over finished frames. Pure, apart from reading the list once.

A request stores "name@version", so that it means the same for ever; the record adds the SHA-256 of the
preset's steps. Every step keeps size and length, works on uint8 RGB (T, h, w, 3) and takes its chance
from the request's seed.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from byline.audit.base.errors import ConfigurationError, InvalidInput

FILE = Path(__file__).with_name("presets.yaml")
Step = Callable[[np.ndarray, Mapping[str, Any], np.random.Generator], np.ndarray]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Preset:
    """`sha256` is that of the steps as canonical JSON."""

    name: str
    version: int
    says: str
    steps: tuple[Mapping[str, Any], ...]
    sha256: str

    @property
    def key(self) -> str:
        return f"{self.name}@{self.version}"


@functools.cache
def presets() -> dict[str, Preset]:
    """Every preset by "name@version", each name's versions rising. ConfigurationError names a wrong one."""
    found: dict[str, Preset] = {}
    for name, versions in yaml.safe_load(FILE.read_text()).items():
        for entry in versions:
            steps = tuple(entry["steps"])
            if unknown := [step["do"] for step in steps if step["do"] not in STEPS]:
                raise ConfigurationError(f"presets.yaml: {name}: no step {unknown[0]}")
            digest = hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()
            preset = Preset(name, int(entry["version"]), str(entry["says"]), steps, digest)
            found[preset.key] = preset
    return found


def check(value: Any) -> str:
    """ "name@version" for a name (its newest version) or a name with one. InvalidInput for an unknown one."""
    known = presets()
    if isinstance(value, str):
        if value in known:
            return value
        versions = [preset for preset in known.values() if preset.name == value]
        if versions:
            return max(versions, key=lambda preset: preset.version).key
    raise InvalidInput("There is no such fx preset.", help=f"Presets: {', '.join(known)}.")


def laid(shot: np.ndarray, key: str, seed: int) -> np.ndarray:
    """The shot with the preset of this key laid over it."""
    chance = np.random.default_rng(seed)
    for step in presets()[key].steps:
        shot = STEPS[step["do"]](shot, step, chance)
    return shot


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _tone(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    light = (shot.astype(np.float32) @ _LUMA)[..., None] / 255
    dark, bright = (np.array(step[name], np.float32) for name in ("dark", "light"))
    toned = dark + (bright - dark) * light
    return _to_bytes(shot * (1 - step["strength"]) + toned * step["strength"])


def _grain(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    noise = chance.normal(0, 255 * step["amount"], (*shot.shape[:3], 1)).astype(np.float32)
    return _to_bytes(shot + noise)


def _vignette(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    height, width = shot.shape[1:3]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    fall = 1 - step["amount"] * np.clip((x**2 + y**2 - 0.4) / 1.6, 0, 1)
    return _to_bytes(shot * fall[..., None].astype(np.float32))


def _flicker(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    gain = 1 + chance.uniform(-step["amount"], step["amount"], (len(shot), 1, 1, 1)).astype(np.float32)
    return _to_bytes(shot * gain)


def _contrast(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    return _to_bytes((shot.astype(np.float32) - 127.5) * step["amount"] + 127.5)


def _saturation(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    light = (shot.astype(np.float32) @ _LUMA)[..., None]
    return _to_bytes(light + (shot - light) * step["amount"])


def _glow(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    radius = max(1.0, step["radius"] * shot.shape[2])
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), radius) for frame in shot]).astype(np.float32)
    lit = 255 - (255 - shot) * (1 - step["amount"] * soft / 255)  # screen
    return _to_bytes(lit)


def _trails(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    kept = shot[0].astype(np.float32)
    done = []
    for frame in shot:
        kept = kept * step["amount"] + frame * (1 - step["amount"])
        done.append(_to_bytes(kept))
    return np.stack(done)


def _smooth(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    return np.stack([cv2.medianBlur(frame, int(step["amount"])) for frame in shot])


def _levels(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    top = step["count"] - 1
    return _to_bytes(np.round(shot.astype(np.float32) / 255 * top) / top * 255)


def _fringe(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    apart = max(1, round(step["amount"] * shot.shape[2]))
    padded = np.pad(shot, ((0, 0), (0, 0), (apart, apart), (0, 0)), mode="edge")
    width = shot.shape[2]
    red, blue = padded[:, :, :width, 0], padded[:, :, 2 * apart :, 2]
    return np.stack([red, shot[..., 1], blue], axis=-1)


def _pixels(shot: np.ndarray, step: Mapping[str, Any], chance: np.random.Generator) -> np.ndarray:
    height, width = shot.shape[1:3]
    across = min(width, step["across"])
    size = (across, max(1, round(height * across / width)))
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in shot]
    return np.stack([cv2.resize(f, (width, height), interpolation=cv2.INTER_NEAREST) for f in small])


STEPS: dict[str, Step] = {
    "tone": _tone,
    "grain": _grain,
    "vignette": _vignette,
    "flicker": _flicker,
    "contrast": _contrast,
    "saturation": _saturation,
    "glow": _glow,
    "trails": _trails,
    "smooth": _smooth,
    "levels": _levels,
    "fringe": _fringe,
    "pixels": _pixels,
}
