"""Tiny torch networks with the interfaces of VideoSeal, TrustMark and AudioSeal, saved as their owners do.

Each hides bits as fixed noise patterns and finds them by correlation: enough to take the production
adapters through their loaders, shapes and codes. They say nothing about the real networks' strength.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

WORD = 12_800  # samples of one AudioSeal word in the adapter


class TinyVideoSeal(torch.nn.Module):
    """embed(imgs, msgs) and detect(imgs) as in the owner's TorchScript file, 256 bits."""

    def __init__(self, bits: int = 256, strength: float = 0.05) -> None:
        super().__init__()
        self.strength = strength
        generator = torch.Generator().manual_seed(1)
        self.register_buffer("patterns", torch.randn(bits, 64, 64, generator=generator).sign())

    @torch.jit.export
    def embed(self, imgs: torch.Tensor, msgs: torch.Tensor) -> torch.Tensor:
        wave = torch.einsum("fk,khw->fhw", 2.0 * msgs - 1.0, self.patterns) / 16.0
        wide = functional.interpolate(
            wave[:, None], size=(imgs.shape[-2], imgs.shape[-1]), mode="bilinear", align_corners=False
        )
        return imgs + self.strength * wide

    @torch.jit.export
    def detect(self, imgs: torch.Tensor) -> torch.Tensor:
        small = functional.interpolate(
            imgs.mean(1, keepdim=True), size=(64, 64), mode="bilinear", align_corners=False, antialias=True
        )
        rest = (small - functional.avg_pool2d(small, 5, 1, 2))[:, 0]
        logits = torch.einsum("fhw,khw->fk", rest, self.patterns)
        return torch.cat([logits.abs().mean(1, keepdim=True), logits], 1)

    def forward(self, imgs: torch.Tensor, msgs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        marked = self.embed(imgs, msgs)
        return marked, self.detect(marked)


def _cells(image: torch.Tensor) -> torch.Tensor:
    """(1, 1024) what stands out in each of 32 x 32 cells."""
    small = functional.avg_pool2d(image.mean(1, keepdim=True), 8)
    return (small - functional.avg_pool2d(small, 5, 1, 2)).reshape(1, -1)


class TinyTrustMarkEncoder(torch.nn.Module):
    """It sees the picture and takes back what speaks against the message there."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        patterns = torch.randn(100, 32 * 32, generator=generator).sign()
        self.register_buffer("patterns", patterns)

    def forward(self, image: torch.Tensor, secret: torch.Tensor) -> torch.Tensor:
        missing = 16.0 * (2.0 * secret - 1.0) - _cells(image) @ self.patterns.T
        wave = (missing @ self.patterns / 1024.0).reshape(1, 1, 32, 32)
        return image + wave.repeat_interleave(8, 2).repeat_interleave(8, 3)


class TinyTrustMarkDecoder(torch.nn.Module):
    def __init__(self, patterns: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("patterns", patterns)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return _cells(image) @ self.patterns.T


class TinyAudioSealGenerator(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.register_buffer("carriers", torch.randn(16, WORD, generator=generator))

    @torch.jit.export
    def get_watermark(self, x: torch.Tensor, sample_rate: int, message: torch.Tensor) -> torch.Tensor:
        return 0.01 * ((2.0 * message.float() - 1.0) @ self.carriers)[:, None, : x.shape[-1]]

    def forward(self, x: torch.Tensor, sample_rate: int, message: torch.Tensor) -> torch.Tensor:
        return x + self.get_watermark(x, sample_rate, message)


class TinyAudioSealDetector(torch.nn.Module):
    def __init__(self, carriers: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("carriers", carriers)

    def forward(self, x: torch.Tensor, sample_rate: int) -> tuple[torch.Tensor, torch.Tensor]:
        logits = x[:, 0] @ self.carriers[:, : x.shape[-1]].T / 50.0
        present = torch.full([x.shape[0], 2, x.shape[-1]], 0.5)
        return present, torch.sigmoid(logits)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def videoseal(folder: Path, strength: float = 0.05) -> dict[str, Any]:
    """CONFIG of a VideoSeal adapter on a tiny TorchScript file; visible strength survives an encoder."""
    file = folder / "videoseal.jit"
    torch.jit.script(TinyVideoSeal(strength=strength)).save(str(file))
    return {"weights": str(file), "sha256": _sha256(file)}


def trustmark(folder: Path) -> dict[str, Any]:
    """CONFIG of a TrustMark adapter on two tiny ONNX files."""
    encoder, decoder = folder / "encoder_P.onnx", folder / "decoder_P.onnx"
    network = TinyTrustMarkEncoder().eval()
    picture, message = torch.zeros(1, 3, 256, 256), torch.zeros(1, 100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the quick exporter is deprecated; the other takes 15 s
        torch.onnx.export(network, (picture, message), str(encoder), dynamo=False)
        reader = TinyTrustMarkDecoder(network.patterns).eval()
        torch.onnx.export(reader, (picture,), str(decoder), dynamo=False)
    return {
        "encoder": str(encoder),
        "encoder_sha256": _sha256(encoder),
        "decoder": str(decoder),
        "decoder_sha256": _sha256(decoder),
    }


def audioseal(folder: Path) -> dict[str, Any]:
    """CONFIG of an AudioSeal adapter on two tiny TorchScript files."""
    generator, detector = folder / "generator.jit", folder / "detector.jit"
    network = TinyAudioSealGenerator()
    torch.jit.script(network).save(str(generator))
    torch.jit.script(TinyAudioSealDetector(network.carriers)).save(str(detector))
    return {
        "generator": str(generator),
        "generator_sha256": _sha256(generator),
        "detector": str(detector),
        "detector_sha256": _sha256(detector),
    }
