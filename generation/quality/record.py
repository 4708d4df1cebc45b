"""The quality record of an asset: what the stages measured, with their versions, and what people said."""

from typing import Any

from byline.generation.models import GenerationRequest
from byline.generation.quality import preferences
from byline.generation.quality.measures import NOT_CHECKED

LIMITS = (
    "Generated pictures get cause and effect, physics, counts and text wrong. The measures describe the"
    " pictures; they are no verdict on whether what is shown is true."
)


def of(request: GenerationRequest) -> dict[str, Any]:
    """{"measures", "flags", "tries", "opinions", "limits"}; a measure without a value is "not checked"."""
    runs = {run.stage: run.evidence for run in request.runs.filter(current=True)}
    looked = runs.get("quality", {})
    return {
        "measures": [*looked.get("measures", []), _loudness(runs)],
        "flags": looked.get("flags", []),
        "tries": runs.get("engine", {}).get("tries", []),
        "opinions": preferences.opinions(request),
        "limits": LIMITS,
    }


def _loudness(runs: dict[str, Any]) -> dict[str, Any]:
    said = {"name": "loudness", "about": "sound", "unit": "LUFS, EBU R128", "version": "pyloudnorm"}
    value = runs.get("watermark", {}).get("loudness_lufs")
    if value is None:
        why = "the clip has no sound" if "watermark" in runs else "the clip was not composed"
        return {**said, "status": NOT_CHECKED, "why": why}
    return {**said, "status": "measured", "value": value}
