"""Four times the size for the starter's frames: a small network that redraws flat art with crisp edges.

Eight convolutions at the small size, a pixel shuffle, and the bilinear enlargement as the base to correct
(sub-pixel convolution, arXiv 1609.05158). It learned from drawn scenes that had been through the
autoencoder (train_upscaler.py): it sharpens what the starter draws and says nothing about photographs.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byline.audit.base import heavy
from byline.audit.base.errors import MissingWeights

FACTOR = 4
WIDTH = 48
BLOCKS = 3
PART = "upscaler/model.safetensors"  # in the model's folder
WEIGHTS = Path(__file__).parent / "weights" / PART


def network() -> Any:
    """Frames (N, 3, h, w), -1..1 -> (N, 3, 4h, 4w), not clamped."""
    torch = heavy.load("torch")
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
            self.second = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)

        def forward(self, x: Any) -> Any:
            return x + self.second(functional.silu(self.first(x)))

    class Upscaler(nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.enter = nn.Conv2d(3, WIDTH, 5, padding=2)
            self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
            self.leave = nn.Conv2d(WIDTH, 3 * FACTOR**2, 3, padding=1)

        def forward(self, x: Any) -> Any:
            base = functional.interpolate(x, scale_factor=FACTOR, mode="bilinear", align_corners=False)
            deep = self.blocks(functional.silu(self.enter(x)))
            return base + functional.pixel_shuffle(self.leave(functional.silu(deep)), FACTOR)

    return Upscaler()


def save(model: Any, file: Path) -> None:
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()}, file)


@cache
def load(file: Path = WEIGHTS) -> Any:
    """The trained network, for the CPU. Raises MissingWeights."""
    from safetensors.torch import load_file

    if not file.is_file():
        raise MissingWeights(f"the starter's upscaler has no weights at {file}")
    model = network()
    model.load_state_dict({k: v.float() for k, v in load_file(file).items()})
    return model.eval().requires_grad_(False)


def upscale(frames: NDArray[np.uint8], model: Any = None) -> NDArray[np.uint8]:
    """A clip (T, h, w, 3) four times as wide and high."""
    torch = heavy.load("torch")
    model = model or load()
    out = np.empty((len(frames), frames.shape[1] * FACTOR, frames.shape[2] * FACTOR, 3), np.uint8)
    with torch.inference_mode():
        for k, frame in enumerate(frames):
            x = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float() / 127.5 - 1
            x = x.contiguous(memory_format=torch.channels_last)
            y = model(x)[0].clamp(-1, 1)
            out[k] = ((y + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return out
