"""A subject without its background, and the list of things in a picture."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.operations import cutout, fitting
from byline.generation.operations.base import Inputs, Made, OperationSpec
from byline.generation.operations.work import Work

MAX_CLIP_S = 60.0
LOOKED_AT = 5  # frames of a clip in which things are named
BACKGROUNDS = {"green": (0, 177, 64), "white": (255, 255, 255), "black": (0, 0, 0)}
MATTE = "matte"  # the matte itself, white on black
ENHANCED = "algorithmicallyEnhanced"


def remove_background(work: Work, inputs: Inputs) -> Made:
    """The subject over a plain colour, over the first reference, or its matte, as `background` says."""
    chosen = work.choice("background", (*BACKGROUNDS, MATTE))
    matte = cutout.matte()
    frames, fps = _frames(work, inputs)
    alpha = matte.alpha(frames, work.check_cancelled)
    if chosen == MATTE:
        shown = np.repeat(alpha[..., None], 3, axis=3)
    elif inputs.references:
        behind = fitting.cover(inputs.references[0], (frames.shape[2], frames.shape[1]))
        shown = _over(frames, alpha, behind)
    else:
        shown = _over(frames, alpha, np.array(BACKGROUNDS[chosen], np.uint8))
    facts = {
        "made_by": asdict(matte.info),
        "digital_source_type": ENHANCED,
        "background": "reference" if inputs.references and chosen != MATTE else chosen,
        "subject_share": round(float((alpha >= 128).mean()), 4),
    }
    return Made([shown], fps, facts)


def list_objects(work: Work, inputs: Inputs) -> Made:
    """The material as it is, and in the facts what is seen in it, when and where."""
    detector = cutout.detector()
    frames, fps = _frames(work, inputs)
    seen = []
    places = np.unique(np.linspace(0, len(frames) - 1, min(LOOKED_AT, len(frames))).astype(int))
    for number, place in enumerate(places):
        work.check_cancelled()
        things = [asdict(thing) for thing in detector.things(frames[place])]
        seen.append({"seconds": round(float(place) / fps, 3), "things": things})
        work.progress(number / len(places))
    facts = {"made_by": asdict(detector.info), "digital_source_type": ENHANCED, "objects": seen}
    return Made([frames], fps, facts)


def _frames(work: Work, inputs: Inputs) -> tuple[np.ndarray, float]:
    if inputs.clip is not None:
        clip, fps = fitting.clip_of(inputs.clip, inputs.clip_fps, MAX_CLIP_S), inputs.clip_fps
    elif inputs.first is not None:
        clip, fps = inputs.first[None], work.info.fps
    else:
        raise InvalidInput("a clip or a picture is needed")
    return fitting.whole(clip[0], work.info, len(clip)).material(clip), fps


def _over(frames: np.ndarray, alpha: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Each frame over `behind`, (h, w, 3) or one colour (3,)."""
    made = np.empty_like(frames)
    for index, (frame, opaque) in enumerate(zip(frames, alpha, strict=True)):
        share = opaque[..., None].astype(np.float32) / 255
        made[index] = np.clip(frame * share + behind * (1 - share) + 0.5, 0, 255)
    return made


REMOVE_BACKGROUND = OperationSpec(
    remove_background,
    "The subject without its background, or its matte.",
    required=("clip|first",),
    optional=("references",),
    controls=("background",),
    action="c2pa.edited",
    source_type=ENHANCED,
    opens=True,
    lasts="clip",
)
LIST_OBJECTS = replace(
    REMOVE_BACKGROUND,
    run=list_objects,
    says="What is seen in a picture or clip, when and where.",
    optional=(),
    controls=(),
)
