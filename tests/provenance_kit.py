"""Small real media and a small real log for the tests of provenance: no mocks, no network.

Loaded by path (`run_path`), because test modules are imported in importlib mode.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
from django.conf import settings

from byline.audit import canonical, merkle
from byline.audit.base import keyring
from byline.audit.checkpoint import Checkpoint, sign
from byline.platform import keys
from byline.provenance import ids, manifest, signing
from byline.provenance.digest import Digest, content_digest
from byline.provenance.fingerprints import fingerprint
from byline.provenance.marks.audio import AudioMark
from byline.provenance.marks.video import VideoMark
from byline.provenance.records import DirectoryRecords, StoredRecord, write_directory


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
    return proof_of(content_digest(file), others=others, kind=kind)


def proof_of(digest: Digest, *, others: int = 4, kind: str = "generation.asset") -> dict[str, Any]:
    """The same for a digest whose file is elsewhere."""
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


@dataclass
class Clip:
    """A finished clip: marked, encoded, logged, signed and on record."""

    frames: list[np.ndarray]
    unsigned: Path
    signed: Path
    mark_id: int
    audio_id: int | None
    proof: dict[str, Any]
    stored: StoredRecord


def make_clip(directory: Path, seed: int = 1, *, serial: int = 5, speech: np.ndarray | None = None) -> Clip:
    """The end of the pipeline in small, with this home's keys: mark, encode, log, sign, record."""
    keys_ = [keyring.read("watermark")]
    mark_id, audio_id = ids.new_mark_id(serial, keyring.read("id")), None
    frames = list(VideoMark(keys_).embed(pictures(seed, size=(1280, 720)), mark_id))
    if speech is not None:
        audio_id = 1000 + serial
        speech = AudioMark(keys_).embed(speech, 48_000, audio_id)
    unsigned, signed = directory / f"{serial}.mp4", directory / f"{serial}-signed.mp4"
    write_mp4(unsigned, frames, samples=speech)
    proof = proof_for(unsigned)
    public_id = str(uuid.uuid4())
    facts = manifest.ManifestFacts(
        title=f"Clip {serial}",
        asset_id=public_id,
        software_version="test",
        proof=proof,
        models=(manifest.ModelFact("byline-starter", "test", "moving pictures"),),
        mark_id=mark_id,
        audio_id=audio_id,
    )
    store = signing.sign_file(unsigned, signed, manifest.build(facts))
    stored = StoredRecord(
        id=public_id,
        mark_id=mark_id,
        audio_id=audio_id,
        sha256=hashlib.sha256(signed.read_bytes()).hexdigest(),
        content_digest=content_digest(signed).hex,
        manifest=store,
        proof=proof,
        fingerprints=tuple(fingerprint(frames, 12)),
        created="2026-01-02T03:04:05+00:00",
    )
    return Clip(frames, unsigned, signed, mark_id, audio_id, proof, stored)


def records_of(directory: Path, *clips: Clip) -> DirectoryRecords:
    """An operator's export that holds these clips."""
    directory.mkdir()
    source = SimpleNamespace(
        all=lambda: [clip.stored for clip in clips],
        mark_keys=[keyring.read("watermark")],
        id_keys=[keyring.read("id")],
    )
    write_directory(directory, source)
    return DirectoryRecords(directory)


def speech_like(seconds: float = 6.0, seed: int = 3) -> np.ndarray:
    """Voiced syllables: harmonics of a gliding pitch under a syllable envelope, some breath noise."""
    t = np.arange(int(48_000 * seconds)) / 48_000
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.cumsum(120 + 25 * np.sin(2 * np.pi * 0.7 * t)) / 48_000
    voice = sum(np.sin(k * phase) / k**0.8 for k in range(1, 40))
    envelope = 0.15 + np.clip(np.sin(2 * np.pi * 3.1 * t), 0, 1)
    sound = (voice + 0.3 * rng.normal(size=t.size)) * envelope
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


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
