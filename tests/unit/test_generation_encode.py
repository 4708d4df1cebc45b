"""The encode: what is in the file is what was given, and it appears whole or not at all."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from byline.generation import encode
from byline.generation.captions import Cue
from byline.generation.encode import EncodeFailed

W, H, FPS = 320, 180, 24


def _frames(count: int = 48) -> Iterator[np.ndarray]:
    for index in range(count):
        frame = np.empty((H, W, 3), np.uint8)
        frame[:] = (200, 40, 60)
        frame[:, : index * 4] = (20, 120, 200)
        yield frame


def _tone(seconds: float, rate: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    cues = [Cue(0.5, 1.0, "Grüße {\\b1} & <i>"), Cue(1.2, 1.8, "two\nlines")]
    path = tmp_path / "clip.mp4"
    encode.write_clip(path, _frames(), FPS, _tone(1.5, 22_050), 22_050, cues, "de", title="A title")
    return path


def test_streams_durations_and_colour(clip: Path) -> None:
    with av.open(str(clip)) as container:
        video, audio, text = container.streams
        assert (video.codec_context.name, video.width, video.height) == ("h264", W, H)
        assert video.frames == 48
        assert float(video.average_rate) == FPS
        assert video.codec_context.pix_fmt == "yuv420p"
        context = video.codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            1,
            1,
            1,
            1,
        )
        assert (audio.codec_context.name, audio.rate, audio.layout.nb_channels) == ("aac", 48_000, 1)
        assert float(audio.duration * audio.time_base) == pytest.approx(2.0, abs=0.03)
        assert text.codec_context.name == "mov_text"
        assert text.metadata["language"] == "deu"
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(frame[90, 300].astype(int) - (200, 40, 60)).max() <= 4, (
        "wrong matrix: BT.601 differs by more"
    )


def test_sound_keeps_its_place_and_pitch(clip: Path) -> None:
    with av.open(str(clip)) as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    spectrum = np.abs(np.fft.rfft(sound[4800:52_800]))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    assert np.abs(sound[int(1.6 * 48_000) : int(1.9 * 48_000)]).max() < 0.01, "padded with silence"


def test_caption_track_has_the_text_as_given(clip: Path) -> None:
    with av.open(str(clip)) as container:
        stream = container.streams.subtitles[0]
        packets = [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream) if p.size]
    shown = [(start, data[2:].decode()) for start, data in packets if len(data) > 2]
    assert shown == [(0.5, "Grüße {\\b1} & <i>"), (1.2, "two\nlines")]


def test_index_is_first_and_metadata_tells_no_path(clip: Path) -> None:
    data = clip.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"A title" in data
    assert str(clip.parent).encode() not in data
    assert b".part" not in data


def test_the_file_is_private_and_no_other_is_left(clip: Path) -> None:
    assert stat.S_IMODE(clip.stat().st_mode) == 0o600
    assert os.listdir(clip.parent) == ["clip.mp4"]


def test_sound_longer_than_the_picture_is_cut(tmp_path: Path) -> None:
    encode.write_clip(tmp_path / "a.mp4", _frames(24), FPS, _tone(5, 48_000), 48_000)
    with av.open(str(tmp_path / "a.mp4")) as container:
        audio = container.streams.audio[0]
        assert float(audio.duration * audio.time_base) == pytest.approx(1.0, abs=0.03)


def test_without_sound_and_captions(tmp_path: Path) -> None:
    made = encode.write_clip(tmp_path / "a.mp4", _frames(24), FPS, None, 0)
    assert (made.frames, made.seconds, made.bytes) == (24, 1.0, (tmp_path / "a.mp4").stat().st_size)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert len(container.streams) == 1


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"before")

    def broken() -> Iterator[np.ndarray]:
        yield from _frames(10)
        raise RuntimeError("the watermark failed")

    with pytest.raises(RuntimeError, match="watermark"):
        encode.write_clip(path, broken(), FPS, None, 0)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [np.zeros((H, W, 3), np.float32)],
        [np.zeros((H, W, 3), np.uint8), np.zeros((H, W + 2, 3), np.uint8)],
        [np.zeros((H, W), np.uint8)],
        [np.zeros((H + 1, W, 3), np.uint8)],
    ],
)
def test_frames_that_cannot_be_encoded(tmp_path: Path, frames: list[np.ndarray]) -> None:
    with pytest.raises(EncodeFailed):
        encode.write_clip(tmp_path / "clip.mp4", frames, FPS, None, 0)
    assert not os.listdir(tmp_path)


def test_sound_that_is_not_a_number(tmp_path: Path) -> None:
    with pytest.raises(EncodeFailed, match="not numbers"):
        encode.write_clip(tmp_path / "a.mp4", _frames(2), FPS, np.full(100, np.nan, np.float32), 48_000)
