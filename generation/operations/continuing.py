"""Clips that begin with something given and go on: image to video, first and last frame, extension, and
long clips of chained shots."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import Operation
from byline.generation.operations import chain, fitting
from byline.generation.operations.anchoring import FADE_FRAMES, anchored
from byline.generation.operations.base import COMPOSITE, Inputs, Made, OperationSpec
from byline.generation.operations.measures import continuity, ssim
from byline.generation.operations.work import PASSED, Work

LONGEST_S = 120.0
MAX_CLIP_S = 60.0


def image_to_video(work: Work, inputs: Inputs) -> Made:
    """The given picture comes to life: it is the first frame, in the engine's shape."""
    assert inputs.first is not None
    info = work.info
    count = max(2, round(work.brief.seconds * info.fps))
    view = fitting.filling(inputs.first, info, count)
    picture = view.material(inputs.first[None])
    led = work.can(Operation.IMAGE_TO_VIDEO, "image")
    made, links = _begun(work, {"image": view.to_engine(picture)[0]} if led else {}, count)
    shown = _enlarged(work, view, made)
    by_model = ssim(shown[0], picture[0])
    shown, how = anchored(shown, picture[0])
    facts = {
        "made_by": "model",
        "led_by_picture": led,
        "anchor": how,
        "anchor_frames": FADE_FRAMES,
        "first_frame_ssim_of_model": round(by_model, 4),
        "first_frame_ssim": round(ssim(shown[0], picture[0]), 4),
        **chain.facts(links),
    }
    return Made([shown], info.fps, facts)


def first_last_frame(work: Work, inputs: Inputs) -> Made:
    """A clip of the engine's length from the one picture to the other."""
    assert inputs.first is not None
    assert inputs.last is not None
    info = work.info
    if not work.can(Operation.IMAGE_TO_VIDEO, "image", "last_image"):
        raise InvalidInput(
            f"{info.name} does not take a last frame",
            help="Interpolate between the pictures, or use another engine (`byline models list`).",
        )
    views = [fitting.filling(picture, info, info.frames) for picture in (inputs.first, inputs.last)]
    view = min(views, key=lambda one: one.size)
    first, last = (
        fitting.resized(own.material(picture[None])[0], view.size)
        for own, picture in zip(views, (inputs.first, inputs.last), strict=True)
    )
    small = view.to_engine(np.stack([first, last]))
    shown = _enlarged(work, view, work.run(image=small[0], last_image=small[1]))
    by_model = ssim(shown[0], first), ssim(shown[-1], last)
    reach = min(FADE_FRAMES, len(shown) // 2)  # so that neither end reaches into the other
    shown, how = anchored(shown, first, reach)
    backwards, how_last = anchored(shown[::-1], last, reach)
    facts = {
        "made_by": "model",
        "anchor": how,
        "last_anchor": how_last,
        "anchor_frames": reach,
        "first_frame_ssim_of_model": round(by_model[0], 4),
        "last_frame_ssim_of_model": round(by_model[1], 4),
        "first_frame_ssim": round(ssim(backwards[-1], first), 4),
        "last_frame_ssim": round(ssim(backwards[0], last), 4),
    }
    return Made([np.ascontiguousarray(backwards[::-1])], info.fps, facts)


def extend(work: Work, inputs: Inputs) -> Made:
    """The clip as it is, then more of it until there are `seconds`, in one shot at the clip's own speed."""
    info, fps = work.info, inputs.clip_fps
    clip = fitting.clip_of(inputs.clip, fps, MAX_CLIP_S)
    new = round(work.brief.seconds * fps) - len(clip)
    if new < 1:
        raise InvalidInput("an extended clip is longer than the clip", help="Ask for more seconds.")
    view = fitting.whole(clip[0], info, len(clip) + new)
    own = view.material(clip)
    end = fitting.sampled(own[::-1], fps, info.fps)[: info.frames][::-1]
    known = view.to_engine(end)
    made, links = chain.go_on(work, known, max(2, math.ceil(new / fps * info.fps)))
    # The last known frame leads in, so that the first new one is at its place in time.
    added = fitting.retimed(view.visible(np.concatenate([known[-1:], made])), new + 1, view.size)
    fade = round(FADE_FRAMES * fps / info.fps)
    added, how = anchored(added, own[-1], fade, follows=links[0].holds)
    seam = len(own) / fps
    facts = {
        "made_by": "model",
        "anchor": how,
        "seam_s": round(seam, 3),
        "continuity": round(continuity(own, added[1:]), 3),
        "regions": [{"name": "continuation", "seconds": [round(seam, 3), round(seam + new / fps, 3)]}],
        **chain.facts(links),
    }
    return Made([np.concatenate([own, added[1:]])], fps, facts)


def long_video(work: Work, inputs: Inputs) -> Made:
    """One shot as long as asked, chained of the engine's own lengths; from `first` where it is given."""
    if work.brief.seconds > LONGEST_S:
        raise InvalidInput(f"a chained clip has at most {LONGEST_S:g} s", help="Make several clips.")
    if inputs.first is not None:
        return image_to_video(work, inputs)
    made, links = _begun(work, {}, max(2, round(work.brief.seconds * work.info.fps)))
    return Made([made], work.info.fps, {"made_by": "model", **chain.facts(links)})


def _begun(work: Work, led_by: dict[str, Any], count: int) -> tuple[np.ndarray, list[chain.Link]]:
    """`count` frames: the engine's first clip, then as many links as are needed."""
    share = min(1.0, work.info.frames / count)
    made = work.share(0, share).run(**led_by)[:count]
    if len(made) == count:
        return made, []
    more, links = chain.go_on(work.share(share, 1), made, count - len(made))
    return np.concatenate([made, more]), links


def _enlarged(work: Work, view: fitting.View, frames: np.ndarray) -> np.ndarray:
    shown = []
    for frame in frames:
        work.check_cancelled()
        shown.append(view.from_engine(frame))
    return np.stack(shown)


IMAGE_TO_VIDEO = OperationSpec(
    image_to_video,
    "A picture comes to life: it is the first frame.",
    required=("first",),
    controls=PASSED,
    source_type=COMPOSITE,
    lasts="seconds",
)
FIRST_LAST_FRAME = replace(
    IMAGE_TO_VIDEO,
    run=first_last_frame,
    says="A clip that begins with one picture and ends with another.",
    required=("first", "last"),
    lasts="",
)
EXTEND = OperationSpec(
    extend,
    "A clip goes on for some seconds without a jump.",
    required=("clip",),
    controls=PASSED,
    action="c2pa.edited",
    source_type=COMPOSITE,
    opens=True,
    lasts="clip+seconds",
)
LONG_VIDEO = OperationSpec(
    long_video,
    "One clip longer than the engine's own, of shots that go on from one another.",
    optional=("first",),
    controls=PASSED,
    lasts="seconds",
)
