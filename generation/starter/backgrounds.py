"""The settings of the starter's scenes, painted at four times the clip's size.

Each painter gets a drawing surface in units of the frame height (x 0..aspect, y 0..1, y down)
and a random generator for its small variations. Only the sea moves.
"""

import math

import numpy as np
from PIL import Image, ImageDraw

GROUND = 0.90  # where feet stand, as a fraction of the frame height

RGB = tuple[int, int, int]

GRADIENTS: dict[str, tuple[RGB, RGB]] = {
    "sky": ((88, 170, 246), (206, 234, 254)),
    "night": ((6, 8, 38), (38, 34, 96)),
    "sunset": ((96, 34, 116), (252, 138, 56)),
    "sea": ((176, 222, 250), (214, 238, 252)),
    "desert": ((150, 206, 246), (228, 236, 240)),
    "meadow": ((140, 206, 250), (222, 242, 252)),
    "city": ((178, 196, 214), (216, 222, 230)),
    "snow": ((172, 192, 216), (224, 232, 242)),
    "forest": ((132, 190, 160), (196, 226, 190)),
    "room": ((236, 220, 192), (228, 208, 178)),
    "mountains": ((120, 180, 236), (232, 240, 246)),
    "underwater": ((30, 140, 176), (8, 48, 104)),
    "space": ((10, 8, 26), (26, 14, 52)),
    "stage": ((92, 14, 30), (120, 22, 40)),
}


def gradient(setting: str, width: int, height: int, shade: float) -> Image.Image:
    top, bottom = (np.array(c, np.float32) for c in GRADIENTS[setting])
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    column = np.clip((top * (1 - ramp) + bottom * ramp) * shade, 0, 255).astype(np.uint8)
    return Image.fromarray(np.repeat(column[:, None, :], width, axis=1))


def at_time(picture: Image.Image, time: str) -> Image.Image:
    """The same place at "night" or "sunset"; "" is by day."""
    if not time:
        return picture
    values = np.asarray(picture, np.float32)
    if time == "night":
        values = values * np.array([0.24, 0.28, 0.44], np.float32) + np.array([2, 4, 18], np.float32)
        made = Image.fromarray(values.clip(0, 255).astype(np.uint8))
        w, h = made.size
        draw = ImageDraw.Draw(made)
        draw.ellipse((w - 0.3 * h, 0.08 * h, w - 0.12 * h, 0.26 * h), fill=(246, 240, 200))
        return made
    glow = np.asarray(gradient("sunset", *picture.size, 1.0), np.float32)
    return Image.fromarray((values * 0.45 + glow * 0.55).astype(np.uint8))


def paint(setting: str, size: tuple[int, int], seed: int, phase: float = 0.0) -> Image.Image:
    """One background picture of `size` (w, h) pixels; `phase` 0..1 moves the waves."""
    rng = np.random.default_rng(seed)
    width, height = size
    image = gradient(setting, width, height, float(rng.uniform(0.95, 1.04)))
    draw = ImageDraw.Draw(image)
    aspect = width / height

    def px(*values: float) -> list[float]:
        return [v * height for v in values]

    def disc(x: float, y: float, r: float, fill: RGB) -> None:
        draw.ellipse(px(x - r, y - r, x + r, y + r), fill=fill)

    if setting == "sky":
        for _ in range(3):
            x, y = rng.uniform(0, aspect), rng.uniform(0.08, 0.85)
            for dx in (-0.12, 0.0, 0.12):
                disc(x + dx, y, 0.075 if dx else 0.1, (250, 252, 255))
    elif setting == "night":
        for _ in range(22):
            disc(rng.uniform(0, aspect), rng.uniform(0, 0.75), 0.011, (250, 250, 214))
        disc(aspect - 0.25, 0.2, 0.1, (246, 240, 200))
        draw.rectangle(px(0, GROUND - 0.04, aspect, 1), fill=(16, 22, 34))
    elif setting == "sunset":
        disc(aspect * 0.5, 0.72, 0.2, (255, 226, 110))
        draw.rectangle(px(0, 0.78, aspect, 1), fill=(62, 26, 58))
    elif setting == "sea":
        draw.rectangle(px(0, 0.5, aspect, 1), fill=(22, 96, 170))
        for row in range(4):
            y = 0.56 + row * 0.09
            for k in range(-1, 6):
                x = k * 0.36 + (phase + row * 0.37) % 1 * 0.36
                draw.line(px(x, y, x + 0.16, y), fill=(92, 168, 222), width=int(height * 0.022))
        draw.rectangle(px(0, GROUND - 0.02, aspect, 1), fill=(240, 220, 160))
    elif setting == "desert":
        disc(0.25, 0.2, 0.09, (255, 240, 160))
        for k, tone in enumerate(((232, 188, 112), (222, 170, 92), (208, 154, 78))):
            crest, shift = 0.58 + 0.13 * k, rng.uniform(0, 6)
            xs = np.linspace(0, aspect, 30)
            top = [(x * height, (crest + 0.05 * math.sin(3.2 * x + shift)) * height) for x in xs]
            draw.polygon([(0, height), *top, (width, height)], fill=tone)
    elif setting == "meadow":
        shift = rng.uniform(0, 6)
        xs = np.linspace(0, aspect, 30)
        top = [(x * height, (0.58 + 0.06 * math.sin(2.4 * x + shift)) * height) for x in xs]
        draw.polygon([(0, height), *top, (width, height)], fill=(96, 186, 72))
        draw.rectangle(px(0, 0.78, aspect, 1), fill=(70, 158, 54))
        disc(0.2, 0.18, 0.09, (255, 236, 120))
    elif setting == "city":
        x = -float(rng.uniform(0, 0.1))
        while x < aspect:
            w, top_y = rng.uniform(0.17, 0.28), rng.uniform(0.12, 0.42)
            grey = int(rng.integers(78, 128))
            draw.rectangle(px(x, top_y, x + w, 0.8), fill=(grey, grey + 6, grey + 20))
            for wy in np.arange(top_y + 0.05, 0.72, 0.11):
                for wx in (0.22, 0.62):
                    box = px(x + wx * w, wy, x + wx * w + 0.045, wy + 0.055)
                    draw.rectangle(box, fill=(240, 224, 150))
            x += w + 0.015
        draw.rectangle(px(0, 0.78, aspect, 1), fill=(66, 66, 72))
    elif setting == "snow":
        draw.polygon(
            [*[tuple(px(a, b)) for a, b in ((0, 0.6), (0.45, 0.2), (0.9, 0.6))]], fill=(140, 156, 186)
        )
        draw.polygon(
            [*[tuple(px(a, b)) for a, b in ((0.8, 0.6), (1.3, 0.28), (1.8, 0.6))]], fill=(152, 168, 196)
        )
        draw.rectangle(px(0, 0.58, aspect, 1), fill=(246, 250, 255))
    elif setting == "forest":
        draw.rectangle(px(0, 0.7, aspect, 1), fill=(70, 96, 46))
        for k in range(8):
            x = (k + 0.5) * aspect / 8 + rng.uniform(-0.05, 0.05)
            draw.rectangle(px(x - 0.025, 0.55, x + 0.025, 0.82), fill=(84, 58, 36))
            for y, w in ((0.62, 0.15), (0.42, 0.12), (0.24, 0.08)):
                tone = (20, 88 + int(rng.integers(0, 16)), 44)
                draw.polygon([tuple(px(x - w, y)), tuple(px(x, y - 0.26)), tuple(px(x + w, y))], fill=tone)
    elif setting == "room":
        draw.rectangle(px(0, 0.78, aspect, 1), fill=(150, 100, 62))
        draw.rectangle(px(0.16, 0.14, 0.56, 0.5), fill=(250, 250, 250))
        draw.rectangle(px(0.19, 0.17, 0.53, 0.47), fill=(150, 208, 246))
        draw.rectangle(px(aspect - 0.42, 0.2, aspect - 0.14, 0.78), fill=(122, 82, 54))
    elif setting == "mountains":
        for peak, foot, tone in ((0.1, 0.62, (104, 116, 140)), (0.24, 0.5, (124, 136, 158))):
            for k in range(3):
                x = aspect * (k + (0.2 if tone[0] == 104 else 0.7)) / 2.6 + rng.uniform(-0.06, 0.06)
                draw.polygon(
                    [tuple(px(x - foot, 0.86)), tuple(px(x, peak)), tuple(px(x + foot, 0.86))], fill=tone
                )
                cap = 0.3 * foot
                low = peak + 0.3 * (0.86 - peak)
                draw.polygon(
                    [tuple(px(x - cap, low)), tuple(px(x, peak)), tuple(px(x + cap, low))],
                    fill=(244, 248, 252),
                )
        draw.rectangle(px(0, 0.84, aspect, 1), fill=(96, 128, 84))
    elif setting == "underwater":
        for _ in range(7):
            x, y, r = rng.uniform(0, aspect), rng.uniform(0.05, 0.75), rng.uniform(0.015, 0.035)
            disc(x, y, r, (150, 214, 236))
        draw.rectangle(px(0, 0.86, aspect, 1), fill=(206, 186, 128))
        for k in range(4):
            x = (k + 0.5) * aspect / 4 + rng.uniform(-0.1, 0.1)
            draw.rounded_rectangle(px(x, 0.62, x + 0.05, 0.92), 0.02 * height, fill=(26, 150, 88))
            draw.rounded_rectangle(px(x + 0.07, 0.7, x + 0.11, 0.92), 0.02 * height, fill=(20, 122, 72))
    elif setting == "space":
        for _ in range(26):
            disc(rng.uniform(0, aspect), rng.uniform(0, 1), 0.011, (250, 250, 250))
        disc(0.24, 0.22, 0.13, (222, 140, 84))
        draw.ellipse(px(0.04, 0.19, 0.44, 0.25), outline=(236, 206, 160), width=max(1, int(height * 0.02)))
        disc(aspect - 0.18, 0.86, 0.22, (74, 132, 190))
    elif setting == "stage":
        for k in range(8):
            x = k * aspect / 7 + rng.uniform(-0.02, 0.02)
            draw.rectangle(px(x, 0, x + 0.06, 0.78), fill=(140, 28, 48))
        centre = aspect / 2
        beam = [
            tuple(px(centre - 0.12, 0)),
            tuple(px(centre + 0.12, 0)),
            tuple(px(centre + 0.56, 0.8)),
            tuple(px(centre - 0.56, 0.8)),
        ]
        draw.polygon(beam, fill=(206, 120, 96))
        draw.rectangle(px(0, 0.78, aspect, 1), fill=(146, 98, 56))
    return image
