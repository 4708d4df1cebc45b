"""A text-to-video model of the Wan family, led by pictures that are given: no further weights.

What is kept is put back after each step, with as much noise as that step left (blended latent diffusion,
arXiv 2206.02779; under flow matching a clean latent x and noise e stand at (1 - s) x + s e). A first or
last frame, a clip whose masked part may change and a clip that is redrawn from the middle of the schedule
are one mechanism. Kept pixels come back through the autoencoder, so they are near, not equal: who needs
them equal puts them back (generation/operations/masks.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import Operation, VideoTask, operation_of

GROUP = 4  # frames behind one latent, after the first frame, which has its own
STRENGTH = 0.3  # of video and image to image, where the task names none; from 0.5 on little is kept
OPERATIONS = (
    Operation.TEXT_TO_VIDEO,
    Operation.IMAGE_TO_VIDEO,
    Operation.VIDEO_TO_VIDEO,
    Operation.EDIT,
    Operation.TEXT_TO_IMAGE,
    Operation.IMAGE_TO_IMAGE,
    Operation.INPAINT,
)
CONTROLS = frozenset({"image", "last_image", "video", "mask", "strength", "still"})


@dataclass(frozen=True)
class Given:
    """`clip`: uint8 RGB (T, h, w, 3). `keep`: bool (T, h, w), None where all of it is redrawn. `strength`:
    the share of the schedule that runs."""

    clip: np.ndarray
    keep: np.ndarray | None
    strength: float


def given(task: VideoTask, frames: int, width: int, height: int) -> Given | None:
    """What the task wants kept, or None for words alone. InvalidInput for what does not fit together."""
    operation = operation_of(task)
    if operation not in OPERATIONS:
        raise InvalidInput(f"this engine does not do {operation.value.replace('_', ' ')}")
    for name in ("image", "last_image", "video", "mask"):
        _fits(name, getattr(task, name), width, height)
    if operation in (Operation.TEXT_TO_VIDEO, Operation.TEXT_TO_IMAGE):
        return None
    if operation is Operation.IMAGE_TO_VIDEO:
        return _ends(task, frames)
    clip = task.image[None] if task.still and task.image is not None else task.video
    if clip is None:
        raise InvalidInput("a mask needs the clip or picture that it is for", help="Send it along.")
    if len(clip) != frames:
        raise InvalidInput(f"the clip has {len(clip)} frames, the result {frames}")
    if task.mask is None:
        return Given(clip, None, STRENGTH if task.strength is None else task.strength)
    mask = np.broadcast_to(task.mask, clip.shape[:3])
    return Given(clip, mask < 128, 1.0 if task.strength is None else task.strength)


def reduced(wanted: Given, factor: int) -> Given:
    """The same, `factor` times smaller: a pixel is the mean of its block, kept where all of it is."""
    if factor == 1:
        return wanted
    frames, height, width = wanted.clip.shape[:3]
    blocks = (frames, height // factor, factor, width // factor, factor)
    clip = wanted.clip.reshape(*blocks, 3).mean(axis=(2, 4)).round().astype(np.uint8)
    keep = None if wanted.keep is None else np.asarray(wanted.keep.reshape(blocks).all(axis=(2, 4)))
    return Given(clip, keep, wanted.strength)


def _fits(name: str, value: np.ndarray | None, width: int, height: int) -> None:
    if value is None:
        return
    wanted = {"image": (3,), "last_image": (3,), "video": (4,), "mask": (2, 3)}[name]
    size = value.shape[1:3] if value.ndim == 4 or (name == "mask" and value.ndim == 3) else value.shape[:2]
    if value.dtype != np.uint8 or value.ndim not in wanted or (name != "mask" and value.shape[-1] != 3):
        raise InvalidInput(f"the {name} is not a picture of eight bits", help="Give uint8 RGB.")
    if size != (height, width):
        raise InvalidInput(
            f"the {name} is {size[1]} x {size[0]}, the result {width} x {height}",
            help="Crop or scale it first: stretching it would change what it shows.",
        )


def _ends(task: VideoTask, frames: int) -> Given:
    """The first frame held until the last group, which the last frame fills: a latent of its own each."""
    first = task.image if task.image is not None else task.last_image
    clip = np.repeat(np.asarray(first)[None], frames, axis=0)
    keep = np.zeros(clip.shape[:3], bool)
    keep[0] = task.image is not None
    if task.last_image is not None and frames > 1:
        clip[-GROUP:], keep[-GROUP:] = task.last_image, True
    return Given(clip, keep, 1.0)


def latent_keep(keep: np.ndarray, spatial: int) -> np.ndarray:
    """float32 (1 + (T - 1) / 4, h / spatial, w / spatial): 1 where every pixel behind a latent is kept."""
    frames, height, width = keep.shape
    blocks = keep.reshape(frames, height // spatial, spatial, width // spatial, spatial)
    tiles = np.asarray(blocks.all(axis=(2, 4)))
    groups = tiles[1:].reshape(-1, GROUP, *tiles.shape[1:]).all(axis=1)
    return np.concatenate([tiles[:1], groups]).astype(np.float32)


class Steering:
    """The latents of one clip, made before the pipeline runs and mended after each of its steps."""

    def __init__(self, torch: Any, pipeline: Any, wanted: Given, steps: int, seed: int) -> None:
        self._scheduler = pipeline.scheduler
        self.strength = max(wanted.strength, 1 / steps)
        vae, device = pipeline.vae, pipeline._execution_device
        pixels = torch.from_numpy(wanted.clip.astype(np.float32) / 127.5 - 1).permute(3, 0, 1, 2)[None]
        with torch.no_grad():
            latents = vae.encode(pixels.to(device, vae.dtype)).latent_dist.mode().float()
        mean, std = (
            torch.tensor(values, device=device).view(1, -1, 1, 1, 1)
            for values in (vae.config.latents_mean, vae.config.latents_std)
        )
        self._clean = (latents - mean) / std
        noise = torch.randn(self._clean.shape, generator=torch.Generator("cpu").manual_seed(seed))
        self._noise = noise.to(device)
        self._keep: Any = None
        if wanted.keep is not None:
            self._keep = torch.from_numpy(latent_keep(wanted.keep, pipeline.vae_scale_factor_spatial)).to(
                device
            )
        self._scheduler.set_timesteps(steps, device=device)
        skipped = steps - min(int(steps * self.strength), steps)
        self.start = self._at(float(self._scheduler.sigmas[skipped]))

    def _at(self, sigma: float) -> Any:
        return (1 - sigma) * self._clean + sigma * self._noise

    def after_step(self, latents: Any) -> Any:
        """`latents` with what is kept put back at the noise that the schedule has reached."""
        if self._keep is None:
            return latents
        sigma = float(self._scheduler.sigmas[self._scheduler.step_index])
        return self._keep * self._at(sigma) + (1 - self._keep) * latents
