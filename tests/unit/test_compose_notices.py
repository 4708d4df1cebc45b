"""Labels by regime: the drawn pixels' size, place and seconds, and who gets which."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.audit.base.errors import ConfigurationError
from byline.generation import brands, compose
from byline.generation.compose import lettering, notices, overlays
from byline.generation.compose.notices import REGIMES

SIZES = [(640, 360), (360, 640), (540, 540)]
SHOT = np.full((4, 36, 64, 3), 120, np.uint8)


@pytest.fixture
def brand() -> brands.Brand:
    return brands.load("byline")


def _frames(
    brand: brands.Brand, say: Any, size: tuple[int, int], seconds: float, fps: int
) -> list[np.ndarray]:
    return list(
        compose.compose(
            [SHOT], 4, brand=brand, title="", captions=[], seconds=seconds, size=size, fps=fps, say=say
        )
    )


def _seen(with_it: list[np.ndarray], without: list[np.ndarray]) -> list[bool]:
    return [not np.array_equal(one, other) for one, other in zip(with_it, without, strict=True)]


def test_the_eu_icon_is_at_the_start_and_at_intervals(brand: brands.Brand) -> None:
    rule, fps = REGIMES["eu"], 2
    seconds = rule.every + rule.seconds + 2
    say = notices.wanted("byline", advertisement=False)
    assert [notice.regime for notice in say] == ["eu"]
    with_it, without = (_frames(brand, given, (160, 90), seconds, fps) for given in (say, ()))
    shown = [number / fps for number, there in enumerate(_seen(with_it, without)) if there]
    times = [number / fps for number in range(len(with_it))]
    assert shown == [t for t in times if t < rule.seconds or 0 <= t - rule.every < rule.seconds]


@pytest.mark.parametrize("size", SIZES)
def test_the_eu_icon_stands_top_right_and_hides_nothing(brand: brands.Brand, size: tuple[int, int]) -> None:
    say = notices.wanted("byline", advertisement=False)
    with_it, without = (_frames(brand, given, size, 0.5, 4) for given in (say, ()))
    rows, columns = np.nonzero((with_it[0] != without[0]).any(axis=2))
    assert columns.min() > size[0] / 2, "right"
    assert columns.max() < size[0] * 0.96, "inside the safe margin"
    assert rows.max() < size[1] / 3, "top"
    label = overlays.label(compose.LABEL, brand, size)
    assert rows.min() >= label.y + label.colour.shape[0], "under the label"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["eu", "us-ad"])
def test_letters_are_as_tall_as_the_rule_says(brand: brands.Brand, name: str, size: tuple[int, int]) -> None:
    below = overlays.label(compose.LABEL, brand, size)
    (drawn, *_) = notices.layers([REGIMES[name]], brand, size, seconds=4, below=below)
    white = (drawn.colour > 110).all(axis=2)
    if REGIMES[name].icon:  # the letters to the right of the light frame of the icon
        full = np.flatnonzero(white.mean(axis=0) > 0.6)
        white = white[:, full.max() + 3 :]
    inner = white[3:-3, 3:-3]
    rows = np.flatnonzero(inner.any(axis=1))
    assert rows[-1] - rows[0] + 1 >= REGIMES[name].size * min(size) - 1


def _chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters of the shipped font play the Chinese ones, so that the test needs no font of the machine."""
    monkeypatch.setitem(notices.REGIMES, "cn", notices.replace(REGIMES["cn"], text="AIGC"))


@pytest.mark.parametrize("size", SIZES)
def test_the_chinese_label_is_five_per_cent_of_the_short_side_for_the_whole_clip(
    brand: brands.Brand, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _chinese(monkeypatch)
    rule = notices.REGIMES["cn"]
    with_it, without = (_frames(brand, given, size, 2.0, 3) for given in ((rule,), ()))
    seen = _seen(with_it, without)
    assert sum(seen) / 3 >= 2.0, "two seconds at the least, from the first frame"
    assert all(seen)
    white = (with_it[0].min(axis=2) > 150) & (with_it[0] != without[0]).any(axis=2)
    rows = np.flatnonzero(white[:, : round(size[0] * 0.945)].sum(axis=1) > 1)
    letters = max(np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1), key=len)
    assert len(letters) >= 0.05 * min(size)


def test_the_chinese_label_without_a_font_says_what_to_install(
    brand: brands.Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lettering, "_first", lambda *_: None)
    lettering.pieces.cache_clear()
    with pytest.raises(lettering.UndrawableText) as refused:
        _frames(brand, [REGIMES["cn"]], (320, 180), 1.0, 4)
    assert "fonts-noto-cjk" in refused.value.help
    lettering.pieces.cache_clear()


def test_who_gets_which(settings: Any) -> None:
    assert [n.regime for n in notices.wanted("byline", advertisement=True)] == ["eu", "us-ad"]
    (eu,) = notices.wanted("byline", advertisement=False, modified=True)
    assert eu.text == notices.MODIFIED
    settings.BYLINE = {
        **settings.BYLINE,
        "LABELS": {"REGIMES": [], "BRANDS": {"demo-news": {"REGIMES": ["eu"], "SOUND": "morse"}}},
        "MANIFEST": {"BRANDS": {"china-desk": {"PROFILE": "CN", "PRODUCER": "Example"}}},
    }
    assert notices.wanted("byline", advertisement=False) == ()
    assert [n.regime for n in notices.wanted("demo-news", advertisement=False)] == ["eu"]
    assert notices.chosen("demo-news").sound == "morse"
    assert [n.regime for n in notices.wanted("china-desk", advertisement=False)] == ["cn"]
    assert [n.regime for n in notices.wanted("byline", advertisement=True)] == ["us-ad"], "ads, everywhere"
    for wrong in ({"REGIMES": ["mars"]}, {"SOUND": "bell"}, {"COLOUR": 1}, []):
        settings.BYLINE = {**settings.BYLINE, "LABELS": wrong}
        with pytest.raises(ConfigurationError, match="LABELS"):
            notices.wanted("byline", advertisement=False)


@given(st.floats(0.5, 600))
def test_intervals_cover_the_start_and_leave_no_long_gap(seconds: float) -> None:
    rule = REGIMES["eu"]
    found = notices.times(rule, seconds)
    assert found[0][0] == 0.0
    assert all(b > a for a, b in found)
    starts = [a for a, _ in found]
    assert all(y - x <= rule.every for x, y in itertools.pairwise(starts))
    assert seconds - starts[-1] <= rule.every


def test_a_logo_takes_the_place_of_the_wordmark(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGBA", (300, 100), (0, 200, 0, 255)).save(tmp_path / "logo.png")
    kit = {
        "wordmark": "Name",
        "logo": "logo.png",
        "colours": {"primary": "#12203a", "accent": "#ffb224", "text": "#ffffff"},
    }
    brand = brands.parse("b", kit, base=tmp_path, where="b")
    drawn = overlays.bug(brand, (1280, 720), room=600)
    assert drawn is not None
    assert tuple(drawn.colour[5, 5]) == (0, 200, 0)
    assert overlays.bug(brand, (1280, 720), room=20) is None
    assert "logo logo.png" in [item.title for item in brands.inputs(brand)]
    (tmp_path / "logo.png").write_bytes(b"GIF89a")
    with pytest.raises(ConfigurationError, match="PNG"):
        overlays.bug(brand, (1280, 720), room=600)
