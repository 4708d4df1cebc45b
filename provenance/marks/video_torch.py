"""The picture mark put in on the device where the frames already are.

Promises: for (H, W, 3) uint8 tensors the same marks as video_embed.py, up to rounding; no frame leaves
its device. The numbers and the schedule are video_embed's; only the arithmetic is written again, with
torch's operators in place of OpenCV's. Detecting stays on the CPU: it looks at a few dozen frames.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byline.audit.base import heavy
from byline.provenance.marks import video_embed as numbers


class TorchPainter:
    """Adds the mark to tensors of one size on one device."""

    def __init__(
        self, tiles: NDArray[np.float32], height: int, width: int, levels: tuple[float, float], device: Any
    ) -> None:
        torch = heavy.load("torch")

        one, other = (numbers.spread(tile, height, width) for tile in tiles)
        self._one, self._other = torch.from_numpy(one).to(device), torch.from_numpy(other).to(device)
        self._dither = torch.from_numpy(numbers.dither(height, width)).to(device)
        self._levels = levels
        self._angle = math.nan
        self._age = 0
        self._glance: Any = None
        self._change: Any = None
        self.shape = height, width

    def add(self, frame: Any, angle: float) -> Any:
        """(H, W, 3) uint8 tensor -> a new one with the mark."""
        torch, functional = heavy.load("torch"), heavy.load("torch.nn.functional")

        glance = frame[:: numbers.GLANCE, :: numbers.GLANCE, 1].to(torch.int16)
        self._age += 1
        stale = angle != self._angle or self._age >= numbers.REUSE
        if stale or float((glance - self._glance).abs().float().mean()) > numbers.CUT:
            self._angle, self._age, self._glance = angle, 0, glance
            pattern = self._one * math.cos(angle) + self._other * math.sin(angle)
            gain = strength(frame, *self._levels)[None, None]
            wide = functional.interpolate(gain, size=self.shape, mode="bilinear", align_corners=False)
            self._change = torch.round(wide[0, 0] * pattern + self._dither).to(torch.int16)[..., None]
        return (frame.to(torch.int16) + self._change).clamp(0, 255).to(torch.uint8)


def strength(frame: Any, high: float, flat: float) -> Any:
    """video_embed.strength for a tensor: what the eye forgives, short side about MASK_SHORT."""
    torch, functional = heavy.load("torch"), heavy.load("torch.nn.functional")

    height, width = frame.shape[:2]
    step = max(1, round(min(height, width) / numbers.MASK_SHORT))
    size = (max(1, height // step), max(1, width // step))
    pixels = frame.permute(2, 0, 1)[None].to(torch.float32)
    small = torch.round(functional.adaptive_avg_pool2d(pixels, size))[0]
    luma = torch.round(0.299 * small[0] + 0.587 * small[1] + 0.114 * small[2])
    across = luma.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) * 0.25
    edges = _filtered(luma, torch.stack([across, across.T]))
    dx, dy = edges[0], edges[1]
    xx, yy, xy = (_blurred(product, 5) for product in (dx * dx, dy * dy, dx * dy))
    middle, radius = (xx + yy) / 2, torch.sqrt((xx - yy) ** 2 / 4 + xy * xy)
    corners = torch.clamp(middle - radius, min=0) / torch.sqrt(middle + radius + 1e-3)
    share = _blurred((corners > 1.0).float(), 25)
    eroded = -functional.max_pool2d(-corners[None, None], 3, stride=1, padding=1)[0, 0]
    busy = _blurred(eroded, 5) * torch.clamp((share - 0.35) / 0.3, 0, 1)
    light = 1.0 + 0.15 * torch.clamp((100 - luma) / 100, -1, 1)
    mask = light * (1.0 + numbers.BUSY_GAIN * torch.clamp(busy, max=numbers.BUSY_CAP))
    textured = min(float((busy > 1.0).float().mean()) / numbers.TEXTURED_AREA, 1.0)
    drawn = float((xx + yy < numbers.GRAINLESS).float().mean())
    level = flat * (1 - drawn * numbers.DRAWN_LESS)
    energy = level + textured * (high - level)
    return mask * min(level / _rms(light), energy / _rms(mask))


def _filtered(plane: Any, kernels: Any) -> Any:
    functional = heavy.load("torch.nn.functional")

    padded = functional.pad(plane[None, None], (1, 1, 1, 1), mode="reflect")
    return functional.conv2d(padded, kernels[:, None])[0]


def _blurred(plane: Any, size: int) -> Any:
    functional = heavy.load("torch.nn.functional")

    edge = size // 2
    padded = functional.pad(plane[None, None], (edge,) * 4, mode="reflect")
    return functional.avg_pool2d(padded, size, stride=1)[0, 0]


def _rms(plane: Any) -> float:
    return float((plane * plane).mean().sqrt())
