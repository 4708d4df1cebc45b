"""Guidance that rises or falls along the frames of one clip, for pipelines that know a single number.

Stable Video Diffusion ramps by itself (its report, section 4: little guidance at the given frame, more later,
keeps colours from burning). Here the number that a pipeline multiplies its guidance term with becomes one
per latent frame. Only pipelines whose latents are (batch, channels, frames, height, width) can take it.
"""

from __future__ import annotations

from typing import Any

from byline.audit.base import heavy


class Ramp(float):
    """Its value is the larger end, so that a pipeline's own test for "any guidance" holds; multiplied with a
    tensor it is `start` at the first frame and `end` at the last, linear in between."""

    start: float
    end: float

    def __new__(cls, start: float, end: float) -> Ramp:
        made = super().__new__(cls, max(start, end))
        made.start, made.end = float(start), float(end)
        return made

    def __mul__(self, other: Any) -> Any:
        if getattr(other, "ndim", 0) != 5:
            return NotImplemented if not isinstance(other, int | float) else float(self) * other
        torch = heavy.load("torch")
        frames = other.shape[2]
        scale = torch.linspace(self.start, self.end, frames, device=other.device, dtype=other.dtype)
        return scale.view(1, 1, frames, 1, 1) * other


def scale(guidance: float, end: float | None) -> float:
    """The guidance to hand to such a pipeline: a number, or a ramp where the task names an end."""
    return guidance if end is None or end == guidance else Ramp(guidance, end)
