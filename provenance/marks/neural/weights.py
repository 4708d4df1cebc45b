"""Weights of neural marks: a file on this machine, pinned by its SHA-256, loaded once per process.

Promises: nothing is fetched; a file whose hash is another is refused before any of it is
interpreted; the formats are TorchScript and ONNX as their owners publish or export them, never a
pickle. What is missing is one clear MissingWeights, at `self_check`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Pinned:
    """One file of weights. ConfigurationError when its hash is not written as 64 hexadecimal digits."""

    path: str
    sha256: str

    def __post_init__(self) -> None:
        if not isinstance(self.sha256, str) or not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ConfigurationError(
                f"the weights {self.path} are not pinned",
                help="Give their SHA-256 as printed by `sha256sum`.",
            )

    def checked(self) -> Path:
        """The file, if it is there and the pinned one. MissingWeights, ConfigurationError."""
        file = Path(self.path)
        if not file.is_file():
            raise MissingWeights(
                f"there are no weights at {self.path}",
                help="Put the file there, or take the mark out of BYLINE['WATERMARKERS'].",
            )
        digest = hashlib.sha256()
        with file.open("rb") as handle:
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
        if digest.hexdigest() != self.sha256:
            raise ConfigurationError(
                f"{self.path} is not the pinned file: its SHA-256 is another",
                help="Get the file that you pinned, or measure the new one and pin it.",
            )
        return file


@cache
def torchscript(pinned: Pinned, device: str = "cpu") -> Any:
    """A TorchScript module in evaluation mode."""
    torch = heavy.load("torch")
    file = pinned.checked()
    try:
        return torch.jit.load(str(file), map_location=device).eval()
    except RuntimeError as error:
        raise ConfigurationError(f"{pinned.path} is no TorchScript file") from error


@cache
def onnx(pinned: Pinned) -> Any:
    """An ONNX session on the CPU, two threads."""
    import onnxruntime

    file = pinned.checked()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ConfigurationError(f"{pinned.path} is no ONNX file") from error
