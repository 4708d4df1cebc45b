"""What is drawn over the picture: label, brand, title, captions, end card. Drawn once, blended often.

Positions follow the 5 % title-safe margin; type sizes scale with the frame's short side. Text is white or
the brand's colour on a dark box, so it reads on any picture.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from byline.generation.brands import Brand
from byline.generation.captions import Cue, tokens
from byline.generation.compose.lettering import Lettering, drawable, require_drawable

LABEL_SIZE = 0.05  # of the frame's short side: the type size of the label (GB 45438-2025 asks as much)
MARGIN = 0.05
_BOX = (10, 12, 16)
_FADE_S = 0.35


@dataclass(frozen=True)
class Layer:
    """A drawing at (x, y), premultiplied, and when it shows. `slide` is how far it comes from the left."""

    x: int
    y: int
    colour: np.ndarray  # (h, w, 3) uint8, multiplied by alpha
    keep: np.ndarray  # (h, w, 3) uint8, 255 - alpha: how much of the picture stays
    start: float = 0.0
    end: float = float("inf")
    fade: float = 0.0
    slide: int = 0

    def opacity(self, time: float) -> float:
        """0..1 at `time` seconds."""
        if not self.start <= time < self.end:
            return 0.0
        if not self.fade:
            return 1.0
        rise = min(1.0, (time - self.start) / self.fade)
        fall = min(1.0, (self.end - time) / self.fade)
        level = max(0.0, min(rise, fall))
        return level * level * (3 - 2 * level)

    def draw(self, frame: np.ndarray, time: float) -> None:
        """Blend onto `frame` (RGB uint8) in place."""
        opacity = self.opacity(time)
        if opacity <= 0.004:
            return
        x = self.x - round(self.slide * (1 - opacity)) if time - self.start < self.fade else self.x
        cut = max(0, -x)
        high, wide = self.colour.shape[:2]
        area = frame[self.y : self.y + high, x + cut : x + wide]
        # A frame of a few dozen pixels is smaller than the smallest caption; what hangs over is cut.
        inside = np.s_[: area.shape[0], cut : cut + area.shape[1]]
        colour, keep = self.colour[inside], self.keep[inside]
        drawn = cv2.add(cv2.multiply(area, keep, scale=1 / 255), colour)
        if opacity < 0.999:
            drawn = cv2.addWeighted(area, 1 - opacity, drawn, opacity, 0)
        area[:] = drawn


@functools.lru_cache(maxsize=64)
def _face(path: Path, size: int) -> Lettering:
    return Lettering(path, size)


def _fitting(path: Path, size: int, lines: Sequence[str], width: int) -> Lettering:
    """The font at `size` pixels, or as much smaller as the widest line needs to fit `width`."""
    widest = max((_face(path, size).getlength(line) for line in lines), default=0.0)
    return _face(path, size if widest <= width else max(6, int(size * width / widest)))


def label(text: str, brand: Brand, size: tuple[int, int]) -> Layer:
    """The notice that the clip is generated: top right, on every frame, in the same box for every brand."""
    width, height = size
    pixels = math.ceil(min(size) * LABEL_SIZE)
    face = _face(brand.bold_font, pixels)
    pad_x, pad_y = round(pixels * 0.5), round(pixels * 0.22)
    ascent, descent = face.getmetrics()
    box = (
        round(face.getlength(require_drawable(text, brand.bold_font))) + 2 * pad_x,
        ascent + descent + 2 * pad_y,
    )
    image = Image.new("RGBA", box)
    draw = ImageDraw.Draw(image)
    outline = (255, 255, 255, 90)  # keeps the box a box on a dark picture
    draw.rounded_rectangle((0, 0, box[0] - 1, box[1] - 1), round(pixels * 0.25), (*_BOX, 215), outline)
    face.draw(image, (pad_x, pad_y), text, (255, 255, 255, 255))
    return layer(image, width - round(width * MARGIN) - box[0], round(height * MARGIN))


def bug(brand: Brand, size: tuple[int, int], room: int) -> Layer | None:
    """The logo or the wordmark, top left, as tall as the label; None when `room` pixels do not hold it."""
    if brand.logo is not None:
        return _logo(brand, size, room)
    if not brand.wordmark:
        return None
    width, height = size
    pixels = round(min(size) * 0.042)
    require_drawable(brand.wordmark, brand.bold_font)
    face = _fitting(brand.bold_font, pixels, [brand.wordmark], room - round(pixels * 1.4))
    tall = _label_height(brand, size)
    bar, pad = round(pixels * 0.3), round(pixels * 0.55)
    wide = bar + 2 * pad + round(face.getlength(brand.wordmark))
    if wide > room:
        return None
    image = Image.new("RGBA", (wide, tall), (*brand.primary, 235))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, bar - 1, tall), (*brand.accent, 255))
    face.draw(image, (bar + pad, tall // 2), brand.wordmark, (*brand.text, 255), "lm")
    return layer(image, round(width * MARGIN), round(height * MARGIN))


def _label_height(brand: Brand, size: tuple[int, int]) -> int:
    ascent, descent = _face(brand.bold_font, round(min(size) * LABEL_SIZE)).getmetrics()
    return ascent + descent + 2 * round(min(size) * LABEL_SIZE * 0.22)


def _logo(brand: Brand, size: tuple[int, int], room: int) -> Layer | None:
    picture = brand.read_logo()
    tall = _label_height(brand, size)
    wide = round(picture.width * tall / picture.height)
    if wide > room:
        return None
    drawn = picture.resize((max(1, wide), tall), Image.Resampling.LANCZOS)
    return layer(drawn, round(size[0] * MARGIN), round(size[1] * MARGIN))


def colour_bar(brand: Brand, size: tuple[int, int]) -> Layer:
    """A thin strip of the brand's accent along the lower edge."""
    width, height = size
    tall = max(2, round(height * 0.011))
    return layer(Image.new("RGBA", (width, tall), (*brand.accent, 255)), 0, height - tall)


def title(text: str, brand: Brand, size: tuple[int, int], *, end: float, start: float = 0.0) -> Layer | None:
    """The lower third, soon after `start`: at most two lines beside a bar, above the captions."""
    if brand.title_style == "none" or not text.strip():
        return None
    width, height = size
    pixels = round(min(size) * 0.055)
    face = _face(brand.bold_font, pixels)
    lines = _wrapped(
        require_drawable(" ".join(text.split()), brand.bold_font), face, round(width * _column(size)), 2
    )
    bar, pad = round(pixels * 0.26), round(pixels * 0.6)
    step = round(pixels * 1.28)
    wide = bar + 2 * pad + round(max(face.getlength(line) for line in lines))
    tall = step * len(lines) + round(pixels * 0.7)
    image = Image.new("RGBA", (wide, tall), (*brand.primary, 235))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, bar - 1, tall), (*brand.accent, 255))
    for number, line in enumerate(lines):
        y = round(pixels * 0.35) + step * number + step // 2
        face.draw(image, (bar + pad, y), line, (*brand.text, 255), "lm")
    bottom = round(height * (0.775 if brand.burn_captions else 0.92))
    left = round(width * MARGIN)
    begin = start + 0.3
    stop = min(begin + brand.title_seconds, end)
    return layer(image, left, bottom - tall, begin, stop, _FADE_S, slide=round(width * 0.03))


def caption(cue: Cue, brand: Brand, size: tuple[int, int]) -> Layer | None:
    """One cue, centred at the bottom; None when the font lacks its script (the track still has it)."""
    width, height = size
    lines = [line for line in cue.text.split("\n") if line.strip()]
    if not lines or not all(drawable(line, brand.regular_font) for line in lines):
        return None
    face = _fitting(brand.regular_font, round(min(size) * 0.05), lines, round(width * (1 - 2.5 * MARGIN)))
    pixels = round(face.size)
    pad_x, step = round(pixels * 0.45), round(pixels * 1.5)
    widths = [round(face.getlength(line)) for line in lines]
    image = Image.new("RGBA", (max(widths) + 2 * pad_x, step * len(lines)))
    draw = ImageDraw.Draw(image)
    for number, (line, wide) in enumerate(zip(lines, widths, strict=True)):
        left = (image.width - wide) // 2
        box = (left - pad_x, step * number, left + wide + pad_x - 1, step * (number + 1) - 1)
        draw.rectangle(box, (*_BOX, 200))
        face.draw(image, (left, step * number + step // 2 + 1), line, (255, 255, 255, 255), "lm")
    bottom = height - round(height * MARGIN)
    return layer(image, (width - image.width) // 2, bottom - image.height, cue.start, cue.end)


def intro_card(brand: Brand, size: tuple[int, int]) -> np.ndarray:
    """The opening picture, (height, width, 3) uint8."""
    return _card(brand, size, brand.intro_text)


def end_card(brand: Brand, size: tuple[int, int]) -> np.ndarray:
    """The closing picture, (height, width, 3) uint8."""
    return _card(brand, size, brand.end_text)


def _card(brand: Brand, size: tuple[int, int], text: str) -> np.ndarray:
    """The wordmark over a rule over `text`, in the brand's colours."""
    width, height = size
    image = Image.new("RGB", size, brand.primary)
    draw = ImageDraw.Draw(image)
    large = _fitting(brand.bold_font, round(min(size) * 0.13), [brand.wordmark], round(width * 0.9))
    small = _face(brand.regular_font, round(min(size) * 0.046))
    lines = _wrapped(require_drawable(text, brand.regular_font), small, round(width * _column(size)), 5)
    unit = min(size)
    step = round(unit * 0.068)
    middle = height // 2 - round(unit * 0.05) - step * len(lines) // 4
    large.draw(image, (width // 2, middle), brand.wordmark, brand.text, "mm")
    rule, thick = round(unit * 0.08), max(2, round(unit * 0.011))
    below = middle + round(unit * 0.12)
    draw.rectangle((width // 2 - rule, below, width // 2 + rule, below + thick - 1), brand.accent)
    for number, line in enumerate(lines):
        y = below + round(unit * 0.075) + step * number
        small.draw(image, (width // 2, y), line, brand.text, "mm")
    return np.asarray(image).copy()


def _column(size: tuple[int, int]) -> float:
    """The share of the width that running text takes: a column in landscape, nearly all upright."""
    return 0.6 if size[0] > size[1] else 0.82


def _wrapped(text: str, face: Lettering, width: int, most: int) -> list[str]:
    """As many lines as needed, as even as they come: no single word is left over on the last one."""
    lines = _filled(text, face, width, most)
    if not lines or lines[-1].endswith("…"):
        return lines
    for narrower in range(width // 3, width, 8):
        even = _filled(text, face, narrower, most)
        if len(even) == len(lines) and not any(line.endswith("…") for line in even):
            return even
    return lines


def _filled(text: str, face: Lettering, width: int, most: int) -> list[str]:
    """Greedy lines within `width` pixels; what does not fit `most` lines ends in an ellipsis."""
    lines: list[str] = []
    words = tokens(text)
    while words:
        line = words.pop(0).strip()
        while words and face.getlength(line + words[0]) <= width:
            line += words.pop(0)
        overfull = face.getlength(line) > width
        if overfull or (words and len(lines) == most - 1):
            while len(line) > 1 and face.getlength(line + "…") > width:
                line = line[:-1]
            lines.append(line.rstrip(" ,.;:") + "…")
            if len(lines) == most:
                break
            continue
        lines.append(line)
    return lines


def layer(
    image: Image.Image,
    x: int,
    y: int,
    start: float = 0.0,
    end: float = float("inf"),
    fade: float = 0.0,
    slide: int = 0,
) -> Layer:
    """An RGBA drawing as a layer."""
    rgba = np.asarray(image)
    alpha = rgba[..., 3:].astype(np.uint16)
    colour = ((rgba[..., :3].astype(np.uint16) * alpha + 127) // 255).astype(np.uint8)
    keep = np.ascontiguousarray(np.repeat(255 - rgba[..., 3:], 3, axis=2))
    return Layer(x, y, np.ascontiguousarray(colour), keep, start, end, fade, slide)


def burned(cues: Sequence[Cue], brand: Brand, size: tuple[int, int]) -> list[Layer]:
    """Layers of the captions, none when the brand does not burn them in."""
    if not brand.burn_captions:
        return []
    return [drawn for cue in cues if (drawn := caption(cue, brand, size)) is not None]
