"""What a clip is going to be, while it is sampled: the model's estimate of the end, decoded as one picture.

After a step a sampler knows what it takes the clean latents to be. Their middle frame, decoded as a picture
of its own, is a preview; it costs a small part of one step. It is not final and nobody has judged it:
whoever shows it to a person has it screened and labelled first (stages/preview.py).
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from byline.generation.engines import decoding
from byline.generation.engines.base import Preview

MOST = 4  # of one clip: after a quarter, half, three quarters, and not at the end
EVERY_S = 5.0  # at the soonest: a quick model's clip is there before its preview would be looked at


class Previews:
    """Watches the sampler of one run. Does nothing where nobody wants previews."""

    def __init__(self, pipeline: Any, wanted: Preview | None, torch: Any) -> None:
        self._pipeline, self._wanted, self._torch = pipeline, wanted, torch
        self._estimate: Any = None
        self._last = time.monotonic()

    def __enter__(self) -> Previews:
        if self._wanted is not None:
            self._watch(self._pipeline.scheduler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._wanted is not None:
            self._pipeline.scheduler.__dict__.pop("step", None)
            self._estimate = None

    def after_step(self, done: int, steps: int) -> None:
        """Hand a preview over if one is due and the sampler has an estimate."""
        due = done < steps and (done * MOST) // steps > ((done - 1) * MOST) // steps
        soon = time.monotonic() - self._last < EVERY_S
        if self._wanted is None or not due or soon or self._estimate is None:
            return
        latents = self._estimate
        if latents.ndim != 5:
            return
        middle = latents.shape[2] // 2
        piece = next(
            iter(decoding.pieces(self._pipeline.vae, latents[:1, :, middle : middle + 1], self._torch))
        )
        self._wanted(piece[0][0], done, steps)
        self._last = time.monotonic()

    def _watch(self, scheduler: Any) -> None:
        original = scheduler.step

        def step(output: Any, timestep: Any, sample: Any, *given: Any, **named: Any) -> Any:
            made = original(output, timestep, sample, *given, **named)
            self._estimate = clean(scheduler, output, sample, made)
            return made

        scheduler.step = step


def clean(scheduler: Any, output: Any, sample: Any, made: Any) -> Any:
    """The clean latents as the sampler estimates them after a step, or None where it does not say.

    UniPC and DPM-Solver keep their last estimate; DDIM and Euler give it beside the next sample; flow
    matching has x0 = x - sigma v.
    """
    kept = getattr(scheduler, "model_outputs", None)
    if kept and kept[-1] is not None and getattr(scheduler, "predict_x0", True):
        return kept[-1]
    if isinstance(made, tuple) and len(made) > 1 and getattr(made[1], "shape", None) == sample.shape:
        return made[1]
    index = getattr(scheduler, "step_index", None)
    if index and type(scheduler).__name__.startswith("FlowMatch"):
        return sample - scheduler.sigmas[index - 1].to(sample) * output
    return None
