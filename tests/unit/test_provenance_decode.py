"""Bounded decoding: the same pictures in and out of the jail, and bounds that hold."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from byline.provenance import decode, formats, jail
from byline.provenance.decode import Unreadable

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))


def test_frames_come_at_an_even_rate_with_their_sound(tmp_path: Path) -> None:
    frames = kit.pictures(1, count=36)
    path = kit.write_mp4(tmp_path / "a.mp4", frames, fps=24, samples=kit.speech_like(1.5))
    media = decode.decode(path)
    assert (media.width, media.height, media.fps) == (256, 144, 8.0)
    assert media.duration == pytest.approx(1.5, abs=0.1)
    assert len(media.frames) == 12
    assert all(frame.shape == (144, 256, 3) and frame.dtype == np.uint8 for frame in media.frames)
    for number, frame in enumerate(media.frames):  # frame i is the picture at i / fps seconds
        assert np.abs(frame.astype(int) - frames[number * 3]).mean() < 12
    assert media.samples is not None
    assert (media.rate, media.samples.dtype) == (48_000, np.float32)
    assert media.samples.size == pytest.approx(72_000, abs=3000)


def test_the_jail_gives_what_the_open_decoder_gives(tmp_path: Path) -> None:
    path = kit.write_mp4(tmp_path / "a.mp4", kit.pictures(1), samples=kit.speech_like(1.0))
    inside, outside = decode.decode_untrusted(path), decode.decode(path)
    assert len(inside.frames) == len(outside.frames)
    assert all(np.array_equal(a, b) for a, b in zip(inside.frames, outside.frames, strict=True))
    assert np.array_equal(inside.samples, outside.samples)
    assert (inside.fps, inside.rate, inside.duration) == (outside.fps, outside.rate, outside.duration)


def test_long_files_are_sampled_more_thinly_not_cut(tmp_path: Path) -> None:
    frames = kit.pictures(1, count=8, size=(64, 48))
    path = kit.write_mp4(tmp_path / "a.mp4", frames * 15, fps=8)
    media = decode.decode(path, max_frames=20)
    assert len(media.frames) <= 20
    assert media.fps == 1.0
    assert len(media.frames) / media.fps == pytest.approx(15, abs=1)


def test_large_pictures_are_shrunk_and_larger_ones_refused(tmp_path: Path) -> None:
    path = kit.write_image(tmp_path / "a.png")
    from PIL import Image

    Image.new("RGB", (2600, 1300), "red").save(path)
    assert decode.decode(path).frames[0].shape == (640, 1280, 3)
    with pytest.raises(Unreadable, match="larger"):
        decode.decode(path, max_pixels=1000)
    with pytest.raises(Unreadable, match="larger"):
        decode.decode(path, max_bytes=100)


def test_a_cut_file_gives_what_came_before_the_cut(tmp_path: Path) -> None:
    path = kit.write_mp4(tmp_path / "a.mp4", kit.pictures(1))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 95 // 100])  # the first picture alone is most of it
    assert 0 < len(decode.decode(path).frames) < 16


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no media at all",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",  # a playlist makes FFmpeg open other files
        b"ffconcat version 1.0\nfile /etc/passwd\n",
    ],
)
def test_garbage_and_scripts_are_unreadable_in_both(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    for function in (decode.decode, decode.decode_untrusted):
        with pytest.raises(Unreadable):
            function(tmp_path / "a.mp4")


def test_the_jail_ends_a_child_at_its_cpu_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kit.write_mp4(tmp_path / "a.mp4", kit.pictures(1, count=4))
    real = resource.setrlimit
    monkeypatch.setattr(jail, "MEMORY", 64 << 20)  # less than the libraries need
    with pytest.raises(Unreadable, match="limit"):
        decode.decode_untrusted(path)
    assert resource.setrlimit is real
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 64 << 20, "the limits are the child's alone"


def test_the_child_gets_no_secret_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}
    real = jail.subprocess.Popen

    def spy(*arguments: object, **options: object) -> object:
        seen.update(options["env"])  # type: ignore[call-overload]
        return real(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    monkeypatch.setattr(jail.subprocess, "Popen", spy)
    decode.decode_untrusted(kit.write_image(tmp_path / "a.png"))
    assert "DATABASE_URL" not in seen


@pytest.mark.parametrize(
    "header",
    [
        {},
        {
            "shapes": [[99999, 99999, 3]],
            "samples": 0,
            "fps": 8,
            "rate": 0,
            "width": 1,
            "height": 1,
            "duration": 1,
        },
        {
            "shapes": [[2, 2, 3]] * 999,
            "samples": 0,
            "fps": 8,
            "rate": 0,
            "width": 1,
            "height": 1,
            "duration": 1,
        },
        {"shapes": [], "samples": 10**12, "fps": 8, "rate": 0, "width": 1, "height": 1, "duration": 1},
        {"shapes": [[2, 2, 3]], "samples": 0, "fps": 8, "rate": 0, "width": 1, "height": 1, "duration": 1},
    ],
)
def test_what_a_captured_child_says_is_not_believed(tmp_path: Path, header: dict) -> None:
    (tmp_path / "pipe").write_bytes(json.dumps(header).encode() + b"\n")
    with (tmp_path / "pipe").open("rb") as pipe, pytest.raises(Unreadable):
        decode._receive(pipe)


def test_formats_go_by_content_not_by_name(tmp_path: Path) -> None:
    path = kit.write_wav(tmp_path / "picture.png")
    found = formats.sniff(path)
    assert found is not None
    assert found.mime == "audio/wav"
    assert decode.decode(path).samples is not None
    assert formats.sniff_bytes(b"\x1aE\xdf\xa3").manifests is False  # type: ignore[union-attr]
    assert formats.sniff_bytes(b"#EXTM3U") is None


def test_a_webm_copy_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.webm"
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=8)
        stream.width, stream.height, stream.pix_fmt = 256, 144, "yuv420p"
        for frame in kit.pictures(1, count=8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    assert len(decode.decode(path).frames) == 8


def test_a_stream_of_an_unknown_codec_is_unreadable_not_an_error(tmp_path: Path) -> None:
    """Found by fuzzing: such a stream has neither codec nor size."""
    good = kit.write_mp4(tmp_path / "good.mp4", kit.pictures(1, count=4, size=(64, 48))).read_bytes()
    at = good.index(b"stsd") + 16  # the first sample entry's name
    assert good[at : at + 4] == b"avc1"
    (tmp_path / "bad.mp4").write_bytes(good[:at] + b"zzzz" + good[at + 4 :])
    with pytest.raises(Unreadable):
        decode.decode(tmp_path / "bad.mp4")
