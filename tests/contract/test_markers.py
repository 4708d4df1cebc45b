"""What every watermarker keeps: its Protocol, its payload, its silence on unmarked media."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import neural_marks_kit  # by name: TorchScript keeps the module's
import numpy as np
import pytest

from byline.provenance.marks import algorithms
from byline.provenance.marks.audio import AudioMark
from byline.provenance.marks.base import AudioMarker, BadPayload, VideoMarker
from byline.provenance.marks.neural.audioseal import AudioSeal
from byline.provenance.marks.neural.trustmark import TrustMark
from byline.provenance.marks.neural.videoseal import VideoSeal
from byline.provenance.marks.video import VideoMark

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
Config = Callable[[Path], dict[str, Any]]


def plain(folder: Path) -> dict[str, Any]:
    """Our own marks need no weights."""
    return {}


# (class, its CONFIG, whether it has a key)
VIDEO: list[tuple[Any, Config, bool]] = [
    (VideoMark, plain, True),
    (VideoSeal, neural_marks_kit.videoseal, True),
    (TrustMark, neural_marks_kit.trustmark, False),
]
AUDIO: list[tuple[Any, Config, bool]] = [
    (AudioMark, plain, True),
    (AudioSeal, neural_marks_kit.audioseal, True),
]


def frames(count: int = 24) -> list[np.ndarray]:
    """Soft moving gradients, 360 lines: (360, 640, 3) uint8."""
    y, x = np.mgrid[:360, :640].astype(np.float32)
    return [
        np.stack(
            [110 + 60 * np.sin(x / 90 + t / 9 + c) * np.cos(y / 70 - t / 11) for c in range(3)], -1
        ).astype(np.uint8)
        for t in range(count)
    ]


def speech(seconds: float = 6.0, rate: int = 24000) -> np.ndarray:
    """Voiced-like sound with changing pitch and loudness, (N,) float32."""
    t = np.arange(int(seconds * rate)) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * t)
    phase = np.cumsum(2 * np.pi * pitch / rate)
    sound = sum(np.sin(k * phase) / k for k in range(1, 30)) * (0.6 + 0.4 * np.sin(2 * np.pi * 2.3 * t))
    noise = np.random.default_rng(1).normal(0, 0.05, len(t))
    return (0.15 * (sound + noise)).astype(np.float32)


@pytest.mark.parametrize(("kind", "config", "keyed"), VIDEO, ids=lambda value: getattr(value, "__name__", ""))
def test_a_picture_mark_keeps_shape_and_comes_back(kind: Any, config: Config, keyed: bool, tmp_path: Path):
    given = config(tmp_path)
    marker: VideoMarker = kind([KEY], **given)
    before = frames()
    marked = list(marker.embed(iter(before), 0xFEDCBA9876543210))
    assert [f.shape for f in marked] == [f.shape for f in before]
    assert all(f.dtype == np.uint8 for f in marked)
    found = marker.detect(marked)
    assert found is not None
    assert found.payload == 0xFEDCBA9876543210
    assert found.confidence
    assert marker.detect(before) is None
    if keyed:
        assert kind([OTHER], **given).detect(marked) is None
    with pytest.raises(BadPayload):
        list(marker.embed(iter(before), 2**marker.payload_bits))


@pytest.mark.parametrize(("kind", "config", "keyed"), AUDIO, ids=lambda value: getattr(value, "__name__", ""))
def test_a_speech_mark_keeps_length_and_comes_back(kind: Any, config: Config, keyed: bool, tmp_path: Path):
    given = config(tmp_path)
    marker: AudioMarker = kind([KEY], **given)
    before = speech()
    marked = marker.embed(before, 24000, 0xDEADBEEF)
    assert marked.shape == before.shape
    assert marked.dtype == np.float32
    found = marker.detect(marked, 24000)
    assert found is not None
    assert found.payload == 0xDEADBEEF
    assert marker.detect(before, 24000) is None
    if keyed:
        assert kind([OTHER], **given).detect(marked, 24000) is None
    with pytest.raises(BadPayload):
        marker.embed(before, 24000, 2**marker.payload_bits)


@pytest.mark.parametrize(("kind", "config", "keyed"), VIDEO + AUDIO, ids=lambda v: getattr(v, "__name__", ""))
def test_every_marker_has_a_name_for_the_manifest(kind: Any, config: Config, keyed: bool, tmp_path: Path):
    marker = kind([KEY], **config(tmp_path))
    info = algorithms.alg_of(marker)
    assert info.why
    assert algorithms.value_of(marker, 77)
    assert not hasattr(marker, "remove_watermark")
