"""The pictures, clips and masks of a task, checked and made into what pipelines take."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import VideoTask
from byline.generation.engines.families import Call


def given(task: VideoTask, width: int, height: int, call: Call) -> dict[str, Any]:
    """The given pictures, clips and masks as PIL images, once their sizes are known to be right."""

    def picture(value: np.ndarray, what: str) -> Any:
        channels = () if what == "mask" else (3,)
        if value.dtype != np.uint8 or value.shape[2:] != channels or value.ndim < 2:
            raise InvalidInput(f"the {what} is not a picture of eight bits", help="Give uint8 RGB (h, w, 3).")
        if what != "face" and value.shape[:2] != (height, width):
            raise InvalidInput(
                f"the {what} is {value.shape[1]} x {value.shape[0]}, the result {width} x {height}",
                help="Crop or scale it first: stretching it would change what it shows.",
            )
        return Image.fromarray(value)

    found: dict[str, Any] = {}
    for name in ("image", "last_image"):
        if (value := getattr(task, name)) is not None:
            found[name] = picture(value, name)
    for name in ("video", "pose", "face"):
        if (value := getattr(task, name)) is not None:
            found[name] = [picture(frame, name) for frame in value]
    if task.mask is not None:
        masks = [picture(frame, "mask") for frame in (task.mask if task.mask.ndim == 3 else [task.mask])]
        if "video" in call.names and len(masks) == 1:
            masks *= len(found.get("video", ()))
        found["mask"] = masks if "video" in call.names else masks[0]
        if "video" in call.names and len(found.get("video", ())) == len(masks):
            found["video"] = [_greyed(frame, mask) for frame, mask in zip(found["video"], masks, strict=True)]
    if task.references:
        found["references"] = [picture(reference, "reference") for reference in task.references]
    lengths = {
        len(value) for name, value in found.items() if isinstance(value, list) and name != "references"
    }
    if len(lengths) > 1:
        raise InvalidInput("the given clips differ in length", help="Cut them to the same number of frames.")
    needed = {"image", "video", "pose", "face"} & set(call.names)
    if "mask" in call.names and "image" not in call.names:
        needed.discard("video")  # VACE makes a clip from references alone
    if missing := sorted(needed - set(found)):
        raise InvalidInput(
            f"this operation needs {', '.join(missing)}", help="Send it along with the prompt."
        )
    return found


def _greyed(frame: Any, mask: Any) -> Any:
    """The frame with mid grey where the mask is white, as the examples of the VACE pipeline have it (VACE:
    arXiv 2503.07598); a model that is shown the old pixels tends to give them back."""
    return Image.composite(Image.new("RGB", frame.size, (127, 127, 127)), frame, mask.convert("L"))
