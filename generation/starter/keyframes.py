"""From the starter's latents to frames: key frames decoded, enlarged, and moved between.

The autoencoder's latents hold every fourth frame, each by itself (train_vae.py). So they are decoded as
pictures, which is what the autoencoder is best at and a third of the work, redrawn at four times the size
(upscaler.py), and the three frames between two of them follow the optical flow (compose/interpolation.py):
3.1 dB nearer to the drawn clips than the frames that the decoder makes up (docs/starter.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byline.audit.base import heavy
from byline.generation.starter import upscaler

GROUP = 4  # frames from one key frame to the next


def decode(vae: Any, latents: Any) -> NDArray[np.uint8]:
    """Key frames (t, 8h, 8w, 3) of latents (1, z, t, h, w) as a pipeline leaves them: normalised."""
    torch = heavy.load("torch")
    shape = (1, -1, 1, 1, 1)
    mean, std = (
        torch.tensor(values, device=latents.device, dtype=latents.dtype).view(shape)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    with torch.no_grad():
        singles = (latents * std + mean)[0].transpose(0, 1)[:, :, None]
        pixels = vae.decode(singles.to(vae.dtype)).sample[:, :, 0].float()
    values = ((pixels.clamp(-1, 1) + 1) * 127.5).round().byte()
    return values.permute(0, 2, 3, 1).cpu().numpy()


def between(keys: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A clip (1 + 4 (t - 1), h, w, 3) through its key frames (t, h, w, 3)."""
    from byline.generation.compose.interpolation import Shot

    shot = Shot(keys, (keys.shape[2], keys.shape[1]))
    count = 1 + GROUP * (len(keys) - 1)
    return np.stack([keys[k // GROUP] if k % GROUP == 0 else shot.at(k / GROUP) for k in range(count)])


def frames(vae: Any, latents: Any, upscaler_file: Path) -> NDArray[np.uint8]:
    """The finished clip, four times the size that the autoencoder works at."""
    return between(upscaler.upscale(decode(vae, latents), upscaler.load(upscaler_file)))
