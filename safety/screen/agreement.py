"""Does the clip show what the prompt asks for? A small probe for the pictures of the starter model.

A dual encoder, trained by byline.generation.starter.train_agreement on captioned drawings and never on
what the starter model makes. The score is a rank: the share of a bank of 512 other prompts that fit the
clip worse than the true one, so a clip that ignores its prompt has a score spread evenly over 0 to 1.
It knows the starter's small world alone. For other engines it says "unavailable"; ClipAgreement in
zero_shot.py is the adapter for them.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from byline.audit.base.errors import MissingWeights
from byline.safety import encoder
from byline.safety.screen.base import Frames, ScreenerExample

STARTER = "byline-starter"  # the engine whose pictures it knows
WEIGHTS = Path(__file__).parent.parent / "weights"
FRAMES = 5
_SIZE = (56, 32)  # width, height


def look(frames: Frames) -> np.ndarray:
    """(5, 32, 56, 3) uint8: five frames over the clip, at the probe's size."""
    picked = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    return np.stack(
        [
            cv2.resize(np.ascontiguousarray(frames[index]), _SIZE, interpolation=cv2.INTER_AREA)
            for index in picked
        ]
    )


class Probe:
    """The two towers from agreement.onnx, checked against the sha256 in agreement.npz."""

    def __init__(self, folder: Path = WEIGHTS) -> None:
        import onnxruntime

        try:
            with np.load(folder / "agreement.npz", allow_pickle=False) as data:
                bank, sha256 = data["bank"].astype(np.float32), str(data["sha256"])
            network = (folder / "agreement.onnx").read_bytes()
        except (OSError, KeyError, ValueError) as error:
            raise MissingWeights("the agreement probe's weights cannot be read") from error
        if hashlib.sha256(network).hexdigest() != sha256:
            raise MissingWeights("agreement.onnx is not the pinned file")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            network, options, providers=["CPUExecutionProvider"]
        )
        self._bank = bank

    def score(self, frames: Frames, prompt: str) -> float:
        """Share of the bank's prompts that fit the clip worse than `prompt`, 0 to 1."""
        said = encoder.shared().windows(prompt)[0].embedding
        pictures = look(frames).transpose(0, 3, 1, 2)[None].astype(np.float32) / 255
        seen, texts = self._session.run(
            ["seen", "said"], {"frames": pictures, "texts": np.concatenate([said[None], self._bank])}
        )
        fits = texts @ seen[0]
        return float((fits[1:] < fits[0]).mean())


@functools.cache
def shared() -> Probe:
    """The process's probe. MissingWeights when its files are not the pinned ones."""
    return Probe()


class StarterAgreement:
    """The probe as a screener for the role "agreement"."""

    def covers(self, model: str) -> bool:
        return model == STARTER

    def score(self, frames: Frames, prompt: str) -> float:
        return shared().score(frames, prompt)

    def self_check(self) -> None:
        """MissingWeights when a file is missing. Loads nothing."""
        for name in ("agreement.npz", "agreement.onnx"):
            if not (WEIGHTS / name).is_file():
                raise MissingWeights(f"{name} is missing", help="Reinstall byline: it ships with it.")

    def examples(self) -> tuple[ScreenerExample, ...]:
        sky = np.full((17, 64, 112, 3), (96, 164, 236), np.uint8)
        for number, frame in enumerate(sky):
            cv2.circle(frame, (16 + 5 * number, 32), 13, (222, 32, 38), -1)
        return (
            ScreenerExample(
                {"frames": sky, "prompt": "a red ball moves to the right in the blue sky"},
                "the prompt fits better than most",
                lambda share: share > 0.9,
            ),
        )
