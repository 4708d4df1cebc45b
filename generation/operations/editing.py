"""Clips and pictures changed by words: video to video, restyled stills, a region, a larger canvas, and one
edited key frame carried to the others.

What lies outside a mask is the editor's own, pixel by pixel, at the material's own speed and shape.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import Operation
from byline.generation.operations import anchoring, fitting, masks
from byline.generation.operations.base import COMPOSITE, Inputs, Made, OperationSpec
from byline.generation.operations.measures import psnr, structure, warp_error
from byline.generation.operations.work import PASSED, Work

MAX_CLIP_S = 60.0
MAX_WINDOWS = 32
OVERLAP = 4  # frames that two windows of a long clip share and fade over
FEATHER = 0.02  # of the picture's short side
_ASPECT = re.compile(r"(\d{1,2}):(\d{1,2})")


def video_to_video(work: Work, inputs: Inputs) -> Made:
    """The clip in other words or another style; `strength` 0 keeps it, 1 forgets it."""
    info = work.info
    clip = fitting.clip_of(inputs.clip, inputs.clip_fps, MAX_CLIP_S)
    strength = _strength(work)
    if not work.can(Operation.VIDEO_TO_VIDEO, "video"):
        raise InvalidInput(f"{info.name} does not redraw clips", help="`byline models list` shows which do.")
    heard = fitting.sampled(clip, inputs.clip_fps, info.fps)
    view = fitting.whole(clip[0], info, len(heard))
    own = view.material(heard)
    made = _by_windows(work, view.to_engine(own), strength)
    shown = np.stack([view.from_engine(frame) for frame in made])
    facts = {
        "made_by": "model",
        **(strength or {"strength": "the engine's own"}),
        "structure": round(float(np.mean([structure(a, b) for a, b in zip(own, shown, strict=True)])), 4),
    }
    return Made([shown], info.fps, facts)


def restyle(work: Work, inputs: Inputs) -> Made:
    """A still in another style, as one frame."""
    assert inputs.first is not None
    strength = _strength(work)
    view = fitting.whole(inputs.first, work.info, 1)
    own = view.material(inputs.first[None])
    small = view.to_engine(own)
    if work.can(Operation.IMAGE_TO_IMAGE, "image", "still"):
        made, how = work.run(still=True, image=small[0], **strength), "model"
    elif work.can(Operation.VIDEO_TO_VIDEO, "video"):
        held = np.repeat(small, work.info.frames, axis=0)
        made = work.run(video=held, **strength)[work.info.frames // 2][None]
        how = "model, middle frame of a held picture"
    else:
        raise InvalidInput(f"{work.info.name} does not redraw pictures", help="Use another engine.")
    shown = view.from_engine(made[0])
    facts = {
        "made_by": how,
        **(strength or {"strength": "the engine's own"}),
        "structure": round(structure(own[0], shown), 4),
    }
    return Made([shown[None]], work.info.fps, facts)


def modify_region(work: Work, inputs: Inputs) -> Made:
    """What the mask shows becomes what the words say; everything else stays as it is."""
    frames, fps = _material(inputs, work)
    assert inputs.mask is not None
    return _edited(work, frames, fps, masks.checked(inputs.mask, frames), "modified region")


def expand_canvas(work: Work, inputs: Inputs) -> Made:
    """More is seen around the picture, so that it has the `aspect` asked for; the picture itself stays."""
    frames, fps = _material(inputs, work)
    found = _ASPECT.fullmatch(str(work.brief.controls.get("aspect") or ""))
    if not found or "0" in found.groups():
        raise InvalidInput("a larger canvas needs its aspect", help="For example 16:9, 9:16 or 1:1.")
    larger, added = masks.extended(frames, (int(found[1]), int(found[2])))
    return _edited(work, larger, fps, masks.checked(added, larger), "canvas around the picture")


def propagate_edit(work: Work, inputs: Inputs) -> Made:
    """The change that an edited first frame (`first`) makes, on every frame of the clip, along its motion."""
    assert inputs.first is not None
    clip = fitting.clip_of(inputs.clip, inputs.clip_fps, MAX_CLIP_S)
    if not masks.same_shape(inputs.first.shape[:2], clip.shape[1:3]):
        raise InvalidInput(
            "the edited frame has another shape than the clip", help="Edit the clip's first frame."
        )
    view = fitting.whole(clip[0], work.info, len(clip))
    own, edited = view.material(clip), fitting.resized(inputs.first, view.size)
    work.check_cancelled()
    made = anchoring.carried(own, edited, np.ones(len(own)))
    facts = {
        "made_by": "optical flow",
        "digital_source_type": PROPAGATE_EDIT.source_type,
        "warp_error_given": round(warp_error(own), 3),
        "warp_error": round(warp_error(made), 3),
    }
    return Made([made], inputs.clip_fps, facts)


def _strength(work: Work) -> dict[str, Any]:
    """The strength asked for; without one the engine takes its own, which fits its schedule."""
    if work.brief.controls.get("strength") is None:
        return {}
    return {"strength": work.number("strength", 1, 0, 1)}


def _material(inputs: Inputs, work: Work) -> tuple[np.ndarray, float]:
    """The clip, or the picture as one frame."""
    if inputs.clip is not None:
        return fitting.clip_of(inputs.clip, inputs.clip_fps, MAX_CLIP_S), inputs.clip_fps
    assert inputs.first is not None
    return inputs.first[None], work.info.fps


def _edited(work: Work, frames: np.ndarray, fps: float, mask: np.ndarray, what: str) -> Made:
    """`frames` (T, h, w, 3) with what the model makes of them where `mask` (T, h, w) lets it."""
    view = fitting.whole(frames[0], work.info, len(frames))
    own = view.material(frames)
    allowed = np.stack(
        [np.where(fitting.resized(m, view.size) >= 128, 255, 0).astype(np.uint8) for m in mask]
    )
    still = len(frames) == 1
    made, how = _filled(work, view, own, allowed, fps, still)
    shown = fitting.retimed(view.visible(made), len(own), view.size)
    feather = max(1.0, FEATHER * min(view.size))
    result = np.empty_like(own)
    for index, (given, new, m) in enumerate(zip(own, shown, allowed, strict=True)):
        work.check_cancelled()
        result[index] = masks.composite(given, masks.tinted(given, new, m), m, feather)
    left, top, width, height = masks.box(allowed)
    facts = {
        "made_by": how,
        "outside_psnr": round(psnr(result, own, allowed < 128), 2),
        "feather_px": round(feather, 1),
        "changed_share": round(float((allowed >= 128).mean()), 4),
        "regions": [{"name": what, "box": [left, top, width, height]}],
    }
    return Made([result], fps, facts)


def _filled(
    work: Work, view: fitting.View, own: np.ndarray, allowed: np.ndarray, fps: float, still: bool
) -> tuple[np.ndarray, str]:
    """The engine's frames for the masked parts, in its size and speed, and what it was shown for them."""
    if still and work.can(Operation.INPAINT, "image", "mask", "still"):
        small, small_mask = view.to_engine(own)[0], _small(view, allowed)[0]
        return work.run(still=True, image=small, mask=small_mask), "model, shown what lies around"
    heard = view.to_engine(own if still else fitting.sampled(own, fps, work.info.fps))
    if work.can(Operation.EDIT, "video", "mask"):
        small_mask = _small(view, allowed if still else fitting.sampled(allowed, fps, work.info.fps))
        return _by_windows(work, heard, {}, small_mask), "model, shown what lies around"
    if work.can(Operation.VIDEO_TO_VIDEO, "video"):
        strength = _strength(work)
        return _by_windows(work, heard, strength), "model, redrawn from the whole picture"
    raise InvalidInput(
        f"{work.info.name} does not change given pictures", help="`byline models list` shows which do."
    )


def _small(view: fitting.View, mask: np.ndarray) -> np.ndarray:
    """Masks in the engine's size: 255 wherever any pixel behind may change."""
    return np.where(view.to_engine(mask) > 0, 255, 0).astype(np.uint8)


def _by_windows(
    work: Work, frames: np.ndarray, more: dict[str, Any], mask: np.ndarray | None = None
) -> np.ndarray:
    """`frames` (T, h, w, 3) of the engine's size redrawn in windows of its length, faded into each other."""
    length = work.info.frames
    spans = list(fitting.windows(len(frames), length, min(OVERLAP, length - 1)))
    if len(spans) > MAX_WINDOWS:
        raise InvalidInput(
            f"the clip needs {len(spans)} passes of this engine, at most {MAX_WINDOWS} are made",
            help="Trim it first.",
        )
    made = np.empty(frames.shape, np.float32)
    done = 0
    for number, (start, end) in enumerate(spans):
        given = {"video": fitting.padded(frames[start:end], length)} | more
        if mask is not None:
            given["mask"] = fitting.padded(mask[start:end], length)
        new = work.part(number, len(spans)).run(**given)[: end - start].astype(np.float32)
        shared = done - start
        rising = (np.arange(shared, dtype=np.float32) + 1) / (shared + 1)
        rising = rising.reshape(-1, 1, 1, 1)
        made[start:done] = made[start:done] * (1 - rising) + new[:shared] * rising
        made[done:end] = new[shared:]
        done = end
    return np.clip(made + 0.5, 0, 255).astype(np.uint8)


VIDEO_TO_VIDEO = OperationSpec(
    video_to_video,
    "A clip in another style or with another subject, its structure kept.",
    required=("clip",),
    controls=("strength", *PASSED),
    action="c2pa.edited",
    source_type=COMPOSITE,
    opens=True,
    lasts="clip",
)
RESTYLE = replace(
    VIDEO_TO_VIDEO, run=restyle, says="A still in another style.", required=("first",), lasts=""
)
MODIFY_REGION = replace(
    VIDEO_TO_VIDEO,
    run=modify_region,
    says="What a mask shows becomes something else; the rest stays, pixel by pixel.",
    required=("clip|first", "mask"),
)
EXPAND_CANVAS = replace(
    VIDEO_TO_VIDEO,
    run=expand_canvas,
    says="More is seen around a clip or picture, up to another aspect.",
    required=("clip|first",),
    controls=("aspect", "strength", *PASSED),
)
PROPAGATE_EDIT = replace(
    VIDEO_TO_VIDEO,
    run=propagate_edit,
    says="An edited first frame's change on all frames of its clip.",
    required=("clip", "first"),
    controls=(),
    source_type="humanEdits",
)
