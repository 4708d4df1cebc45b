"""Emoji glyphs as sprites, for drawing the training set only.

They come from Noto Color Emoji (SIL Open Font License 1.1; Debian: fonts-noto-color-emoji), which is not
shipped and not needed to generate: a machine without the font can run the model, and cannot train it.
`BYLINE_EMOJI_FONT` names the file where it is not in its usual place.
"""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from byline.audit.base.errors import MissingWeights
from byline.generation.starter.vocabulary import SPRITES

PLACES = (
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
    "/usr/share/fonts/noto/NotoColorEmoji.ttf",
)
_STRIKE = 109  # the one size of the font's bitmaps, in pixels


def font_file() -> Path:
    """Where the font is. Raises MissingWeights, saying how to get it."""
    for place in (os.environ.get("BYLINE_EMOJI_FONT", ""), *PLACES):
        if place and Path(place).is_file():
            return Path(place)
    raise MissingWeights(
        "the font Noto Color Emoji, which draws part of the training set, is not installed",
        help="apt-get install fonts-noto-color-emoji, or name the file in BYLINE_EMOJI_FONT.",
    )


@lru_cache(maxsize=len(SPRITES))
def glyph(name: str) -> Image.Image:
    """The glyph in RGBA, cut to its ink and centred in a square."""
    font = ImageFont.truetype(str(font_file()), _STRIKE)
    canvas = Image.new("RGBA", (2 * _STRIKE, 2 * _STRIKE))
    ImageDraw.Draw(canvas).text((20, 20), SPRITES[name][0], font=font, embedded_color=True)
    box = canvas.getbbox()
    if box is None:
        raise MissingWeights(f"the font at {font_file()} has no glyph for {name!r}")
    ink = canvas.crop(box)
    side = max(ink.size)
    square = Image.new("RGBA", (side, side))
    square.paste(ink, ((side - ink.width) // 2, (side - ink.height) // 2))
    return square


@lru_cache(maxsize=4096)
def sprite(name: str, side: int, facing: int, degrees: int) -> Image.Image:
    """The glyph `side` pixels wide; facing 1 looks right; turned clockwise by `degrees`."""
    made = glyph(name)
    if facing > 0:
        made = made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    made = made.resize((side, side), Image.Resampling.BICUBIC)
    return made.rotate(-degrees, Image.Resampling.BICUBIC, expand=True) if degrees % 360 else made


def stamp(picture: Image.Image, name: str, x: float, y: float, r: float, angle: float, facing: int) -> None:
    """Lay the sprite over an RGB picture: centre x, y and radius r in pixels, angle in radians."""
    made = sprite(name, max(2, round(2 * r)), facing, round(float(np.degrees(angle)) / 5) * 5)
    picture.paste(made, (round(x - made.width / 2), round(y - made.height / 2)), made)
