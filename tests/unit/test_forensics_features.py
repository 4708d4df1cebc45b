"""Forensic cues: names and shapes, what they react to, what they refuse, and metadata from hostile bytes."""

import struct
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from byline.provenance import aigc, decode
from byline.provenance.forensics import audio_features, frequency, metadata, temporal
from byline.provenance.forensics.base import Features, NotApplicable, Sample, sample_of
from byline.provenance.forensics.detector import EXTRACTORS

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))


def media_of(frames: list[np.ndarray], samples: np.ndarray | None = None, rate: int = 16_000) -> Any:
    height, width = frames[0].shape[:2] if frames else (0, 0)
    seconds = len(frames) / 8 if frames else (len(samples) / rate if samples is not None else 0)
    return decode.DecodedMedia(frames, 8.0, samples, rate, width, height, seconds)


def sample(tmp_path: Path, frames: list[np.ndarray], samples: np.ndarray | None = None) -> Sample:
    file = tmp_path / "sample.bin"
    file.write_bytes(bytes(1000))
    kind: Any = "audio" if not frames else "image" if len(frames) == 1 else "video"
    return Sample(file, kind, "image/png" if kind == "image" else "video/mp4", media_of(frames, samples))


def named(features: Features) -> dict[str, float]:
    return dict(zip(features.names, features.values, strict=True))


def noise_picture(seed: int, side: int = 256) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(128, 20, (side, side, 3)), 0, 255).astype(np.uint8)


def test_every_extractor_names_its_numbers_once_and_has_a_version():
    assert {e.source for e in EXTRACTORS} == {"temporal", "frequency", "metadata", "audio"}
    for extractor in EXTRACTORS:
        assert len(set(extractor.names)) == len(extractor.names) > 5
        assert extractor.version.startswith(extractor.source)
        assert extractor.limits
        # Error level analysis was at chance level on labelled pictures: it is not offered.
        assert not any(name.startswith(("ela", "error_level")) for name in extractor.names)


def test_a_picture_enlarged_by_two_stands_out_at_half_the_sampling_frequency(tmp_path: Path):
    plain = named(frequency.EXTRACTOR.extract(sample(tmp_path, [noise_picture(1)])))
    small = noise_picture(2, 128)
    doubled = small.repeat(2, 0).repeat(2, 1)
    raised = named(frequency.EXTRACTOR.extract(sample(tmp_path, [doubled])))
    assert raised["radial_20"] < plain["radial_20"] - 0.5  # repetition starves the highest band
    grid = noise_picture(3).astype(int)
    grid[::4, ::4] += 30  # what a transposed convolution with stride 4 may leave
    peaks = named(frequency.EXTRACTOR.extract(sample(tmp_path, [np.clip(grid, 0, 255).astype(np.uint8)])))
    assert peaks["peak_0.25_0.25"] > plain["peak_0.25_0.25"] + 2


def test_shrunk_or_small_pictures_are_not_measured(tmp_path: Path):
    shrunk = sample(tmp_path, [noise_picture(1)])
    shrunk = Sample(
        shrunk.path,
        "image",
        "image/png",
        decode.DecodedMedia(shrunk.media.frames, 8.0, None, 0, 4000, 3000, 0.0),
    )
    with pytest.raises(NotApplicable, match="shrunk"):
        frequency.EXTRACTOR.extract(shrunk)
    with pytest.raises(NotApplicable, match="smaller"):
        frequency.EXTRACTOR.extract(sample(tmp_path, [noise_picture(1, 64)]))


def test_flicker_motion_and_frozen_noise_show_in_their_own_numbers(tmp_path: Path):
    base = kit.pictures(4, count=12, size=(320, 192))
    steady = named(temporal.EXTRACTOR.extract(sample(tmp_path, base)))
    flicker = [
        np.clip(f.astype(int) + (12 if i % 2 else -12), 0, 255).astype(np.uint8) for i, f in enumerate(base)
    ]
    flickering = named(temporal.EXTRACTOR.extract(sample(tmp_path, flicker)))
    assert flickering["luma_flicker"] > 10 * steady["luma_flicker"] + 5
    rng = np.random.default_rng(0)
    still = base[0].astype(float)
    fresh = [np.clip(still + rng.normal(0, 12, still.shape), 0, 255).astype(np.uint8) for _ in range(12)]
    frozen_noise = rng.normal(0, 12, still.shape)
    frozen = [
        np.clip(np.roll(still, i, 1) * 0 + still + frozen_noise, 0, 255).astype(np.uint8) for i in range(12)
    ]
    new = named(temporal.EXTRACTOR.extract(sample(tmp_path, fresh)))
    old = named(temporal.EXTRACTOR.extract(sample(tmp_path, frozen)))
    assert old["noise_correlation_mean"] > new["noise_correlation_mean"] + 0.3
    assert old["difference_mean"] < new["difference_mean"]


def test_a_few_frames_are_too_few(tmp_path: Path):
    with pytest.raises(NotApplicable, match="frames"):
        temporal.EXTRACTOR.extract(sample(tmp_path, kit.pictures(1, count=3)))
    with pytest.raises(NotApplicable):
        temporal.EXTRACTOR.extract(sample(tmp_path, [np.full((192, 256, 3), 90, np.uint8)] * 12))


def test_sound_features_tell_a_low_voice_from_hiss(tmp_path: Path):
    voice = kit.speech_like(2.0)[::3].copy()  # 16 kHz
    hiss = np.random.default_rng(0).normal(0, 0.1, voice.size).astype(np.float32)
    low = named(audio_features.EXTRACTOR.extract(sample(tmp_path, [], voice)))
    high = named(audio_features.EXTRACTOR.extract(sample(tmp_path, [], hiss)))
    assert low["long_term_00"] - low["long_term_23"] > high["long_term_00"] - high["long_term_23"] + 2
    assert low["mfcc_mean_01"] != high["mfcc_mean_01"]
    assert abs(sum(v for k, v in low.items() if k.startswith("chroma")) - 1) < 1e-6
    assert abs(sum(v for k, v in low.items() if k.startswith("modulation")) - 1) < 1e-6


@pytest.mark.parametrize("samples", [np.zeros(32_000, np.float32), np.ones(100, np.float32), None])
def test_silence_and_snippets_are_not_measured(tmp_path: Path, samples: np.ndarray | None):
    with pytest.raises(NotApplicable):
        audio_features.EXTRACTOR.extract(sample(tmp_path, [], samples))


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_other_sampling_rates_are_brought_to_one(rate: int):
    t = np.arange(2 * rate) / rate
    sound = audio_features.mono16k(np.sin(2 * np.pi * 440 * t).astype(np.float32), rate)
    assert abs(len(sound) - 32_000) <= 2
    power = audio_features.power_frames(sound).mean(0)
    assert abs(int(power.argmax()) * 16_000 / audio_features.WINDOW - 440) < 32


def test_the_kind_comes_from_the_streams(tmp_path: Path):
    picture = kit.write_image(tmp_path / "picture.mp4.png")
    assert sample_of(picture, decode.decode(picture)).kind == "image"
    clip = kit.write_mp4(tmp_path / "clip.jpg", kit.pictures(1))
    assert sample_of(clip, decode.decode(clip)).kind == "video"
    tone = kit.write_wav(tmp_path / "tone.mp4")
    assert sample_of(tone, decode.decode(tone)).kind == "audio"


# ---------------------------------------------------------------- metadata


def written(tmp_path: Path, body: bytes, mime: str = "image/png") -> metadata.Metadata:
    file = tmp_path / "file"
    file.write_bytes(body)
    return metadata.read(file, mime)


def test_declarations_are_found_and_called_unverified(tmp_path: Path):
    xmp = b"<x:xmpmeta>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia</x:xmpmeta>"
    picture = tmp_path / "sd.png"
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler, CFG scale: 7")
    Image.fromarray(noise_picture(0, 64)).save(picture, pnginfo=info)
    for body in (xmp, picture.read_bytes()):
        (declared,) = written(tmp_path, body).declared
        assert "unverified" in declared


@pytest.mark.parametrize(("label", "counts"), [("1", True), ("2", False), ("3", False)])
def test_only_the_chinese_label_of_the_maker_is_a_declaration(tmp_path: Path, label: str, counts: bool):
    plain, labelled = kit.write_image(tmp_path / "plain.png"), tmp_path / "labelled.png"
    aigc.write(plain, labelled, {}, aigc.AigcLabel(label, "a newsroom", "7"))
    found = metadata.read(labelled, "image/png")
    assert bool(found.declared) == counts
    assert any("AIGC" in text for text in found.declared + found.oddities)


@pytest.mark.parametrize(
    "body",
    [
        b"http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
        b'{"Label": "1"}',
        b"a caption about Midjourney and DALL-E",
    ],
)
def test_what_is_no_declaration_is_not_one(tmp_path: Path, body: bytes):
    assert written(tmp_path, body).declared == ()


def test_encoders_cameras_and_structure_are_read(tmp_path: Path):
    clip = kit.write_mp4(tmp_path / "clip.mp4", kit.pictures(1))
    found = metadata.read(clip, "video/mp4")
    assert "x264 encoder" in found.software
    assert found.numbers["index_first"] == 1
    assert metadata.codec_of(clip, "video/mp4") == "video/mp4 avc1"
    photo = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    Image.fromarray(noise_picture(0, 64)).save(photo, exif=exif, quality=70)
    coarse = metadata.read(photo, "image/jpeg").numbers
    assert (coarse["exif"], coarse["camera_named"]) == (1, 1)
    Image.fromarray(noise_picture(0, 64)).save(photo, quality=98)
    assert metadata.read(photo, "image/jpeg").numbers["quantiser_sum"] < coarse["quantiser_sum"]


def test_bytes_behind_a_picture_are_an_oddity(tmp_path: Path):
    picture = kit.write_image(tmp_path / "p.png")
    assert metadata.read(picture, "image/png").oddities == ()
    picture.write_bytes(picture.read_bytes() + b"PK\3\4 something else")
    assert metadata.read(picture, "image/png").oddities


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["image/jpeg", "image/png", "video/mp4", "audio/wav"]),
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x10ftypisom", b"AIGC {"]),
    st.binary(max_size=400),
)
def test_no_bytes_break_the_scan(
    tmp_path_factory: pytest.TempPathFactory, mime: str, head: bytes, rest: bytes
):
    file = tmp_path_factory.getbasetemp() / "hostile"
    file.write_bytes(head + rest)
    found = metadata.read(file, mime)
    assert set(found.numbers) == set(metadata.NAMES)
    assert all(np.isfinite(value) for value in found.numbers.values())


def test_a_box_that_claims_no_length_ends_the_walk(tmp_path: Path):
    body = struct.pack(">I4s", 0, b"mdat") + b"\0" * 64
    assert written(tmp_path, body, "video/mp4").numbers["parts"] == 1
