"""What the law of a place wants a clip to say about itself, beside the label that every frame carries.

The setting LABELS chooses the regimes: {"REGIMES": ["eu"], "SOUND": "", "BRANDS": {"china-desk": {...}}}; a
brand whose manifest has profile CN gets "cn" too, and a request that is an advertisement gets the notice of
New York and California wherever it is made, because nobody knows where it will be seen. Sizes are those of
the drawn ink, not of the type. Left out: what the texts of the law leave to a court ("conspicuous").
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError
from byline.generation.brands import Brand
from byline.generation.compose.lettering import Lettering
from byline.generation.compose.overlays import MARGIN, Layer, layer
from byline.provenance import profiles

_BOX = (10, 12, 16)
SOUNDS = ("", "speech", "morse")


@dataclass(frozen=True)
class Notice:
    """`text` in letters at least `size` of the short side tall, as drawn; seen for `seconds` from the start
    and again every `every` seconds (0: all the time). `icon` is drawn before it in a frame of its own."""

    regime: str
    source: str
    text: str
    size: float
    seconds: float = math.inf
    every: float = 0.0
    icon: str = ""


@dataclass(frozen=True)
class Choice:
    """One brand's: the names of the regimes, and the sound that opens a track without pictures."""

    regimes: tuple[str, ...] = ("eu",)
    sound: str = ""


GENERATED, MODIFIED = "GENERATED", "MODIFIED"
REGIMES: Mapping[str, Notice] = {
    "eu": Notice(
        "eu",
        "Regulation (EU) 2024/1689 Art. 50(4), Code of Practice section 2, measures 1.1 and 1.2",
        GENERATED, 0.03, seconds=5.0, every=30.0, icon="AI",
    ),
    "cn": Notice("cn", "GB 45438-2025, explicit label of video", "AI生成", 0.05),
    "us-ad": Notice(
        "us-ad", "New York S.8420-A, California SB 1050: synthetic performer in advertising",
        "Synthetic performer", 0.03,
    ),
}  # fmt: skip


def chosen(brand: str) -> Choice:
    """The setting LABELS for this brand. ConfigurationError names what does not fit."""
    setting = conf.get("LABELS")
    if not isinstance(setting, Mapping):
        raise ConfigurationError("LABELS must be a dictionary")
    everywhere = _choice(Choice(), {k: v for k, v in setting.items() if k != "BRANDS"}, "LABELS")
    own = setting.get("BRANDS", {}).get(brand, {})
    found = _choice(everywhere, own, f"LABELS, brand {brand!r}")
    if profiles.for_brand(brand).profile == "CN" and "cn" not in found.regimes:
        found = replace(found, regimes=(*found.regimes, "cn"))
    return found


def _choice(base: Choice, entry: Any, where: str) -> Choice:
    if not isinstance(entry, Mapping) or set(entry) - {"REGIMES", "SOUND"}:
        raise ConfigurationError(f"{where}: a dictionary with REGIMES and SOUND is needed")
    regimes = tuple(entry.get("REGIMES", base.regimes))
    sound = entry.get("SOUND", base.sound)
    if set(regimes) - set(REGIMES) or sound not in SOUNDS:
        raise ConfigurationError(f"{where}: REGIMES are of {sorted(REGIMES)}, SOUND is of {SOUNDS}")
    return Choice(regimes, sound)


def wanted(brand: str, *, advertisement: bool, modified: bool = False) -> tuple[Notice, ...]:
    """The notices of a clip. `modified`: it began as a recording of somebody's, not as a prompt."""
    names = [*chosen(brand).regimes, *(["us-ad"] if advertisement else [])]
    found = [REGIMES[name] for name in dict.fromkeys(names)]
    return tuple(replace(n, text=MODIFIED) if modified and n.icon else n for n in found)


def layers(
    notices: Sequence[Notice], brand: Brand, size: tuple[int, int], *, seconds: float, below: Layer
) -> list[Layer]:
    """The drawings, one below the other at the right edge under the layer `below`. UndrawableText."""
    made: list[Layer] = []
    top = below.y + below.colour.shape[0] + round(min(size) * 0.012)
    for notice in notices:
        picture = _drawn(notice, brand, size)
        x = size[0] - round(size[0] * MARGIN) - picture.width
        made += [layer(picture, x, top, start, end) for start, end in times(notice, seconds)]
        top += picture.height + round(min(size) * 0.012)
    return made


def times(notice: Notice, seconds: float) -> list[tuple[float, float]]:
    """When it is seen in a clip of this length: (start, end) in seconds, in order, never overlapping."""
    if not notice.every or math.isinf(notice.seconds):
        return [(0.0, math.inf)]
    starts = np.arange(0.0, max(seconds, 1e-6), max(notice.every, notice.seconds))
    return [(float(start), float(start) + notice.seconds) for start in starts]


def _drawn(notice: Notice, brand: Brand, size: tuple[int, int]) -> Image.Image:
    """Light letters on a dark box, the letters as tall as the notice says."""
    face = _tall_enough(notice.text, brand, notice.size * min(size))
    mark = _tall_enough(notice.icon, brand, 1.25 * notice.size * min(size)) if notice.icon else None
    pad = round(face.size * 0.45)
    icon_wide = round(mark.getlength(notice.icon)) + 2 * pad if mark else 0
    tall = max(round(face.size * 1.5), round(mark.size * 1.3) if mark else 0)
    image = Image.new("RGBA", (icon_wide + round(face.getlength(notice.text)) + 2 * pad, tall))
    draw = ImageDraw.Draw(image)
    box = (0, 0, image.width - 1, image.height - 1)
    draw.rounded_rectangle(box, round(face.size * 0.25), (*_BOX, 225), (255, 255, 255, 110))
    if mark:
        frame = (2, 2, icon_wide - 1, image.height - 3)
        draw.rounded_rectangle(frame, round(face.size * 0.2), (255, 255, 255, 255))
        mark.draw(image, (icon_wide / 2, tall / 2), notice.icon, (*_BOX, 255), "mm")
    face.draw(image, (icon_wide + pad, tall / 2), notice.text, (255, 255, 255, 255), "lm")
    return image


def _tall_enough(text: str, brand: Brand, pixels: float) -> Lettering:
    """The type whose smallest letter is at least `pixels` tall when it is drawn."""
    size = max(6, math.ceil(pixels))
    while min(ink(letter, brand, size) for letter in text if not letter.isspace()) < pixels:
        size += 1
    return Lettering(brand.bold_font, size)


def ink(text: str, brand: Brand, size: int) -> int:
    """Height in pixels of what is drawn of `text` at this type size. Ascenders count, blanks do not."""
    image = Image.new("RGBA", (size * (len(text) + 1), size * 3))
    # A lower-case letter is as tall as it is meant to be when its capital is.
    Lettering(brand.bold_font, size).draw(image, (2, size * 1.5), text.upper(), (255, 255, 255, 255), "lm")
    rows = np.flatnonzero((np.asarray(image)[..., 3] > 96).any(axis=1))
    return int(rows[-1] - rows[0] + 1) if len(rows) else 0
