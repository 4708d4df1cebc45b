"""The things of the starter's scenes: flat, bold shapes, at least a quarter of the frame high.

A shape is a list of (kind, points or ellipse, tone) in its own units, centre 0,0 and about one
unit of radius; `draw_object` turns, scales and places it. The tone scales the subject's colour,
or names a fixed one.
"""

import math
from collections.abc import Sequence

from PIL import ImageDraw

RGB = tuple[int, int, int]
Part = tuple[str, Sequence[float], object]

DARK: RGB = (34, 34, 40)
GLASS: RGB = (190, 226, 248)


def _star(points: int, inner: float) -> list[float]:
    out: list[float] = []
    for k in range(points * 2):
        r = 1.05 if k % 2 == 0 else inner
        a = math.pi * k / points - math.pi / 2
        out += [r * math.cos(a), r * math.sin(a)]
    return out


def _heart() -> list[float]:
    out: list[float] = []
    for k in range(28):
        t = 2 * math.pi * k / 28
        x = 16 * math.sin(t) ** 3
        y = -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
        out += [x / 16, y / 16]
    return out


SHAPES: dict[str, tuple[Part, ...]] = {
    "ball": (("ellipse", (0, 0, 1, 1), 1.0), ("ellipse", (-0.32, -0.35, 0.28, 0.24), 1.5)),
    "box": (
        ("poly", (-0.88, -0.88, 0.88, -0.88, 0.88, 0.88, -0.88, 0.88), 1.0),
        ("poly", (-0.88, 0.4, 0.88, 0.4, 0.88, 0.88, -0.88, 0.88), 0.72),
    ),
    "triangle": (
        ("poly", (0, -1.05, 1.02, 0.82, -1.02, 0.82), 1.0),
        ("poly", (0, -1.05, 1.02, 0.82, 0.2, 0.82), 0.75),
    ),
    "star": (("poly", tuple(_star(5, 0.45)), 1.0),),
    "ring": (("ring", (0, 0, 1, 0.42), 1.0),),
    "heart": (("poly", tuple(_heart()), 1.0), ("ellipse", (-0.45, -0.4, 0.2, 0.16), 1.4)),
    "balloon": (
        ("poly", (-0.04, 0.6, 0.04, 0.6, 0.04, 1.4, -0.04, 1.4), DARK),
        ("ellipse", (0, -0.2, 0.78, 0.92), 1.0),
        ("ellipse", (-0.26, -0.52, 0.2, 0.24), 1.5),
    ),
    "car": (
        ("poly", (-0.62, -0.15, -0.4, -0.66, 0.36, -0.66, 0.66, -0.15), 0.85),
        ("poly", (-0.45, -0.15, -0.3, -0.52, 0.28, -0.52, 0.48, -0.15), GLASS),
        ("poly", (-1.15, -0.18, 1.15, -0.12, 1.15, 0.42, -1.15, 0.42), 1.0),
        ("ellipse", (-0.62, 0.42, 0.3, 0.3), DARK),
        ("ellipse", (0.62, 0.42, 0.3, 0.3), DARK),
    ),
    "bus": (
        ("poly", (-1.2, -0.75, 1.1, -0.75, 1.2, 0.5, -1.2, 0.5), 1.0),
        ("poly", (-1.0, -0.5, 1.0, -0.5, 1.05, -0.08, -1.0, -0.08), GLASS),
        ("ellipse", (-0.65, 0.52, 0.28, 0.28), DARK),
        ("ellipse", (0.65, 0.52, 0.28, 0.28), DARK),
    ),
    "boat": (
        ("poly", (-0.05, -1.1, 0.05, -1.1, 0.05, 0.3, -0.05, 0.3), DARK),
        ("poly", (0.1, -1.0, 0.9, 0.15, 0.1, 0.15), (250, 250, 250)),
        ("poly", (-0.1, -0.8, -0.7, 0.15, -0.1, 0.15), (236, 236, 236)),
        ("poly", (-1.15, 0.28, 1.15, 0.28, 0.75, 0.85, -0.75, 0.85), 1.0),
    ),
    "bird": (
        ("poly", (-0.6, 0.0, -1.25, -0.3, -1.2, 0.3), 0.8),
        ("ellipse", (0, 0.05, 0.75, 0.48), 1.0),
        ("wing", (0, 0), 0.7),
        ("ellipse", (0.66, -0.3, 0.34, 0.32), 1.0),
        ("poly", (0.95, -0.38, 1.35, -0.22, 0.95, -0.14), (250, 170, 30)),
        ("ellipse", (0.74, -0.36, 0.08, 0.08), DARK),
    ),
    "fish": (
        ("poly", (-0.55, 0, -1.2, -0.55, -1.2, 0.55), 0.8),
        ("ellipse", (0.1, 0, 0.85, 0.58), 1.0),
        ("poly", (-0.1, -0.5, 0.35, -0.95, 0.45, -0.45), 0.8),
        ("ellipse", (0.56, -0.14, 0.14, 0.14), (250, 250, 250)),
        ("ellipse", (0.6, -0.14, 0.07, 0.07), DARK),
    ),
    "rocket": (
        ("poly", (-0.3, 0.75, 0.3, 0.75, 0.0, 1.45), (255, 190, 40)),
        ("poly", (-0.42, 0.2, -0.85, 0.85, -0.3, 0.8), 0.7),
        ("poly", (0.42, 0.2, 0.85, 0.85, 0.3, 0.8), 0.7),
        ("poly", (0, -1.25, 0.42, -0.5, 0.42, 0.8, -0.42, 0.8, -0.42, -0.5), 1.0),
        ("ellipse", (0, -0.25, 0.22, 0.22), GLASS),
    ),
    "cat": (
        ("tail", (-0.75, 0.1, -1.15, -0.7), 1.0),
        ("ellipse", (-0.1, 0.2, 0.78, 0.42), 1.0),
        ("legs", (-0.6, 0.4, 0.42, 0.4), 0.85),
        ("poly", (0.38, -0.4, 0.42, -0.98, 0.72, -0.62), 1.0),
        ("poly", (0.78, -0.62, 1.05, -0.98, 1.08, -0.4), 1.0),
        ("ellipse", (0.74, -0.32, 0.42, 0.38), 1.0),
        ("ellipse", (0.62, -0.38, 0.08, 0.1), DARK),
        ("ellipse", (0.9, -0.38, 0.08, 0.1), DARK),
    ),
    "dog": (
        ("tail", (-0.75, 0.0, -1.1, -0.4), 1.0),
        ("ellipse", (-0.1, 0.12, 0.8, 0.42), 1.0),
        ("legs", (-0.62, 0.35, 0.45, 0.35), 0.85),
        ("ellipse", (0.75, -0.35, 0.4, 0.36), 1.0),
        ("ellipse", (1.08, -0.22, 0.26, 0.18), 1.0),
        ("ellipse", (0.5, -0.28, 0.16, 0.36), 0.6),
        ("ellipse", (1.28, -0.28, 0.08, 0.08), DARK),
        ("ellipse", (0.86, -0.45, 0.08, 0.08), DARK),
    ),
    "flower": (
        ("poly", (-0.07, 0.1, 0.07, 0.1, 0.07, 1.4, -0.07, 1.4), (40, 130, 50)),
        ("ellipse", (0.34, 0.9, 0.3, 0.14), (40, 140, 50)),
        ("petals", (0, -0.25, 0.46, 0.58), 1.0),
        ("ellipse", (0, -0.25, 0.3, 0.3), (250, 214, 60)),
    ),
}


def shade(colour: RGB, factor: float) -> RGB:
    """Darker (<1) or lighter (>1, towards white)."""
    if factor <= 1:
        return tuple(int(c * factor) for c in colour)  # type: ignore[return-value]
    mix = min(1.0, factor - 1)
    return tuple(int(c + (255 - c) * mix) for c in colour)  # type: ignore[return-value]


def draw_object(
    draw: ImageDraw.ImageDraw,
    kind: str,
    colour: RGB,
    x: float,
    y: float,
    r: float,
    angle: float,
    beat: float,
    facing: int,
) -> None:
    """Draw `kind` at x, y with radius r, all in pixels; angle in radians; beat 0..1 moves legs and wings;
    facing -1 mirrors it."""
    cos, sin = math.cos(angle), math.sin(angle)

    def place(points: Sequence[float]) -> list[tuple[float, float]]:
        out = []
        for k in range(0, len(points), 2):
            u, v = points[k] * facing * r, points[k + 1] * r
            out.append((x + cos * u - sin * v, y + sin * u + cos * v))
        return out

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> list[tuple[float, float]]:
        n = 24
        flat: list[float] = []
        for k in range(n):
            flat += [cx + rx * math.cos(2 * math.pi * k / n), cy + ry * math.sin(2 * math.pi * k / n)]
        return place(flat)

    swing = math.sin(2 * math.pi * beat)
    for form, p, tone in SHAPES[kind]:
        fill: RGB = shade(colour, tone) if isinstance(tone, float) else tone  # type: ignore[assignment]
        if form == "ellipse":
            draw.polygon(ellipse(*p), fill=fill)
        elif form == "poly":
            draw.polygon(place(p), fill=fill)
        elif form == "ring":
            rim = ellipse(p[0], p[1], 0.79, 0.79)
            draw.line([*rim, rim[0], rim[1]], fill=fill, width=max(1, int(p[3] * r)), joint="curve")
            spot = ellipse(0.79, 0, 0.16, 0.16)
            draw.polygon(spot, fill=shade(colour, 0.55))
        elif form == "wing":
            draw.polygon(place((-0.4, 0.0, 0.35, 0.0, -0.25, -0.95 * swing)), fill=fill)
        elif form == "petals":
            for k in range(6):
                a = math.pi * k / 3
                draw.polygon(
                    ellipse(p[0] + p[3] * math.cos(a), p[1] + p[3] * math.sin(a), 0.36, 0.36), fill=fill
                )
        elif form == "tail":
            draw.line(place((p[0], p[1], p[2], p[3] + 0.2 * swing)), fill=fill, width=max(1, int(0.2 * r)))
        elif form == "legs":
            for k, foot in enumerate((p[0], p[0] + 0.28, p[2], p[2] + 0.28)):
                step = 0.22 * swing * (1 if k % 2 else -1)
                draw.line(place((foot, p[1], foot + step, 0.95)), fill=fill, width=max(1, int(0.2 * r)))
