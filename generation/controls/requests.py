"""A request's controls when it is made: refused at once where nobody could carry them out, and logged."""

import json
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.generation import engines
from byline.generation.controls import fitting, shots
from byline.generation.controls.registry import CONTROLS
from byline.generation.inputs import service
from byline.generation.models import GenerationRequest, UploadedInput

DEFAULT = "text_to_video"


def require(row: GenerationRequest) -> None:
    """InvalidInput for an engine that is not configured, or an operation or control that it does not have.

    Weights that are not on this machine may be on the worker's: then the worker is the one who says so.
    """
    name = row.options.get("engine", "default")
    if name not in conf.get("VIDEO_ENGINES"):
        raise InvalidInput("There is no such engine.", help=f"Engines: {', '.join(engines.names())}.")
    if row.operation == DEFAULT and not set(row.options) & set(CONTROLS) and not row.negative_prompt:
        return  # a plain request needs no look at the engine's weights
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


def logged(row: GenerationRequest) -> dict[str, Any]:
    """What the log says of operation, inputs and options; {} for a plain request. Files by commitment."""
    found: dict[str, Any] = {}
    if row.operation != DEFAULT:
        found["operation"] = row.operation
    if row.inputs:
        wanted = [item["input"] for item in row.inputs]
        rows = {str(one.pk): one for one in UploadedInput.objects.filter(pk__in=wanted)}
        found["inputs"] = [
            {"role": item["role"], "sha256": service.committed(rows[item["input"]])} for item in row.inputs
        ]
    if controls := {n: json.dumps(v, sort_keys=True) for n, v in row.options.items() if n in CONTROLS}:
        found["options"] = controls
    return found
