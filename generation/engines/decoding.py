"""Latents to pictures piece by piece, so that the first frames are ready while the last are still decoded.

Autoencoders of the Wan kind are causal in time: each latent frame gives the next few pictures and needs only
what came before. Decoding them one after the other gives the very values of decoding them at once, with the
memory of one piece. Other autoencoders give everything in one piece, through their pipeline.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.generation.engines.base import EngineFailed, Operation

_CAUSAL = "AutoencoderKLWan"
# Editing and animation put the decoded clip together from parts; their pipelines do that themselves.
_WHOLE = frozenset({Operation.EDIT, Operation.ANIMATE})


def in_pieces(pipeline: Any, operation: Operation, offload: str) -> bool:
    """Whether `pieces` can decode what this pipeline leaves as latents. Pieces of a model that is moved to
    the device by hooks, or that is told to tile or slice, are left to the pipeline."""
    vae = pipeline.vae
    plain = not (getattr(vae, "use_tiling", False) or getattr(vae, "use_slicing", False))
    return type(vae).__name__ == _CAUSAL and operation not in _WHOLE and offload == "none" and plain


def pieces(vae: Any, latents: Any, torch: Any) -> Iterator[list[np.ndarray]]:
    """Decode latents (B, C, T, h, w) as the pipeline has them; each item holds one uint8 RGB array
    (t, H, W, 3) for each of the B clips. EngineFailed for values that are not numbers.

    On a GPU a piece is copied back while the next one is computed.
    """
    unpatchify = heavy.load("diffusers.models.autoencoders.autoencoder_kl_wan").unpatchify
    shape = (1, vae.config.z_dim, 1, 1, 1)

    def decoded(number: int) -> _Copy:
        first = {"first_chunk": True} if number == 0 else {}
        vae._conv_idx = [0]
        out = vae.decoder(
            z[:, :, number : number + 1], feat_cache=vae._feat_map, feat_idx=vae._conv_idx, **first
        )
        if vae.config.patch_size is not None:
            out = unpatchify(out, patch_size=vae.config.patch_size)
        return _Copy(out, torch)

    vae.clear_cache()
    try:
        with torch.no_grad():
            latents = latents.to(vae.device, vae.dtype)
            mean = torch.tensor(vae.config.latents_mean).view(shape).to(latents)
            scale = 1.0 / torch.tensor(vae.config.latents_std).view(shape).to(latents)
            z = vae.post_quant_conv(latents / scale + mean)
        waiting: _Copy | None = None
        for number in range(z.shape[2]):
            with torch.no_grad():  # not around the yield: the consumer's own work is none of ours
                copy = decoded(number)
            if waiting is not None:
                yield waiting.finish()
            waiting = copy if copy.overlaps else None
            if waiting is None:
                yield copy.finish()
        if waiting is not None:
            yield waiting.finish()
    finally:
        vae.clear_cache()


class _Copy:
    """Pixels -1..1 on their way to the processor as uint8; on a GPU without waiting for it."""

    def __init__(self, pixels: Any, torch: Any) -> None:
        self.overlaps = pixels.device.type == "cuda"
        values = (pixels.float().clamp(-1.0, 1.0) / 2 + 0.5).clamp(0.0, 1.0) * 255 + 0.5
        self._sound = torch.isfinite(pixels).all()
        self._bytes = values.nan_to_num().to(torch.uint8).permute(0, 2, 3, 4, 1).contiguous()
        if self.overlaps:
            target = torch.empty(self._bytes.shape, dtype=torch.uint8, pin_memory=True)
            self._bytes = target.copy_(self._bytes, non_blocking=True)
            self._done = torch.cuda.Event()
            self._done.record()

    def finish(self) -> list[np.ndarray]:
        if self.overlaps:
            self._done.synchronize()
        if not bool(self._sound):
            raise EngineFailed("the model gave values that are not numbers")
        return [np.asarray(clip.numpy()) for clip in self._bytes]


def to_bytes(values: Any) -> np.ndarray:
    """uint8 of what a pipeline gave as floats 0..1. EngineFailed for values that are not numbers."""
    floats = np.asarray(values, dtype=np.float32)
    if not np.isfinite(floats).all():
        raise EngineFailed("the model gave values that are not numbers")
    return (np.clip(floats, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)


def ahead(
    start: Callable[[Callable[[], None]], Generator[np.ndarray, None, None]],
) -> Iterator[np.ndarray]:
    """The items of `start(check)`, made in a thread of their own, as far ahead of the consumer as they come.

    What the producer raises is raised here. A consumer that stops early ends the producer: `check`, which
    the producer calls between two steps, raises then.
    """
    items: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stopped = threading.Event()

    def check() -> None:
        if stopped.is_set():
            raise _Stopped

    def produce() -> None:
        try:
            with closing(start(check)) as made:
                for item in made:
                    items.put((item, None))
                    check()
            items.put((None, None))
        except BaseException as error:  # noqa: BLE001  it is raised again where the items are taken
            items.put((None, error))

    thread = threading.Thread(target=produce, name="byline-decode", daemon=True)
    thread.start()
    try:
        while True:
            item, error = items.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        stopped.set()
        thread.join()


class _Stopped(Exception):
    """The consumer went away."""
