"""Metadata cues: what a file says about itself, read from its bytes by bounded scans.

Promises: finds unsigned declarations of generation (IPTC `digitalSourceType`, the `AIGC` label of
GB 45438-2025, generation parameters that image tools write), names of encoders and editors, EXIF,
and how the container is built. Nothing is decompressed, executed or fetched, and no parser follows
a pointer: the first and last `SCAN_BYTES` are searched, boxes, chunks and segments are walked by
their lengths with a bound on their number. Anyone can write or remove all of this, so a
declaration is weighed as a claim (fusion.py) and everything else only by calibration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from byline.provenance import aigc
from byline.provenance.forensics.base import Extractor, Sample

SCAN_BYTES = 2 << 20
_MAX_PARTS = 400  # boxes, chunks or segments walked

# IPTC digital source types (cv.iptc.org/newscodes/digitalsourcetype) that say "made by a model".
SYNTHETIC_TYPES = frozenset(
    {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"}
)
CAPTURE_TYPES = frozenset({"digitalCapture", "computationalCapture"})
_SOURCE_TYPE = re.compile(rb"digitalsourcetype/([A-Za-z]{4,60})")
# Software that leaves its name: pattern -> (words for people, what it does).
_SOFTWARE: tuple[tuple[bytes, str, str], ...] = (
    (rb"Lavf\d", "FFmpeg muxer", "tool"),
    (rb"x264 - core", "x264 encoder", "tool"),
    (rb"x265 \(build", "x265 encoder", "tool"),
    (rb"HandBrake", "HandBrake", "tool"),
    (rb"Adobe (?:Photoshop|Premiere|After Effects|Lightroom)", "an Adobe editor", "editor"),
    (rb"GIMP \d", "GIMP", "editor"),
    (rb"DaVinci Resolve", "DaVinci Resolve", "editor"),
    (rb"CapCut", "CapCut", "editor"),
    (rb"Stable Diffusion|\bSteps: \d+, Sampler: ", "Stable Diffusion parameters", "generator"),
    (rb"ComfyUI|\"class_type\"\s*:\s*\"KSampler", "a ComfyUI workflow", "generator"),
    (rb"Made with Google AI", "the credit line “Made with Google AI”", "generator"),
    (rb"\bMidjourney\b", "the word Midjourney", "mention"),  # may stand in a caption
    (rb"\bDALL[-\xb7 ]?E\b", "the word DALL-E", "mention"),
)
_CAMERA = re.compile(
    rb"\b(?:Canon|NIKON CORPORATION|NIKON|SONY|FUJIFILM|Panasonic|OLYMPUS|samsung|HUAWEI|Xiaomi)\b"
    rb"|\bApple\0|iPhone|com\.apple\.quicktime\.make|com\.android\.version"
)

_SAMPLE_ENTRIES = (b"avc1", b"hvc1", b"hev1", b"av01", b"vp09", b"mp4v", b"mp4a", b"Opus", b"alac", b"ac-3")

NAMES = (
    "exif",
    "xmp",
    "icc",
    "camera_named",
    "tool_named",
    "editor_named",
    "text_chunks",
    "parts",
    "quantiser_sum",
    "index_first",
    "time_unset",
    "log_bytes_per_pixel",
)


_CLAIM = "(unverified text in the file)"


@dataclass(frozen=True)
class Metadata:
    """What the bytes say. `declared` are unsigned claims of generation, in words; `captured` of capture."""

    declared: tuple[str, ...]
    captured: tuple[str, ...]
    software: tuple[str, ...]
    oddities: tuple[str, ...]
    numbers: dict[str, float]


def read(path: Path, mime: str) -> Metadata:
    """Scan a file. Never raises for what it contains; OSError as the system gives it."""
    data = _ends(path)
    types = {match.decode() for match in _SOURCE_TYPE.findall(data)}
    declared = [f"IPTC digitalSourceType {name} {_CLAIM}" for name in sorted(types & SYNTHETIC_TYPES)]
    label = aigc.read(path)
    meaning = aigc.MEANINGS.get(label.label, "unknown") if label is not None else ""
    suspected = [f"AIGC label after GB 45438: {meaning} {_CLAIM}"] if label is not None else []
    if label is not None and label.label == "1":  # 2 and 3 are somebody's suspicion, no declaration
        declared, suspected = declared + suspected, []
    found = {(words, role) for pattern, words, role in _SOFTWARE if re.search(pattern, data)}
    declared += sorted(f"{words} {_CLAIM}" for words, role in found if role == "generator")
    captured = [f"IPTC digitalSourceType {name} {_CLAIM}" for name in sorted(types & CAPTURE_TYPES)]
    roles = {role for _, role in found}
    numbers = dict.fromkeys(NAMES, 0.0) | {
        "exif": float(b"Exif\0\0" in data or b"eXIf" in data),
        "xmp": float(b"http://ns.adobe.com/xap/1.0/" in data or b"<x:xmpmeta" in data),
        "icc": float(b"ICC_PROFILE" in data or b"iCCP" in data or b"colrprof" in data),
        "camera_named": float(bool(_CAMERA.search(data))),
        "tool_named": float("tool" in roles),
        "editor_named": float("editor" in roles),
    }
    structure, oddities = _structure(data, mime)
    return Metadata(
        tuple(declared),
        tuple(captured),
        tuple(sorted(words for words, role in found if role != "generator")),
        tuple(suspected + oddities),
        numbers | structure,
    )


def codec_of(path: Path, mime: str) -> str:
    """What the sound or picture is coded with, as a word to compare: "video/mp4 avc1 mp4a"."""
    if mime not in ("video/mp4", "audio/mp4"):
        return mime
    data = _ends(path)
    return " ".join([mime, *(code.decode() for code in _SAMPLE_ENTRIES if b"stsd" in data and code in data)])


def _ends(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as handle:
        head = handle.read(SCAN_BYTES)
        if size <= SCAN_BYTES:
            return head
        handle.seek(max(SCAN_BYTES, size - SCAN_BYTES))
        return head + handle.read(SCAN_BYTES)


def _structure(data: bytes, mime: str) -> tuple[dict[str, float], list[str]]:
    if mime == "image/jpeg":
        return _jpeg(data)
    if mime == "image/png":
        return _png(data)
    if mime in ("video/mp4", "audio/mp4"):
        return _mp4(data)
    return {}, []


def _jpeg(data: bytes) -> tuple[dict[str, float], list[str]]:
    at, parts, quantiser = 2, 0, 0
    while at + 4 <= len(data) and data[at] == 0xFF and parts < _MAX_PARTS:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        parts += 1
        if marker == 0xDB:
            quantiser += sum(data[at + 5 : at + 2 + size])
        if marker == 0xDA or size < 2:
            break
        at += 2 + size
    return {"parts": float(parts), "quantiser_sum": float(np.log1p(quantiser))}, []


def _png(data: bytes) -> tuple[dict[str, float], list[str]]:
    at, names = 8, list[bytes]()
    while at + 12 <= len(data) and len(names) < _MAX_PARTS:
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        names.append(name)
        if name == b"IEND":
            break
        at += 12 + size
    odd = ["bytes after the end of the picture"] if b"IEND" in names and at + 12 < len(data) else []
    text = sum(name in (b"tEXt", b"iTXt", b"zTXt") for name in names)
    return {"parts": float(min(len(names), 20)), "text_chunks": float(text)}, odd


def _mp4(data: bytes) -> tuple[dict[str, float], list[str]]:
    at, names = 0, list[bytes]()
    while at + 8 <= len(data) and len(names) < _MAX_PARTS:
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1 and at + 16 <= len(data):
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        names.append(name)
        if size < 8:
            break
        at += size
    header = data.find(b"mvhd")
    unset = header >= 0 and not any(data[header + 8 : header + 12])
    first = b"moov" in names and (b"mdat" not in names or names.index(b"moov") < names.index(b"mdat"))
    odd = ["the container's creation time is not set"] if unset else []
    return {
        "parts": float(min(len(names), 20)),
        "index_first": float(first),
        "time_unset": float(unset),
    }, odd


def _compute(sample: Sample) -> NDArray[np.float64]:
    numbers = read(sample.path, sample.mime).numbers
    media = sample.media
    pixels = max(media.width * media.height, 1) * (max(media.duration, 0.04) if sample.kind == "video" else 1)
    amount = pixels if sample.kind != "audio" else max(media.duration, 0.1) * 1000
    values = numbers | {"log_bytes_per_pixel": float(np.log(sample.bytes / amount + 1e-6))}
    return np.array([values[name] for name in NAMES])


EXTRACTOR = Extractor(
    source="metadata",
    version="metadata-1",
    kinds=frozenset({"image", "video", "audio"}),
    names=NAMES,
    limits="Text and structure that anyone can write or remove; shows tools, not truth.",
    compute=_compute,
)
