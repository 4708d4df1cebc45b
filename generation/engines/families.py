"""How each model family is called: one table from our controls to the names of diffusers' pipelines.

A family is a set of pipelines that share their parts, so that weights loaded once serve several
operations. What a call does not name, the family cannot do, and a task that asks for it is refused;
nothing is dropped in silence. Facts are those of diffusers 0.42 (pinned in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from byline.generation.engines.base import Operation

ALWAYS = frozenset({"prompt", "seed", "still"})  # every engine understands these
MOTION_BUCKETS = 255  # of Stable Video Diffusion: motion_bucket_id 1 (still) to 255 (lively)

_TEXT = {"prompt": "prompt", "negative_prompt": "negative_prompt"}
_SIZE = {"width": "width", "height": "height", "steps": "num_inference_steps"}
_STILL = {**_TEXT, **_SIZE, "guidance": "guidance_scale"}
_CLIP = {**_STILL, "frames": "num_frames"}
_LONG_AS_GIVEN = {**_STILL, "video": "video"}  # as many frames as the given clip has


@dataclass(frozen=True)
class Call:
    """One operation: the pipeline class, our control -> its argument, and what is always passed.

    `with_negative` is added when a negative prompt is given: models whose guidance is distilled only
    heed one with true classifier-free guidance, at twice the cost.
    """

    pipeline: str
    names: Mapping[str, str]
    ramp: bool = False  # its guidance may change along the frames, see ramps.py
    fixed: Mapping[str, Any] = field(default_factory=dict)
    with_negative: Mapping[str, Any] = field(default_factory=dict)
    convert: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """`denoisers` and `encoders` name components of the pipeline. `guider` says that guidance is a
    component of its own; `lora` that diffusers loads LoRA weights for these pipelines."""

    name: str
    calls: Mapping[Operation, Call]
    lora: bool
    denoisers: tuple[str, ...] = ("transformer",)
    encoders: tuple[str, ...] = ("text_encoder",)
    guider: bool = False


def _svd_motion(value: float) -> int:
    return max(1, round(value * MOTION_BUCKETS))


_FLOW_NEGATIVE = {"true_cfg_scale": 4.0}

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "wan",
            {
                Operation.TEXT_TO_VIDEO: Call("WanPipeline", _CLIP, ramp=True),
                Operation.IMAGE_TO_VIDEO: Call(
                    "WanImageToVideoPipeline",
                    {**_CLIP, "image": "image", "last_image": "last_image"},
                    ramp=True,
                ),
                Operation.VIDEO_TO_VIDEO: Call(
                    "WanVideoToVideoPipeline", {**_LONG_AS_GIVEN, "strength": "strength"}, ramp=True
                ),
                Operation.EDIT: Call(
                    "WanVACEPipeline",
                    {
                        **_CLIP,
                        "video": "video",
                        "mask": "mask",
                        "references": "reference_images",
                        "strength": "conditioning_scale",
                    },
                ),
                Operation.ANIMATE: Call(
                    "WanAnimatePipeline",
                    {**_STILL, "image": "image", "pose": "pose_video", "face": "face_video"},
                    fixed={"mode": "animate"},
                ),
            },
            lora=True,
            denoisers=("transformer", "transformer_2"),
        ),
        Family(
            "ltx",
            {
                Operation.TEXT_TO_VIDEO: Call("LTXPipeline", {**_CLIP, "fps": "frame_rate"}),
                Operation.IMAGE_TO_VIDEO: Call(
                    "LTXImageToVideoPipeline", {**_CLIP, "fps": "frame_rate", "image": "image"}
                ),
            },
            lora=True,
        ),
        # LTX-2 makes sound with the pictures. It is not used: no stage has judged or marked it.
        Family(
            "ltx2",
            {
                Operation.TEXT_TO_VIDEO: Call("LTX2Pipeline", {**_CLIP, "fps": "frame_rate"}),
                Operation.IMAGE_TO_VIDEO: Call(
                    "LTX2ImageToVideoPipeline", {**_CLIP, "fps": "frame_rate", "image": "image"}
                ),
            },
            lora=True,
        ),
        Family(
            "cogvideox",
            {
                Operation.TEXT_TO_VIDEO: Call("CogVideoXPipeline", _CLIP),
                Operation.IMAGE_TO_VIDEO: Call("CogVideoXImageToVideoPipeline", {**_CLIP, "image": "image"}),
                Operation.VIDEO_TO_VIDEO: Call(
                    "CogVideoXVideoToVideoPipeline", {**_LONG_AS_GIVEN, "strength": "strength"}
                ),
            },
            lora=True,
        ),
        Family(
            "hunyuan",
            {Operation.TEXT_TO_VIDEO: Call("HunyuanVideoPipeline", _CLIP, with_negative=_FLOW_NEGATIVE)},
            lora=True,
            encoders=("text_encoder", "text_encoder_2"),
        ),
        Family(
            "hunyuan15",
            {
                Operation.TEXT_TO_VIDEO: Call(
                    "HunyuanVideo15Pipeline", {**_TEXT, **_SIZE, "frames": "num_frames"}
                )
            },
            lora=False,
            encoders=("text_encoder", "text_encoder_2"),
            guider=True,
        ),
        Family("mochi", {Operation.TEXT_TO_VIDEO: Call("MochiPipeline", _CLIP, ramp=True)}, lora=True),
        Family(
            "svd",
            {
                Operation.IMAGE_TO_VIDEO: Call(
                    "StableVideoDiffusionPipeline",
                    {
                        **_SIZE,
                        "frames": "num_frames",
                        "image": "image",
                        "fps": "fps",
                        "motion": "motion_bucket_id",
                        "guidance": "min_guidance_scale",
                        "guidance_end": "max_guidance_scale",
                    },
                    convert={"fps": round, "motion": _svd_motion},
                )
            },
            lora=False,
            denoisers=("unet",),
            encoders=("image_encoder",),
        ),
        Family(
            "animatediff",
            {
                Operation.TEXT_TO_VIDEO: Call("AnimateDiffPipeline", _CLIP),
                Operation.VIDEO_TO_VIDEO: Call(
                    "AnimateDiffVideoToVideoPipeline", {**_LONG_AS_GIVEN, "strength": "strength"}
                ),
            },
            lora=True,
            denoisers=("unet",),
        ),
        # ModelScope and Zeroscope: a U-Net of 2023, whose pipeline diffusers keeps but no longer changes.
        Family(
            "modelscope",
            {Operation.TEXT_TO_VIDEO: Call("TextToVideoSDPipeline", _CLIP)},
            lora=True,
            denoisers=("unet",),
        ),
        # The Open-Sora class: diffusion transformers after Sora's report that diffusers can run.
        Family(
            "latte",
            {
                Operation.TEXT_TO_VIDEO: Call(
                    "LattePipeline", {**_STILL, "frames": "video_length"}, fixed={"clean_caption": False}
                )
            },
            lora=False,
        ),
        Family(
            "allegro",
            {Operation.TEXT_TO_VIDEO: Call("AllegroPipeline", _CLIP, fixed={"clean_caption": False})},
            lora=False,
        ),
        Family(
            "stable-diffusion-3",
            {
                Operation.TEXT_TO_IMAGE: Call("StableDiffusion3Pipeline", _STILL),
                Operation.IMAGE_TO_IMAGE: Call(
                    "StableDiffusion3Img2ImgPipeline", {**_STILL, "image": "image", "strength": "strength"}
                ),
                Operation.INPAINT: Call(
                    "StableDiffusion3InpaintPipeline",
                    {**_STILL, "image": "image", "mask": "mask_image", "strength": "strength"},
                ),
            },
            lora=True,
            encoders=("text_encoder", "text_encoder_2", "text_encoder_3"),
        ),
        Family(
            "flux",
            {
                Operation.TEXT_TO_IMAGE: Call("FluxPipeline", _STILL, with_negative=_FLOW_NEGATIVE),
                Operation.IMAGE_TO_IMAGE: Call(
                    "FluxImg2ImgPipeline",
                    {**_STILL, "image": "image", "strength": "strength"},
                    with_negative=_FLOW_NEGATIVE,
                ),
                Operation.INPAINT: Call(
                    "FluxInpaintPipeline",
                    {**_STILL, "image": "image", "mask": "mask_image", "strength": "strength"},
                    with_negative=_FLOW_NEGATIVE,
                ),
            },
            lora=True,
            encoders=("text_encoder", "text_encoder_2"),
        ),
    )
}


def controls(family: Family, operation: Operation) -> frozenset[str]:
    """The controls of `VideoTask` that this operation of the family takes."""
    named = set(family.calls[operation].names) | ALWAYS
    if family.guider:
        named.add("guidance")
    if family.calls[operation].ramp:
        named.add("guidance_end")
    return frozenset(named)
