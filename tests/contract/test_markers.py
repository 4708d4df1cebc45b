"""What every watermarker keeps: its Protocol, its payload, its silence on unmarked media."""

import numpy as np
import pytest

from byline.provenance.marks.audio import AudioMark
from byline.provenance.marks.base import AudioMarker, BadPayload, VideoMarker
from byline.provenance.marks.video import VideoMark

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
VIDEO: list[type[VideoMark]] = [VideoMark]
AUDIO: list[type[AudioMark]] = [AudioMark]


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


@pytest.mark.parametrize("kind", VIDEO)
def test_a_picture_mark_keeps_shape_and_comes_back(kind: type[VideoMark]):
    marker: VideoMarker = kind([KEY])
    before = frames()
    marked = list(marker.embed(iter(before), 0xFEDCBA9876543210))
    assert [f.shape for f in marked] == [f.shape for f in before]
    assert all(f.dtype == np.uint8 for f in marked)
    found = marker.detect(marked)
    assert found is not None
    assert found.payload == 0xFEDCBA9876543210
    assert marker.detect(before) is None
    assert kind([OTHER]).detect(marked) is None
    with pytest.raises(BadPayload):
        list(marker.embed(iter(before), 2**64))


@pytest.mark.parametrize("kind", AUDIO)
def test_a_speech_mark_keeps_length_and_comes_back(kind: type[AudioMark]):
    marker: AudioMarker = kind([KEY])
    before = speech()
    marked = marker.embed(before, 24000, 0xDEADBEEF)
    assert marked.shape == before.shape
    assert marked.dtype == np.float32
    found = marker.detect(marked, 24000)
    assert found is not None
    assert found.payload == 0xDEADBEEF
    assert marker.detect(before, 24000) is None
    assert kind([OTHER]).detect(marked, 24000) is None
    with pytest.raises(BadPayload):
        marker.embed(before, 24000, 2**32)
