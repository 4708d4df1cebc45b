"""Text in any script: drawn right, or refused with the name of the package that is missing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, features

from byline.generation import brands, captions
from byline.generation.compose import lettering
from byline.generation.compose.lettering import Lettering, UndrawableText, pieces

FONT = brands.FONTS / "OpenSans-Bold.ttf"
OTHER = brands.FONTS / "OpenSans-Semibold.ttf"


CACHES = (lettering.pieces, lettering._first, lettering._fonts, lettering._has)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    for cached in CACHES:
        cached.cache_clear()
    yield
    for cached in CACHES:
        cached.cache_clear()


def _drawn(text: str, size: int = 40) -> np.ndarray:
    image = Image.new("RGBA", (900, 120))
    Lettering(FONT, size).draw(image, (20, 60), text, (255, 255, 255, 255), "lm")
    return np.asarray(image)[..., 3]


def test_the_brands_font_draws_what_it_has_and_as_before() -> None:
    assert [piece.font for piece in pieces("Größe, Київ", FONT)] == [FONT]
    face = ImageFont.truetype(str(FONT), 40)
    assert Lettering(FONT, 40).getlength("Größe") == face.getlength("Größe")


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("台风", "fonts-noto-cjk"),
        ("عاصفة", "fonts-dejavu-core"),
        ("🌀", "fonts-noto-color-emoji"),
        ("ชื่อ", "thai"),
    ],
)
def test_a_script_without_a_font_names_its_package(
    text: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lettering, "_fonts", lambda: ())
    with pytest.raises(UndrawableText) as refused:
        pieces(f"Storm {text}", FONT)
    assert package in refused.value.help
    assert text not in str(refused.value), "errors name code points, not what somebody wrote"
    assert not lettering.drawable(text, FONT)


@pytest.mark.parametrize("text", ["台风来了", "عاصفة تقترب 12", "שלום", "मौसम", "Storm 🌀 now"])
def test_on_this_machine_a_text_is_drawn_or_refused_never_boxes(text: str) -> None:
    if not lettering.drawable(text, FONT):
        with pytest.raises(UndrawableText) as refused:
            pieces(text, FONT)
        assert "Install" in refused.value.help
        return
    found = pieces(text, FONT)
    assert "".join(piece.text for piece in found) == text
    ink = _drawn(text)
    assert ink.max() > 200
    for piece in found:
        if not piece.emoji:
            box = ImageFont.truetype(str(piece.font), 40).getmask("\U0010fffd")
            letters = [c for c in piece.text if not c.isspace()]
            assert all(
                bytes(ImageFont.truetype(str(piece.font), 40).getmask(c)) != bytes(box) for c in letters
            )


def test_another_font_stands_in_for_the_run_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two shipped fonts play the parts: the first is said to lack capital letters."""
    has = lettering._has.__wrapped__
    monkeypatch.setattr(
        lettering, "_has", lambda path, c: has(path, c) and not (path == FONT and c.isupper())
    )
    monkeypatch.setattr(lettering, "_first", lambda hint, bold, text: OTHER if text.isupper() else None)
    found = pieces("ab CD ef", FONT)
    assert [(piece.text, piece.font) for piece in found] == [("ab ", FONT), ("CD", OTHER), (" ef", FONT)]
    widths = [ImageFont.truetype(str(p.font), 40).getlength(p.text) for p in found]
    assert Lettering(FONT, 40).getlength("ab CD ef") == pytest.approx(sum(widths))


def test_arabic_is_joined_and_runs_from_the_right() -> None:
    """The shaped word differs from its letters one by one, and a number in it stands at the left."""
    if not lettering.drawable("عاصفة", FONT):
        with pytest.raises(UndrawableText, match="no font of this machine"):
            pieces("عاصفة", FONT)
        return
    joined = Lettering(FONT, 40).getlength("عاصفة")
    assert joined < 0.9 * sum(Lettering(FONT, 40).getlength(letter) for letter in "عاصفة")
    line = "عاصفة 11"
    (piece,) = pieces(line, FONT)
    number = Image.new("L", (200, 120))
    ImageDraw.Draw(number).text((20, 60), "11", 255, ImageFont.truetype(str(piece.font), 40), anchor="lm")
    columns = np.flatnonzero(np.asarray(number).any(axis=0))
    drawn = _drawn(line)[:, columns[0] : columns[-1] + 1]
    assert np.array_equal(drawn > 128, np.asarray(number)[:, columns[0] : columns[-1] + 1] > 128)


def test_without_the_layout_library_a_shaped_script_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: name != "raqm")
    monkeypatch.setattr(lettering, "_has", lambda path, character: True)
    with pytest.raises(UndrawableText, match="Raqm"):
        pieces("שלום", FONT)
    assert pieces("hello", FONT)


def test_one_line_of_a_right_to_left_script_needs_one_font(monkeypatch: pytest.MonkeyPatch) -> None:
    has = lettering._has.__wrapped__
    monkeypatch.setattr(lettering, "_has", lambda path, c: has(path, c) and c != "x")
    monkeypatch.setattr(lettering, "_first", lambda hint, bold, text: OTHER if len(text) < 3 else None)
    with pytest.raises(UndrawableText):
        pieces("abc x \u05d0", FONT)


def test_lines_break_between_the_characters_of_unspaced_scripts() -> None:
    assert captions.tokens("ab cd") == ["ab", " cd"]
    assert captions.tokens("台风来了。好 ok") == ["台", "风", "来", "了。", "好", " ok"]
    assert "".join(captions.tokens("a 台b")) == "a 台b"


def test_fonts_of_the_setting_come_first(settings: object, tmp_path: Path) -> None:
    (tmp_path / "NotoSansThai-Bold.ttf").write_bytes(FONT.read_bytes())
    settings.BYLINE = {**settings.BYLINE, "FONT_DIRS": (tmp_path,)}  # type: ignore[attr-defined]
    assert lettering._fonts()[0] == tmp_path / "NotoSansThai-Bold.ttf"
