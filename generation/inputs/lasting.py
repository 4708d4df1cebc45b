"""How long the file of a request is whose operation keeps to the time of what it was given.

A clip that is worked on plays at its own speed: the file lasts as long as it, with the brand's closing card.
"""

from __future__ import annotations

from byline.audit.base.errors import InvalidInput
from byline.generation.brands import Brand
from byline.generation.compose import clip_seconds, continuous_seconds
from byline.generation.models import MAX_SECONDS, GenerationRequest, UploadedInput
from byline.generation.operations import OPERATIONS

_SHORTEST_S = 1.0


def seconds(row: GenerationRequest, brand: Brand) -> float:
    """Seconds of the file: those asked for, or what the clip or song makes of them (OperationSpec.lasts).

    InvalidInput when that is too long."""
    lasts = OPERATIONS[row.operation].lasts
    role = "song" if lasts == "song" else "clip"
    given = next((item["input"] for item in row.inputs if item["role"] == role), None)
    if lasts in ("", "seconds") or given is None:
        return row.seconds
    own = UploadedInput.objects.get(pk=given).seconds
    if lasts == "song":
        shown = continuous_seconds(row.seconds, brand)
        return row.seconds if shown <= own else max(_SHORTEST_S, clip_seconds(own, brand))
    whole = own + row.seconds if lasts == "clip+seconds" else own
    found = max(_SHORTEST_S, clip_seconds(whole, brand))
    if found > MAX_SECONDS:
        raise InvalidInput(
            f"The file would last {found:.1f} s, at most {MAX_SECONDS} s are made.",
            help="Trim the clip first.",
        )
    return found
