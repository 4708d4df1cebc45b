"""Composition: exact length, a label on every frame, motion instead of jumps, brands as valid data."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from byline.audit.base.errors import ConfigurationError
from byline.generation import brands, compose, contact_sheet, encode
from byline.generation.captions import Cue
from byline.generation.compose import lettering, overlays
from byline.generation.compose.interpolation import Shot, enlarge

SMALL = (320, 180)


@pytest.fixture
def brand() -> brands.Brand:
    return brands.load("demo-news")


def _shot(count: int = 17, background: int = 60, speed: int = 4) -> np.ndarray:
    """A disc that moves to the right over a plain background."""
    frames = np.full((count, 64, 112, 3), background, np.uint8)
    for index, frame in enumerate(frames):
        cv2.circle(frame, (16 + speed * index, 32), 10, (230, 60, 40), -1, cv2.LINE_AA)
    return frames


def _compose(shots: list[np.ndarray], brand: brands.Brand, **options: Any) -> list[np.ndarray]:
    given: dict[str, Any] = {"title": "A title", "captions": [], "seconds": 2.0, "size": SMALL} | options
    return list(compose.compose(shots, 6, brand=brand, **given))


@pytest.mark.parametrize(("seconds", "fps", "count"), [(2.0, 24, 48), (0.73, 24, 18), (3.31, 30, 99)])
def test_length_is_exact(brand: brands.Brand, seconds: float, fps: int, count: int) -> None:
    frames = _compose([_shot(), _shot(9)], brand, seconds=seconds, fps=fps)
    assert len(frames) == count == compose.frame_count(seconds, fps)
    assert all(frame.shape == (180, 320, 3) and frame.dtype == np.uint8 for frame in frames)
    assert len({id(frame) for frame in frames}) == count, "a frame handed out is not written to again"


@pytest.mark.parametrize("background", [0, 128, 255])
def test_the_label_is_on_every_frame_readable_and_large_enough(brand: brands.Brand, background: int) -> None:
    frames = _compose([_shot(background=background)], brand, seconds=5.0)
    layer = overlays.label(compose.LABEL, brand, SMALL)
    height, width = layer.colour.shape[:2]
    assert height >= 0.05 * min(SMALL)
    assert layer.x + width <= SMALL[0]
    assert layer.x > SMALL[0] / 2
    assert layer.y < SMALL[1] / 10
    for frame in (frames[0], frames[20], frames[60], frames[-1]):
        box = frame[layer.y + 3 : layer.y + height - 3, layer.x + 3 : layer.x + width - 3].mean(axis=2)
        assert np.percentile(box, 99.5) - np.percentile(box, 20) > 150, "white letters on a dark box"


def test_label_text_is_five_per_cent_of_the_short_side(
    brand: brands.Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    face = overlays._face
    monkeypatch.setattr(overlays, "_face", lambda path, size: sizes.append(size) or face(path, size))
    for size in ((1280, 720), (720, 1280), (333, 101)):
        sizes.clear()
        overlays.label("AI-generated", brand, size)
        assert min(sizes) >= 0.05 * min(size)


def test_a_moving_thing_moves_between_key_frames_and_is_not_doubled() -> None:
    shot = Shot(_shot(speed=6), (640, 360))
    centres, areas = [], []
    for position in np.linspace(4, 6, 9):
        red = shot.at(float(position))[..., 0] > 150
        xs = np.flatnonzero(red.any(axis=0))
        centres.append(xs.mean())
        areas.append(red.sum())
    steps = np.diff(centres)
    assert (steps > 4).all(), "it moves at every step"
    assert steps.max() < 14, "and never jumps: 6 small pixels are 34 here, in four steps"
    assert max(areas) < 1.25 * min(areas), "a plain blend would show two half-bright discs"


def test_a_still_background_stays_still() -> None:
    frames = _shot()
    frames[:, ::8, :, 1] = 200
    shot = Shot(frames, (640, 360))
    here, between = shot.at(3.0), shot.at(3.5)
    far = np.s_[:, 500:]
    assert np.abs(here[far].astype(int) - between[far]).max() <= 8


def test_enlarging_is_crisp_and_does_not_ring() -> None:
    frame = np.full((64, 112, 3), 40, np.uint8)
    frame[:, 56:] = 210
    big = enlarge(frame, (640, 360))[180, :, 0].astype(int)
    assert big.min() >= 39
    assert big.max() <= 211
    edge = np.flatnonzero((big > 57) & (big < 193))
    bicubic = cv2.resize(frame, (640, 360), interpolation=cv2.INTER_CUBIC)[180, :, 0].astype(int)
    assert len(edge) < len(np.flatnonzero((bicubic > 57) & (bicubic < 193)))


def test_a_shot_of_one_frame_and_of_another_shape(brand: brands.Brand) -> None:
    wide = np.full((1, 40, 200, 3), 90, np.uint8)
    large = np.full((3, 480, 832, 3), 30, np.uint8)
    assert len(_compose([wide, large], brand, seconds=1.0)) == 24


def test_captions_are_burned_only_when_the_brand_says_so(brand: brands.Brand) -> None:
    quiet = brands.parse("quiet", _kit(captions={"burn": False}), base=Path(), where="quiet")
    cue = [Cue(0.5, 1.5, "Two lines\nof text")]
    with_text = _compose([_shot(1)], brand, captions=cue, title="")
    assert not np.array_equal(with_text[24], with_text[6])
    without = _compose([_shot(1)], quiet, captions=cue, title="")
    assert np.array_equal(without[24], without[6])


@pytest.mark.parametrize("size", [(720, 1280), (640, 640), (96, 64), (1920, 1080)])
def test_everything_fits_any_format(size: tuple[int, int]) -> None:
    kit = _kit(wordmark="W" * 24, end_card={"text": "end " * 25, "seconds": 0.4})
    wide = brands.parse("wide", kit, base=Path(), where="wide")
    cue = Cue(0.0, 2.0, "M" * 42 + "\n" + "M" * 42)
    frames = _compose([_shot(2)], wide, title="Wordy " * 9, captions=[cue], size=size, seconds=2, fps=4)
    assert {frame.shape for frame in frames} == {(size[1], size[0], 3)}
    notice = overlays.label(compose.LABEL, wide, size)
    bug = overlays.bug(wide, size, room=notice.x - 2 * (size[0] - notice.x - notice.colour.shape[1]))
    assert bug is not None or size == (96, 64)
    assert bug is None or bug.x + bug.colour.shape[1] < notice.x, "the brand never reaches the label"


def test_the_title_comes_and_goes_and_the_end_card_closes(brand: brands.Brand) -> None:
    frames = _compose([_shot(1)], brand, seconds=8.0)
    assert not np.array_equal(frames[48], frames[0])
    assert np.array_equal(frames[110], frames[0])
    assert (frames[-1][100, 10] == brand.primary).all()


def test_text_that_no_font_has_is_refused_before_the_first_frame(
    brand: brands.Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lettering, "_first", lambda *_: None)  # a machine without further fonts
    lettering.pieces.cache_clear()
    with pytest.raises(lettering.UndrawableText, match=r"U\+4F60") as refused:
        compose.compose([_shot()], 6, brand=brand, title="你好", captions=[], seconds=2)
    assert "fonts-noto-cjk" in refused.value.help
    frames = _compose([_shot(1)], brand, title="", captions=[Cue(0.5, 1.5, "你好")])
    assert np.array_equal(frames[24], frames[6]), "a caption it lacks stays in the track only"
    assert lettering.drawable("Größe, Ελλάδα, Київ — 5 €", brand.regular_font)
    lettering.pieces.cache_clear()


def test_long_titles_are_even_and_cut_with_an_ellipsis(brand: brands.Brand) -> None:
    face = overlays._face(brand.bold_font, 40)
    two = overlays._wrapped("Harbour reopens after a winter of repairs", face, 760, 2)
    assert two == ["Harbour reopens after", "a winter of repairs"]
    cut = overlays._wrapped("word " * 80, face, 760, 2)
    assert len(cut) == 2
    assert cut[1].endswith("…")
    assert all(face.getlength(line) <= 760 for line in overlays._wrapped("x" * 300, face, 760, 2))


@pytest.mark.parametrize(
    ("shots", "seconds"),
    [
        ([], 2),
        ([np.zeros((2, 8, 8, 3), np.float32)], 2),
        ([np.zeros((8, 8, 3), np.uint8)], 2),
        ([_shot()], 0.1),
    ],
)
def test_what_cannot_be_composed(brand: brands.Brand, shots: list[np.ndarray], seconds: float) -> None:
    with pytest.raises(compose.NothingToCompose):
        compose.compose(shots, 6, brand=brand, title="", captions=[], seconds=seconds)


def test_an_empty_label_is_refused(brand: brands.Brand) -> None:
    with pytest.raises(compose.NothingToCompose):
        compose.compose([_shot()], 6, brand=brand, title="", captions=[], seconds=2, label=" ")


def _kit(**changes: Any) -> dict[str, Any]:
    return {
        "wordmark": "W",
        "colours": {"primary": "#000000", "accent": "#ffff00", "text": "#ffffff"},
    } | changes


@pytest.mark.parametrize("name", ["byline", "demo-news"])
def test_shipped_kits_are_valid(name: str) -> None:
    assert brands.load(name).name == name
    assert name in brands.names()


def test_a_configured_kit_wins_and_a_file_is_read(settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "kit.yaml"
    file.write_text('wordmark: F\ncolours: {primary: "#000000", accent: "#ffff00", text: "#ffffff"}\n')
    settings.BYLINE = {"BRANDS": {"byline": _kit(wordmark="Ours"), "file": str(file)}}
    assert brands.load("byline").wordmark == "Ours"
    assert brands.load("file").wordmark == "F"
    with pytest.raises(brands.UnknownBrand):
        brands.load("../../etc/passwd")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"jingle": "x"}, "unknown \\['jingle'\\]"),
        ({"logo": "x"}, "no file"),
        ({"label": {"text": ""}}, "unknown \\['label'\\]"),
        ({"colours": {"primary": "red", "accent": "#ffff00", "text": "#ffffff"}}, "colours.primary"),
        ({"colours": {"primary": "#eeeeee", "accent": "#ff0000", "text": "#ffffff"}}, "contrast"),
        ({"title": {"seconds": True}}, "seconds"),
        ({"title": {"style": "crawl"}}, "style"),
        ({"captions": {"burn": "yes"}}, "burn"),
        ({"end_card": {"text": "x" * 121}}, "text"),
        ({"fonts": {"bold": "none.ttf"}}, "fonts.bold"),
        ({"wordmark": 5}, "wordmark"),
    ],
)
def test_a_wrong_kit_names_the_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        brands.parse("x", _kit(**change), base=Path(), where="x")


def test_contact_sheet_shows_first_and_last_with_times(brand: brands.Brand, tmp_path: Path) -> None:
    clip, sheet = tmp_path / "clip.mp4", tmp_path / "sheet.png"
    encode.write_clip(clip, _compose([_shot()], brand), 24, None, 0)
    assert contact_sheet.write(clip, sheet, columns=4, rows=2) == 8
    with Image.open(sheet) as page:
        assert page.size == (8 + 4 * 392, 8 + 2 * (216 + 30 + 8))
    (tmp_path / "text.mp4").write_bytes(b"not a film")
    with pytest.raises(contact_sheet.UnreadableClip):
        contact_sheet.write(tmp_path / "text.mp4", tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
