"""Drawn people with known attributes: profession, gender presentation, skin tone, age.

They are pictograms, not portraits: the attributes are drawn so that a person who looks at 64
rows of pixels, and the balance bench, can read them back (hair length, grey hair, clothes,
hat, prop). The conventions are the ones of signage, stated here because they are conventions.
"""

import math
from dataclasses import dataclass

from PIL import ImageDraw

from byline.generation.starter.vocabulary import SKINS

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Dress:
    top: RGB
    legs: RGB
    hat: str = ""
    hat_colour: RGB = (250, 250, 250)
    prop: str = ""
    detail: str = ""
    coat: bool = False


DRESSES: dict[str, Dress] = {
    "doctor": Dress((250, 250, 252), (60, 92, 150), prop="case", detail="stethoscope", coat=True),
    "nurse": Dress((96, 196, 214), (96, 196, 214), hat="band", hat_colour=(250, 250, 250), detail="cross"),
    "police": Dress((24, 40, 104), (20, 28, 70), hat="cap", hat_colour=(18, 28, 80), detail="badge"),
    "firefighter": Dress(
        (206, 60, 20), (54, 50, 50), hat="helmet", hat_colour=(250, 206, 30), detail="stripes"
    ),
    "chef": Dress((250, 250, 250), (64, 64, 70), hat="toque", prop="pan", detail="scarf"),
    "farmer": Dress((50, 92, 176), (50, 92, 176), hat="straw", hat_colour=(236, 200, 100), prop="fork"),
    "builder": Dress(
        (250, 120, 10), (50, 70, 120), hat="helmet", hat_colour=(252, 214, 20), detail="stripes"
    ),
    "scientist": Dress((250, 250, 252), (80, 80, 88), prop="flask", detail="goggles", coat=True),
    "business": Dress((44, 46, 58), (44, 46, 58), prop="case", detail="tie"),
    "athlete": Dress((222, 30, 60), (250, 250, 250), hat="band", hat_colour=(222, 30, 60), detail="number"),
    "astronaut": Dress((232, 234, 240), (232, 234, 240), hat="dome", detail="panel"),
    "artist": Dress((150, 70, 170), (50, 50, 60), hat="beret", hat_colour=(200, 30, 50), prop="brush"),
    "judge": Dress((24, 20, 28), (24, 20, 28), detail="collar", prop="gavel", coat=True),
    "reporter": Dress((60, 130, 90), (60, 60, 66), prop="microphone"),
    "teacher": Dress((120, 60, 50), (90, 76, 60), prop="book", detail="tie"),
    "student": Dress((250, 200, 40), (60, 90, 160), prop="book"),
}


@dataclass(frozen=True)
class Person:
    """Who is drawn. `dress` is a key of DRESSES or "" with `colour` for plain clothes."""

    gender: str
    age: str
    skin: str
    dress: str
    colour: RGB
    hair: RGB


@dataclass(frozen=True)
class Pose:
    """Pixels: feet x, feet y, height. Radians for limbs; `mouth` 0..1 open; `lean` sideways per height."""

    x: float
    y: float
    height: float
    stride: float = 0.0
    left_arm: float = 0.25
    right_arm: float = -0.25
    mouth: float = 0.0
    lean: float = 0.0


def draw_person(draw: ImageDraw.ImageDraw, person: Person, pose: Pose) -> None:
    h = pose.height
    skin = SKINS[person.skin][0]
    dress = DRESSES.get(person.dress) or Dress(person.colour, (58, 62, 84))
    feminine = person.gender == "woman"
    head = h * (0.22 if person.age == "child" else 0.185)
    hair: RGB = (232, 232, 236) if person.age == "older" else person.hair
    shoulder = h * (0.13 if feminine else 0.165)
    hip_y, neck_y = pose.y - 0.38 * h, pose.y - h + 2 * head
    tilt = pose.lean * h

    def disc(x: float, y: float, rx: float, ry: float, fill: RGB) -> None:
        draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fill)

    def limb(x0: float, y0: float, x1: float, y1: float, width: float, fill: RGB) -> None:
        draw.line((x0, y0, x1, y1), fill=fill, width=max(1, int(width)))
        disc(x1, y1, width / 2, width / 2, fill)

    nx, hx = pose.x + tilt, pose.x + tilt * 0.4
    cy = neck_y - head * 0.9
    if feminine and dress.hat != "dome":  # long hair hangs behind the shoulders
        draw.rounded_rectangle(
            (nx - head * 1.12, cy - head * 0.4, nx + head * 1.12, neck_y + 0.14 * h), head * 0.5, fill=hair
        )
    for side, angle in ((-1, pose.stride), (1, -pose.stride)):
        foot_x = hx + side * 0.06 * h + math.sin(angle) * 0.34 * h
        foot_y = pose.y - abs(math.sin(angle)) * 0.04 * h
        leg = skin if dress is not None and feminine and person.dress == "" else dress.legs
        limb(hx + side * 0.06 * h, hip_y, foot_x, foot_y - 0.03 * h, 0.105 * h, leg)
        disc(foot_x + 0.01 * h, foot_y - 0.02 * h, 0.07 * h, 0.035 * h, (30, 26, 28))
    long_cut = dress.coat or (feminine and person.dress in ("", "teacher", "reporter", "business"))
    hem_y = pose.y - (0.2 if long_cut else 0.36) * h
    hem = shoulder * (1.25 if long_cut else 0.95)
    torso = [
        (nx - shoulder, neck_y + 0.02 * h),
        (nx + shoulder, neck_y + 0.02 * h),
        (hx + hem, hem_y),
        (hx - hem, hem_y),
    ]
    draw.polygon(torso, fill=dress.top)
    hands = []
    sleeve: RGB = tuple(int(c * 0.84) for c in dress.top)  # type: ignore[assignment]
    for side, angle in ((-1, pose.left_arm), (1, pose.right_arm)):
        sx, sy = nx + side * shoulder * 0.95, neck_y + 0.06 * h
        ex, ey = sx - math.sin(angle) * 0.32 * h, sy + math.cos(angle) * 0.32 * h
        limb(sx, sy, ex, ey, 0.085 * h, sleeve)
        disc(ex, ey, 0.055 * h, 0.055 * h, skin)
        hands.append((ex, ey))
    _detail(draw, dress.detail, nx, neck_y, hip_y, shoulder, h)
    disc(nx, cy, head, head, skin)
    if dress.hat == "dome":
        draw.arc(
            (nx - head * 1.3, cy - head * 1.3, nx + head * 1.3, cy + head * 1.3),
            0,
            360,
            fill=(248, 250, 252),
            width=max(1, int(head * 0.42)),
        )
    else:
        draw.chord(
            (nx - head * 1.08, cy - head * 1.12, nx + head * 1.08, cy + head * 0.9), 180, 360, fill=hair
        )
        disc(nx, cy + head * 0.22, head * 0.88, head * 0.72, skin)
    if person.age == "middle":  # greying temples and glasses
        for side in (-1, 1):
            disc(nx + side * head * 0.95, cy + head * 0.02, head * 0.24, head * 0.42, (176, 176, 180))
        for side in (-1, 1):
            disc(nx + side * head * 0.42, cy + head * 0.1, head * 0.4, head * 0.36, (20, 20, 30))
            disc(nx + side * head * 0.42, cy + head * 0.1, head * 0.24, head * 0.2, (214, 236, 250))
    for side in (-1, 1):
        disc(nx + side * head * 0.38, cy + head * 0.1, head * 0.13, head * 0.15, (24, 20, 22))
    disc(nx, cy + head * 0.55, head * 0.3, head * (0.07 + 0.2 * pose.mouth), (170, 40, 50))
    if person.age == "older" and not feminine:  # a white beard
        draw.chord(
            (nx - head * 0.95, cy - head * 0.3, nx + head * 0.95, cy + head * 1.35), 20, 160, fill=hair
        )
    _hat(draw, dress, nx, cy, head)
    _prop(draw, dress.prop, *hands[0], h)


def _detail(
    draw: ImageDraw.ImageDraw, kind: str, x: float, top: float, hip: float, shoulder: float, h: float
) -> None:
    mid = top + 0.14 * h
    if kind == "stethoscope":
        draw.arc(
            (x - 0.08 * h, top - 0.04 * h, x + 0.08 * h, mid + 0.05 * h),
            0,
            180,
            fill=(40, 120, 210),
            width=max(1, int(0.04 * h)),
        )
    elif kind == "cross":
        for w, v in ((0.07, 0.025), (0.025, 0.07)):
            draw.rectangle((x - w * h, mid - v * h, x + w * h, mid + v * h), fill=(220, 30, 40))
    elif kind in ("badge", "panel"):
        fill = (250, 210, 60) if kind == "badge" else (60, 110, 220)
        draw.rectangle((x - 0.02 * h, mid - 0.05 * h, x + 0.08 * h, mid + 0.05 * h), fill=fill)
    elif kind == "stripes":
        draw.rectangle(
            (x - shoulder * 0.95, mid - 0.01 * h, x + shoulder * 0.95, mid + 0.05 * h), fill=(250, 244, 120)
        )
    elif kind == "scarf":
        draw.polygon([(x - 0.08 * h, top), (x + 0.08 * h, top), (x, top + 0.09 * h)], fill=(220, 40, 40))
    elif kind in ("tie", "collar"):
        draw.polygon([(x - 0.08 * h, top), (x + 0.08 * h, top), (x, mid)], fill=(250, 250, 250))
        if kind == "tie":
            draw.polygon([(x - 0.03 * h, top), (x + 0.03 * h, top), (x, hip - 0.06 * h)], fill=(210, 30, 40))
    elif kind == "number":
        draw.rectangle((x - 0.06 * h, mid - 0.05 * h, x + 0.06 * h, mid + 0.06 * h), fill=(250, 250, 250))
    elif kind == "goggles":
        draw.line((x, top, x, hip), fill=(170, 176, 190), width=max(1, int(0.03 * h)))


def _hat(draw: ImageDraw.ImageDraw, dress: Dress, x: float, cy: float, head: float) -> None:
    fill, top = dress.hat_colour, cy - head
    if dress.hat == "toque":
        draw.rounded_rectangle(
            (x - head * 0.95, top - head * 0.9, x + head * 0.95, top + head * 0.35), head * 0.35, fill=fill
        )
    elif dress.hat in ("helmet", "beret"):
        draw.chord(
            (x - head * 1.15, top - head * 0.45, x + head * 1.15, top + head * 1.5), 180, 360, fill=fill
        )
        if dress.hat == "helmet":
            draw.rectangle((x - head * 1.35, top + head * 0.4, x + head * 1.35, top + head * 0.62), fill=fill)
    elif dress.hat == "cap":
        draw.chord(
            (x - head * 1.25, top - head * 0.5, x + head * 1.25, top + head * 1.1), 180, 360, fill=fill
        )
        draw.rectangle(
            (x - head * 1.0, top + head * 0.25, x + head * 1.0, top + head * 0.55), fill=(14, 16, 30)
        )
    elif dress.hat == "straw":
        draw.ellipse((x - head * 1.7, top + head * 0.1, x + head * 1.7, top + head * 0.7), fill=fill)
        draw.chord((x - head * 0.9, top - head * 0.5, x + head * 0.9, top + head * 1.1), 180, 360, fill=fill)
    elif dress.hat == "band":
        draw.rectangle((x - head * 0.95, top + head * 0.2, x + head * 0.95, top + head * 0.5), fill=fill)


def _prop(draw: ImageDraw.ImageDraw, kind: str, x: float, y: float, h: float) -> None:
    thin = max(1, int(0.035 * h))
    if kind == "case":
        draw.rectangle((x - 0.09 * h, y + 0.02 * h, x + 0.09 * h, y + 0.14 * h), fill=(110, 66, 34))
    elif kind == "pan":
        draw.ellipse((x - 0.2 * h, y - 0.03 * h, x - 0.02 * h, y + 0.06 * h), fill=(40, 40, 46))
    elif kind == "fork":
        draw.line((x, y - 0.42 * h, x, y + 0.3 * h), fill=(120, 80, 40), width=thin)
    elif kind == "flask":
        draw.polygon(
            [(x, y - 0.12 * h), (x + 0.09 * h, y + 0.08 * h), (x - 0.09 * h, y + 0.08 * h)],
            fill=(60, 214, 110),
        )
    elif kind == "brush":
        draw.line((x, y - 0.2 * h, x, y + 0.05 * h), fill=(200, 150, 80), width=thin)
    elif kind == "gavel":
        draw.rectangle((x - 0.09 * h, y - 0.1 * h, x + 0.09 * h, y - 0.02 * h), fill=(130, 80, 40))
    elif kind == "microphone":
        draw.line((x, y - 0.02 * h, x, y + 0.1 * h), fill=(30, 30, 34), width=thin)
        draw.ellipse((x - 0.055 * h, y - 0.12 * h, x + 0.055 * h, y - 0.01 * h), fill=(40, 40, 48))
    elif kind == "book":
        draw.rectangle((x - 0.09 * h, y - 0.06 * h, x + 0.09 * h, y + 0.07 * h), fill=(40, 120, 200))
