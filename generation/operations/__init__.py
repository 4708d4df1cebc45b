"""Operations on an editor's own pictures, clips and songs, and long clips made of several shots.

`make` is the one way in: it checks what was given, runs the operation on an engine and returns shots with
the facts for evidence and manifest. Adding an operation is a function of the type `Run` and a line below.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import VideoEngine
from byline.generation.operations import between, continuing, cutting, depicted, editing, plain, rhythm
from byline.generation.operations.base import (
    COMPOSITE,
    Brief,
    Inputs,
    Made,
    OperationSpec,
    require_inputs,
)
from byline.generation.operations.work import Work

__all__ = ["OPERATIONS", "Brief", "Inputs", "Made", "OperationSpec", "make"]

OPERATIONS: Mapping[str, OperationSpec] = MappingProxyType(
    {
        "text_to_video": plain.TEXT_TO_VIDEO,
        "still": plain.STILL,
        "image_to_video": continuing.IMAGE_TO_VIDEO,
        "first_last_frame": continuing.FIRST_LAST_FRAME,
        "extend": continuing.EXTEND,
        "long_video": continuing.LONG_VIDEO,
        "interpolate": between.INTERPOLATE,
        "infill": between.INFILL,
        "video_to_video": editing.VIDEO_TO_VIDEO,
        "restyle": editing.RESTYLE,
        "modify_region": editing.MODIFY_REGION,
        "expand_canvas": editing.EXPAND_CANVAS,
        "propagate_edit": editing.PROPAGATE_EDIT,
        "music_cuts": rhythm.MUSIC_CUTS,
        "audio_pulse": rhythm.AUDIO_PULSE,
        "remove_background": cutting.REMOVE_BACKGROUND,
        "list_objects": cutting.LIST_OBJECTS,
    }
)


def make(
    name: str,
    engine: VideoEngine,
    brief: Brief,
    inputs: Inputs,
    progress: Callable[[float], None],
    check_cancelled: Callable[[], None],
) -> Made:
    """Run the operation called `name`, one of OPERATIONS. `progress` gets 0..1, rising.

    The facts hold, beside the operation's own: "operation"; "digital_source_type" of the result; "drawn",
    whether people in it can only be the engine's pictograms. Raises InvalidInput for an unknown name,
    missing or unusable inputs and what the engine cannot do; DepictedPerson; EngineFailed and
    MissingWeights as the engine does; whatever `check_cancelled` raises.
    """
    if name not in OPERATIONS:
        raise InvalidInput("there is no such operation", help=f"Operations: {', '.join(OPERATIONS)}.")
    spec = OPERATIONS[name]
    require_inputs(name, spec, inputs)
    depicted.require_unchanged(brief, inputs)
    check_cancelled()
    made = spec.run(Work(engine, brief, progress, check_cancelled), inputs)
    progress(1.0)
    shown = any(p is not None for p in (inputs.first, inputs.last, inputs.clip)) or bool(inputs.references)
    general = {
        "operation": name,
        "digital_source_type": COMPOSITE if shown else spec.source_type,
        "drawn": engine.info.drawn and not shown,
    }
    return Made(made.shots, made.fps, general | dict(made.facts))
