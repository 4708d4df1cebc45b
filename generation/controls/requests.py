"""A request's controls when it is made: refused at once where nobody could carry them out, and logged."""

import json
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.generation import engines
from byline.generation.controls import fitting, shots
from byline.generation.controls.registry import CONTROLS
from byline.generation.models import GenerationRequest, UploadedInput
from byline.generation.operations import OPERATIONS

DEFAULT = "text_to_video"


def require(row: GenerationRequest) -> None:
    """InvalidInput for an engine that is not configured, or an operation or control that it does not have.

    Weights that are not on this machine may be on the worker's: then the worker is the one who says so.
    """
    name = row.options.get("engine", "default")
    if name not in conf.get("VIDEO_ENGINES"):
        raise InvalidInput("There is no such engine.", help=f"Engines: {', '.join(engines.names())}.")
    asked = set(row.options) & (set(CONTROLS) | operations_own())
    if row.operation == DEFAULT and not asked and not row.negative_prompt:
        return
    if idle := sorted(asked - set(CONTROLS) - set(OPERATIONS[row.operation].controls)):
        raise fitting.NoSuchControl(f"{row.operation.replace('_', ' ')} has no use for {', '.join(idle)}.")
    try:
        fitting.fit(
            engines.load(name),
            row.options,
            row.operation,
            seconds=shots.shown_seconds(row.seconds, row.brand),
            negative_prompt=bool(row.negative_prompt),
        )
    except ConfigurationError:
        return


def operations_own() -> set[str]:
    """Values that some operation has for itself."""
    return {name for spec in OPERATIONS.values() for name in spec.controls} - set(CONTROLS)


def logged(row: GenerationRequest) -> dict[str, Any]:
    """What the log says of operation, inputs and options; {} for a plain request. Files by commitment."""
    found: dict[str, Any] = {}
    if row.operation != DEFAULT:
        found["operation"] = row.operation
    if row.inputs:
        rows = UploadedInput.objects.in_bulk([item["input"] for item in row.inputs])
        from byline.generation.inputs import service

        found["inputs"] = [
            {"role": item["role"], "sha256": service.committed(one)}
            for item in row.inputs
            for pk, one in rows.items()
            if str(pk) == item["input"]
        ]
    if controls := {n: json.dumps(v, sort_keys=True) for n, v in row.options.items() if n in CONTROLS}:
        found["options"] = controls
    return found
