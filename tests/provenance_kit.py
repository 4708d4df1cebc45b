"""Small real media and a small real log for the tests of provenance: no mocks, no network.

Loaded by path (`run_path`), because test modules are imported in importlib mode.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from django.conf import settings

from byline.audit import canonical, merkle
from byline.audit.base import keyring
from byline.audit.checkpoint import Checkpoint, sign
from byline.audit.digest import content_digest
from byline.platform import keys


def pictures(seed: int, *, count: int = 24, size: tuple[int, int] = (256, 144)) -> list[np.ndarray]:
    """Textured frames that move a little; another seed is another scene."""
    width, height = size
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 215, (height // 16, width // 16, 3))
    field = np.kron(coarse, np.ones((16, 16, 1))) + rng.normal(0, 6, (height // 16 * 16, width // 16 * 16, 3))
    return [np.clip(np.roll(field, i, axis=1), 0, 255).astype(np.uint8) for i in range(count)]


def write_mp4(
    path: Path, frames: list[np.ndarray], *, fps: int = 12, samples: np.ndarray | None = None, crf: int = 18
) -> Path:
    """H.264, optionally with AAC from mono samples at 48 kHz."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": str(crf), "preset": "veryfast"}
        sound = container.add_stream("aac", rate=48_000, layout="mono") if samples is not None else None
        for frame in frames:
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"))
            )
        container.mux(stream.encode(None))
        if sound is not None:
            for start in range(0, len(samples), 1024):
                part = np.ascontiguousarray(samples[None, start : start + 1024].astype(np.float32))
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48_000, start
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def write_wav(path: Path, seconds: float = 0.5, rate: int = 16_000) -> Path:
    tone = (8000 * np.sin(np.arange(int(rate * seconds)) / 9)).astype("<i2").tobytes()
    head = b"fmt " + (16).to_bytes(4, "little") + b"\1\0\1\0" + rate.to_bytes(4, "little")
    head += (2 * rate).to_bytes(4, "little") + b"\2\0\x10\0"
    body = b"WAVE" + head + b"data" + len(tone).to_bytes(4, "little") + tone
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    return path


def write_image(path: Path, seed: int = 0) -> Path:
    from PIL import Image

    Image.fromarray(pictures(seed, count=1)[0]).save(path)
    return path


def proof_for(file: Path, *, others: int = 4, kind: str = "generation.asset") -> dict[str, Any]:
    """A real inclusion proof under this home's log key: our entry between some others."""
    digest = content_digest(file)
    entry = {
        "v": 1,
        "id": 7,
        "kind": kind,
        "subject": "clip:test",
        "actor": "system:pipeline",
        "payload": {"digest_rule": digest.rule, "digest": digest.hex},
        "created": "2026-01-02T03:04:05.000006Z",
    }
    leaf = merkle.leaf_hash(canonical.encode(entry))
    leaves = [hashlib.sha256(bytes([i])).digest() for i in range(others)]
    leaves.insert(others // 2, leaf)
    origin = keyring.read("log_vkey").decode().partition("+")[0]
    head = Checkpoint(origin, len(leaves), merkle.root_of(leaves))

    def node(level: int, index: int) -> bytes:
        return merkle.root_of(leaves[index << level : (index + 1) << level])

    path = merkle.inclusion_path(others // 2, len(leaves), node)
    return {
        "v": 1,
        "origin": origin,
        "entry": entry,
        "leaf_hash": leaf.hex(),
        "index": others // 2,
        "tree_size": len(leaves),
        "path": [item.hex() for item in path],
        "checkpoint": sign(head, keyring.read("log")),
    }


@contextmanager
def home(path: Path) -> Iterator[None]:
    """Another installation: its keys sign while the block runs."""
    before = settings.BYLINE
    settings.BYLINE = {**before, "HOME": path}
    try:
        keys.create(path)
        yield
    finally:
        settings.BYLINE = before


def flip(path: Path, offset: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def boxes(data: bytes) -> dict[str, tuple[int, int]]:
    """Top-level ISO BMFF boxes: name -> (start, end) of the first with that name."""
    found, at = {}, 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big") or len(data) - at
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        found.setdefault(data[at + 4 : at + 8].decode("latin1"), (at, at + size))
        at += size
    return found
