"""Operations on an editor's own pictures, clips and songs, and long clips made of several shots.

`make` is the one way in: it checks what was given, runs the operation on an engine and returns shots with
the facts for evidence and manifest. Adding an operation is a function of the type `Run` and a line below.
"""

from collections.abc import Mapping
from types import MappingProxyType

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import VideoEngine
from byline.generation.operations import plain
from byline.generation.operations.base import (
    Brief,
    CheckCancelled,
    Inputs,
    Made,
    OperationSpec,
    Progress,
    require_inputs,
)

__all__ = ["OPERATIONS", "Brief", "Inputs", "Made", "OperationSpec", "make"]

OPERATIONS: Mapping[str, OperationSpec] = MappingProxyType({"text_to_video": plain.TEXT_TO_VIDEO})


def make(
    name: str,
    engine: VideoEngine,
    brief: Brief,
    inputs: Inputs,
    progress: Progress,
    check_cancelled: CheckCancelled,
) -> Made:
    """Run the operation called `name`, one of OPERATIONS. `progress` gets 0..1, rising.

    Raises InvalidInput for an unknown name, missing or unusable inputs and what the engine cannot do;
    EngineFailed and MissingWeights as the engine does; whatever `check_cancelled` raises.
    """
    if name not in OPERATIONS:
        raise InvalidInput("there is no such operation", help=f"Operations: {', '.join(OPERATIONS)}.")
    spec = OPERATIONS[name]
    require_inputs(name, spec, inputs)
    check_cancelled()
    return spec.run(engine, brief, inputs, progress, check_cancelled)
