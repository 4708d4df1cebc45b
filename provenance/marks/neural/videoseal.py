"""VideoSeal (Fernandez et al. 2024, arXiv 2412.09492) behind our Protocol, from its TorchScript file.

The owner publishes `y_256b_img.jit` (MIT): `embed(imgs, msgs)` with frames (F, 3, H, W) in 0..1 and
messages (F, K) of 0 and 1; `detect(imgs)` gives (F, 1 + K), a presence logit and K bit logits, which
are averaged over the frames. Our 64-bit id goes in masked and BCH coded (message.py), so a
stranger's VideoSeal decoder reads noise and the false accept bound is ours and proven. That makes it
another algorithm than the registered `com.aiwatermark.videoseal.1`, and the manifest says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.provenance.marks.base import (
    Frame,
    UnmarkableInput,
    VideoFinding,
    check_candidates,
)
from byline.provenance.marks.neural.message import MaskedMessage
from byline.provenance.marks.neural.weights import Pinned, torchscript

PAYLOAD_BITS = 64
MIN_SIDE = 128


class VideoSeal:
    """`bits` is the network's message length (256 for v1.0, 96 for v0.0: too short for our ids)."""

    alg = "io.byline.video.videoseal.1"
    payload_bits = PAYLOAD_BITS

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        weights: str,
        sha256: str,
        bits: int = 256,
        chunk: int = 8,
        max_frames: int = 32,
        device: str = "cpu",
    ) -> None:
        self._weights, self._device = Pinned(weights, sha256), device
        self._message = MaskedMessage(bits, PAYLOAD_BITS, keys, label="videoseal v1", trials=2)
        self._chunk, self._max_frames = chunk, max_frames

    def self_check(self) -> None:
        """MissingWeights or ConfigurationError if the weights are not those that were pinned."""
        self._weights.checked()

    def embed(self, frames: Iterable[Frame], payload: int) -> Iterator[Frame]:
        """Yield each (H, W, 3) uint8 RGB frame marked, in chunks. BadPayload, UnmarkableInput."""
        torch, network = heavy.load("torch"), torchscript(self._weights, self._device)
        message = torch.tensor([self._message.encode(payload)], dtype=torch.float32, device=self._device)
        rest = iter(frames)
        while part := list(islice(rest, self._chunk)):
            with torch.inference_mode():
                marked = network.embed(self._tensor(part), message.repeat(len(part), 1))
                values = (marked.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
            yield from values.cpu().numpy()

    def detect(
        self, frames: Sequence[Frame], *, candidates: Sequence[int] | None = None, fps: float = 8.0
    ) -> VideoFinding | None:
        """The mark of any of our keys, as embedded or mirrored, blind or among `candidates`."""
        listed = check_candidates(candidates, PAYLOAD_BITS)
        if not frames or listed == ():
            return None
        picked = np.unique(np.linspace(0, len(frames) - 1, self._max_frames).round().astype(int))
        chosen = [frames[i] for i in picked]
        for words, mirrored in (("as embedded", False), ("mirrored", True)):
            bits = self._read([frame[:, ::-1] for frame in chosen] if mirrored else chosen)
            found = self._message.decode(bits) if listed is None else self._message.nearest(bits, listed)
            if found is not None:
                return VideoFinding(*found, words)
        return None

    def _read(self, frames: Sequence[Frame]) -> list[int]:
        """(K,) hard bits of the frames' averaged logits."""
        torch, network = heavy.load("torch"), torchscript(self._weights, self._device)
        total = np.zeros(self._message.bits)
        for start in range(0, len(frames), self._chunk):
            with torch.inference_mode():
                answer = network.detect(self._tensor(frames[start : start + self._chunk]))
            total += answer[:, 1:].double().sum(0).cpu().numpy()
        return [int(value > 0) for value in total]

    def _tensor(self, frames: Sequence[Frame]) -> Any:
        first = frames[0].shape
        for frame in frames:
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.shape != first:
                raise UnmarkableInput("frames are (H, W, 3) arrays of uint8 of one size")
            if min(frame.shape[:2]) < MIN_SIDE:
                raise UnmarkableInput(f"a frame's sides must be at least {MIN_SIDE} pixels")
        torch = heavy.load("torch")
        stack = torch.from_numpy(np.ascontiguousarray(np.stack(frames)))
        return stack.to(self._device).permute(0, 3, 1, 2).float() / 255
