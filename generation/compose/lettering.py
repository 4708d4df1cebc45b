"""Text in any script: the brand's font where it has the letters, else a font of this machine that has them.

Letters are shaped and put in reading order by Raqm (HarfBuzz, FriBidi), which Pillow's wheels bring along;
emoji come from a colour bitmap font, scaled. What cannot be drawn right is refused with the name of the
package to install, never drawn as boxes or as letters in the wrong order. Left out: vertical text, and
fonts for two right-to-left scripts in one line.
"""

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont, features

from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput

_PLACES = (
    "/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts",
    "/System/Library/Fonts", "/Library/Fonts", "C:/Windows/Fonts",
)  # fmt: skip
# First word of a character's Unicode name -> (part of the file names that hold it, Debian package).
_CJK = ("notosanscjk|sourcehansans|notosans(sc|jp|kr|tc)|ipaex|wqy|nanum|msyh|hiragino", "fonts-noto-cjk")
_SCRIPTS = {
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "BOPOMOFO", "FULLWIDTH"), _CJK),
    "ARABIC": ("notosansarabic|notonaskharabic|dejavusans", "fonts-dejavu-core"),
    "HEBREW": ("notosanshebrew|dejavusans", "fonts-dejavu-core"),
    "THAI": ("notosansthai|loma|garuda|freesans", "fonts-thai-tlwg"),
    **{
        script: (f"notosans{script.lower()}|freesans", "fonts-noto-core")
        for script in ("DEVANAGARI", "BENGALI", "TAMIL", "TELUGU", "GUJARATI", "GURMUKHI", "KANNADA",
                       "MALAYALAM", "SINHALA", "KHMER", "LAO", "MYANMAR", "GEORGIAN", "ARMENIAN", "ETHIOPIC")
    },
}  # fmt: skip
_OTHER = ("dejavusans|notosans-|freesans", "fonts-dejavu-core or fonts-noto-core")
_EMOJI = ("notocoloremoji|applecoloremoji|seguiemj|twemoji", "fonts-noto-color-emoji")
_EMOJI_RUN = re.compile(
    "(?:[\U0001f000-\U0001fbff][\ufe0f\U0001f3fb-\U0001f3ff]?|[\u2190-\u2bff\u3030\u303d]\ufe0f)"
    "(?:\u200d(?:[\U0001f000-\U0001fbff\u2600-\u27bf]\ufe0f?[\U0001f3fb-\U0001f3ff]?))*"
)
_STRIKE = 109  # the one size of Noto Color Emoji's bitmaps, in pixels
_NEVER_DRAWN = {"Cf", "Cc", "Zl", "Zp"}
_VARIANTS = range(0xFE00, 0xFE10)


class UndrawableText(InvalidInput):
    code = "undrawable_text"
    help = "Use letters that the brand's font has, or name a font file for this script in the brand kit."


@dataclass(frozen=True)
class _Piece:
    """A part of a line that one font draws."""

    text: str
    font: Path
    emoji: bool = False


class Lettering:
    """A font at a size in pixels, with the fonts that stand in where it has no glyph."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size

    def getmetrics(self) -> tuple[int, int]:
        """Ascent and descent of the font itself."""
        ascent, descent = _face(self.path, self.size).getmetrics()
        return int(ascent), int(descent)

    def getlength(self, text: str) -> float:
        """Width of `text` in pixels. UndrawableText."""
        return sum(self._length(piece) for piece in pieces(text, self.path))

    def draw(
        self, image: Image.Image, xy: tuple[float, float], text: str, fill: Any, anchor: str = "la"
    ) -> None:
        """Like ImageDraw.text with a horizontal anchor l or m and a vertical a or m."""
        canvas = ImageDraw.Draw(image)
        x, y = xy
        if anchor[0] == "m":
            x -= self.getlength(text) / 2
        if anchor[1] == "a":
            ascent, descent = self.getmetrics()
            y += (ascent + descent) / 2
        shown = pieces(text, self.path)
        for piece in reversed(shown) if _right_to_left(text) else shown:
            if piece.emoji:
                picture = _emoji(piece.text, piece.font, self.size)
                image.paste(picture, (round(x), round(y - picture.height / 2)), picture)
            else:
                canvas.text((x, y), piece.text, fill, _face(piece.font, self.size), anchor="lm")
            x += self._length(piece)

    def _length(self, piece: _Piece) -> float:
        if piece.emoji:
            return float(_emoji(piece.text, piece.font, self.size).width)
        return _face(piece.font, self.size).getlength(piece.text)


def drawable(text: str, font: Path) -> bool:
    """Whether every character of `text` can be drawn here, by `font` or one that stands in."""
    try:
        pieces(text, font)
    except UndrawableText:
        return False
    return True


def require_drawable(text: str, font: Path) -> str:
    """The text unchanged. UndrawableText names the characters, and the package that has them."""
    pieces(text, font)
    return text


@functools.lru_cache(maxsize=512)
def pieces(text: str, font: Path) -> tuple[_Piece, ...]:
    """The parts of a line, in logical order. UndrawableText."""
    found: list[_Piece] = []
    for part, is_emoji in _split(text, font):
        if is_emoji:
            found.append(_Piece(part, _stand_in(part, font, *_EMOJI), emoji=True))
        else:
            found += _lettered(part, font)
    if len({piece.font for piece in found if not piece.emoji}) > 1 and _has_right_to_left(text):
        raise UndrawableText(
            "no one font here has all of this right-to-left line",
            help="Install fonts-dejavu-core, or use one script to a line.",
        )
    if any(_needs_shaping(character) for character in text) and not features.check("raqm"):
        raise UndrawableText(
            "this script needs the layout library Raqm, which this Pillow lacks",
            help="Install Pillow from its wheels, or libraqm.",
        )
    return tuple(found)


def _split(text: str, font: Path) -> Iterator[tuple[str, bool]]:
    """Parts of the text, and whether each is a run of emoji that `font` does not draw itself."""
    done = 0
    for match in _EMOJI_RUN.finditer(text):
        if all(_has(font, character) for character in match.group()):
            continue
        if match.start() > done:
            yield text[done : match.start()], False
        yield match.group(), True
        done = match.end()
    if done < len(text):
        yield text[done:], False


def _lettered(text: str, font: Path) -> list[_Piece]:
    """By one font if one has it all, else by the first that has each run."""
    absent = [character for character in text if not _has(font, character)]
    if not absent:
        return [_Piece(text, font)]
    whole = _first(_where(absent[0])[0], _bold(font), text)
    if whole is not None:
        return [_Piece(text, whole)]
    runs = []
    for known, group in itertools.groupby(text, key=lambda character: _has(font, character)):
        part = "".join(group)
        runs.append(_Piece(part, font if known else _stand_in(part, font, *_where(part[0]))))
    return runs


def _stand_in(part: str, font: Path, hint: str, package: str) -> Path:
    found = _first(hint, _bold(font), part)
    if found is None:
        codes = sorted({f"U+{ord(c):04X}" for c in part if not _has(font, c)})
        raise UndrawableText(
            f"the font {font.name} lacks {', '.join(codes[:5])}, and no font of this machine has them",
            help=f"Install {package}, or name a font file for this script in the brand kit.",
        )
    return found


def _where(character: str) -> tuple[str, str]:
    return _SCRIPTS.get(unicodedata.name(character, "").partition(" ")[0].partition("-")[0], _OTHER)


@functools.lru_cache(maxsize=256)
def _first(hint: str, bold: bool, text: str) -> Path | None:
    """The first font whose name fits and that has all of `text`."""
    pattern = re.compile(hint)
    fitting = [path for path in _fonts() if pattern.match(path.stem.lower().replace("_", ""))]
    heavy = ("bold",) if bold else ("regular", "")
    plain = [
        p
        for p in fitting
        if not re.search("oblique|italic|mono|serif|light|thin|black|condensed", p.stem.lower())
    ]
    for path in sorted(
        plain, key=lambda p: (not any(w and w in p.stem.lower() for w in heavy), len(p.stem), p.stem)
    ):
        if all(_has(path, character) for character in text):
            return path
    return None


@functools.cache
def _fonts() -> tuple[Path, ...]:
    """Font files of this machine, and of the setting FONT_DIRS."""
    places = [Path(str(place)).expanduser() for place in (*conf.get("FONT_DIRS"), *_PLACES)]
    found = [path for place in places if place.is_dir() for path in sorted(place.rglob("*"))]
    return tuple(path for path in found if path.suffix.lower() in (".ttf", ".otf", ".ttc"))


def _bold(font: Path) -> bool:
    return "bold" in font.stem.lower()


@functools.lru_cache(maxsize=64)
def _face(path: Path, size: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(str(path), size)
    except OSError:  # a font of bitmaps has the sizes that it has
        return ImageFont.truetype(str(path), _STRIKE)


@functools.lru_cache(maxsize=8192)
def _has(path: Path, character: str) -> bool:
    """Whether the font has a glyph. What is never drawn by itself (joiners, variants) counts as there."""
    if character.isspace() or unicodedata.category(character) in _NEVER_DRAWN or ord(character) in _VARIANTS:
        return True
    face = _face(path, 24)
    return bytes(face.getmask(character)) != bytes(face.getmask("\U0010fffd"))


def _emoji(text: str, font: Path, size: int) -> Image.Image:
    """The emoji as RGBA, as tall as a line of `size`."""
    face = _face(font, _STRIKE)
    drawn = Image.new("RGBA", (round(face.getlength(text)) + 8, round(_STRIKE * 1.4)))
    ImageDraw.Draw(drawn).text((0, drawn.height / 2), text, font=face, embedded_color=True, anchor="lm")
    box = drawn.getbbox() or (0, 0, drawn.width, drawn.height)
    cut = drawn.crop((0, box[1], drawn.width, box[3]))
    tall = round(size * 1.1)
    return cut.resize((max(1, round(cut.width * tall / cut.height)), tall), Image.Resampling.LANCZOS)


def _has_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)


def _right_to_left(text: str) -> bool:
    """Whether the line reads from the right: by its first letter with a direction (UAX 9, P2)."""
    ways = (unicodedata.bidirectional(character) for character in text)
    return next((way for way in ways if way in ("L", "R", "AL")), "L") != "L"


def _needs_shaping(character: str) -> bool:
    return ord(character) > 0x590 and (
        unicodedata.bidirectional(character) in ("R", "AL") or unicodedata.category(character) == "Mc"
    )
