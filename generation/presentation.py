"""How a request wants its clip to be dressed: what its options say about everything after the engine.

`check` is asked when the request is made, `of` when the clip is composed. Whatever can be refused is
refused by the first, before anything is generated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from byline.audit.base.errors import InvalidInput
from byline.generation import enhance
from byline.generation.brands import Brand
from byline.generation.compose import notices
from byline.generation.compose.lettering import require_drawable
from byline.generation.compose.transitions import KINDS, Transition
from byline.generation.enhance import upscaling

WIDTH, HEIGHT, FPS = 1280, 720, 24
FORMATS = ("mp4", "webm")
# option -> (type, lowest, highest); text options: (str, shortest, longest)
OPTIONS: dict[str, tuple[type, float, float]] = {
    "enhance": (str, 0, 100),  # steps, see enhance/__init__.py
    "upscaler": (str, 1, 64),  # of the setting UPSCALERS
    "transition": (str, 3, 20),
    "transition_seconds": (float, 0.1, 3.0),
    "advertisement": (int, 0, 1),
    "description": (int, 0, 1),  # an audio description as a second sound track
    "format": (str, 3, 4),  # of FORMATS
}


@dataclass(frozen=True)
class Presentation:
    """`size` (width, height) and `fps` of the finished clip; `steps` of enhancement."""

    size: tuple[int, int]
    fps: int
    transition: Transition
    steps: tuple[str, ...]
    upscaler: str
    say: tuple[notices.Notice, ...]
    sound: str  # the notice that opens the sound: "", "speech" or "morse"
    describe: bool
    format: str


def check(options: Mapping[str, Any]) -> None:
    """InvalidInput, UnknownEnhancement or ConfigurationError for what cannot be carried out."""
    steps = enhance.parse(options.get("enhance", ""))
    if options.get("format", FORMATS[0]) not in FORMATS:
        raise InvalidInput("There is no such format.", help=f"Formats: {', '.join(FORMATS)}.")
    if options.get("transition", KINDS[0]) not in KINDS:
        raise InvalidInput("There is no such transition.", help=f"Transitions: {', '.join(KINDS)}.")
    if options.get("transition") == "cut" and "transition_seconds" in options:
        raise InvalidInput("A cut has no length.", help="Leave transition_seconds out.")
    if "upscaler" in options and not {"upscale2", "upscale4"} & set(steps):
        raise InvalidInput(
            "An upscaler is named, and nothing is to be upscaled.", help="Add upscale2 or upscale4."
        )
    if "upscaler" in options:
        upscaling.configured(options["upscaler"])


def require_labels(options: Mapping[str, Any], brand: Brand) -> None:
    """UndrawableText when a notice of the brand's regimes cannot be drawn on this machine."""
    for notice in notices.wanted(brand.name, advertisement=bool(options.get("advertisement"))):
        require_drawable(notice.text + notice.icon, brand.bold_font)


def of(options: Mapping[str, Any], brand: str, *, modified: bool = False) -> Presentation:
    """What the options come to, with the defaults of the installation. `modified`: see notices.wanted."""
    steps = enhance.parse(options.get("enhance", ""))
    fps = options.get("fps", FPS)
    length = options.get("transition_seconds")
    usual = Transition()
    return Presentation(
        size=(options.get("width", WIDTH), options.get("height", HEIGHT)),
        fps=min(enhance.MAX_FPS, fps * 2) if "double" in steps else fps,
        transition=Transition(
            options.get("transition", usual.kind),
            usual.seconds if length is None else length,
            length is not None,
        ),
        steps=steps,
        upscaler=options.get("upscaler", "default"),
        say=notices.wanted(brand, advertisement=bool(options.get("advertisement")), modified=modified),
        sound=notices.chosen(brand).sound,
        describe=bool(options.get("description")),
        format=options.get("format", FORMATS[0]),
    )
