"""Actions of a manifest: which names may be claimed, and how one becomes an entry of `c2pa.actions.v2`.

Promises (C2PA 2.4 section 18.15, conformance 0.2): only names of the specification or reverse-DNS
names leave here, because the C2PA library signs any name; every action that changes what is seen or
heard carries a digitalSourceType, `c2pa.opened` never does; descriptions stand beside the parameters,
where version 2 wants them; own parameters have a dot in their name. The specification has no action
for inpainting, so `inpainted` is `c2pa.edited` by a trained model with the region that was filled.
Left out: `c2pa.redacted` (we redact nothing) and the deprecated names.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from byline.audit.base.errors import InvalidInput

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI_SOURCE_TYPES = {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"}
SOURCE_TYPES = AI_SOURCE_TYPES | {
    "algorithmicMedia",
    "algorithmicallyEnhanced",
    "composite",
    "compositeCapture",
    "computationalCapture",
    "dataDrivenMedia",
    "digitalCapture",
    "digitalCreation",
    "humanEdits",
    "negativeFilm",
    "positiveFilm",
    "print",
    "screenCapture",
    "virtualRecording",
}
INCEPTION = {"c2pa.created", "c2pa.opened"}
# Nothing a viewer would notice: these may go without a source type (conformance 0.2).
_NON_EDITORIAL = {
    "c2pa.converted",
    "c2pa.edited.metadata",
    "c2pa.enhanced",
    "c2pa.published",
    "c2pa.repackaged",
    "c2pa.resized.proportional",
    "c2pa.transcoded",
    "c2pa.watermarked.bound",
    "c2pa.watermarked.unbound",
}
ACTIONS = (
    INCEPTION
    | _NON_EDITORIAL
    | {
        "c2pa.addedText",
        "c2pa.adjustedColor",
        "c2pa.changedSpeed",
        "c2pa.cropped",
        "c2pa.deleted",
        "c2pa.drawing",
        "c2pa.dubbed",
        "c2pa.edited",
        "c2pa.filtered",
        "c2pa.mastered",
        "c2pa.mixed",
        "c2pa.orientation",
        "c2pa.placed",
        "c2pa.remixed",
        "c2pa.removed",
        "c2pa.resized",
        "c2pa.translated",
        "c2pa.trimmed",
        "c2pa.unknown",
    }
)
# What a program without a trained model does to pictures that are there, or draws from given text.
_BY_DEFAULT = {
    "c2pa.addedText": "algorithmicMedia",
    "c2pa.changedSpeed": "algorithmicallyEnhanced",
    "c2pa.cropped": "algorithmicallyEnhanced",
    "c2pa.orientation": "algorithmicallyEnhanced",
    "c2pa.resized": "algorithmicallyEnhanced",
    "c2pa.resized.proportional": "algorithmicallyEnhanced",
    "c2pa.transcoded": "algorithmicallyEnhanced",
    "c2pa.trimmed": "algorithmicallyEnhanced",
    "c2pa.watermarked.bound": "algorithmicallyEnhanced",
}
_NEEDS_INGREDIENT = {"c2pa.opened", "c2pa.placed", "c2pa.removed"}
_NO_SOURCE_TYPE = {"c2pa.opened", "c2pa.placed"}
_STANDARD_PARAMETERS = {"sourceLanguage", "targetLanguage", "multipleInstances"}
_OWN_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[A-Za-z0-9_-]+)+")
MAX_TEXT = 300


class BadAction(InvalidInput):
    """An action that may not be claimed as it is. The message names what is wrong with it."""

    code = "bad_action"


@dataclass(frozen=True)
class Region:
    """Where and when something was changed: `box` is (left, top, width, height) in per cent of the
    picture, `seconds` (start, end) of the clip. At least one of the two."""

    name: str
    description: str = ""
    box: tuple[float, float, float, float] | None = None
    seconds: tuple[float, float] | None = None

    def entry(self) -> dict[str, Any]:
        """The region-map of C2PA 2.4 section 18.2. BadAction outside the picture or before its start."""
        ranges: list[dict[str, Any]] = []
        if self.box is not None:
            left, top, width, height = (float(value) for value in self.box)
            inside = all(map(math.isfinite, (left, top, width, height)))
            if not inside or min(left, top) < 0 or min(width, height) <= 0:
                raise BadAction("a region lies outside the picture")
            if left + width > 100.001 or top + height > 100.001:
                raise BadAction("a region lies outside the picture")
            shape = {"type": "rectangle", "unit": "percent", "origin": {"x": left, "y": top}}
            ranges.append({"type": "spatial", "shape": shape | {"width": width, "height": height}})
        if self.seconds is not None:
            start, end = (float(value) for value in self.seconds)
            if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
                raise BadAction("a region's times are not in order")
            ranges.append(
                {"type": "temporal", "time": {"type": "npt", "start": f"{start:g}", "end": f"{end:g}"}}
            )
        if not ranges:
            raise BadAction("a region says neither where nor when")
        found: dict[str, Any] = {"region": ranges, "name": self.name[:MAX_TEXT]}
        if self.description:
            found["description"] = self.description[:MAX_TEXT]
        return found


@dataclass(frozen=True)
class Operation:
    """One action, e.g. Operation("c2pa.addedText", "title, captions and label drawn in").

    `source_type` is an IPTC digital source type without its address; "" takes the one that a program
    without a trained model has. `ingredients` are keys of ingredients (see ingredients.py).
    """

    action: str
    description: str
    source_type: str = ""
    regions: tuple[Region, ...] = ()
    ingredients: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def entry(self, agent: Mapping[str, str]) -> dict[str, Any]:
        """The action-items-map-v2. BadAction for a name, type or parameter that may not be claimed."""
        _check(self)
        found: dict[str, Any] = {"action": self.action, "softwareAgent": dict(agent)}
        if self.description:
            found["description"] = self.description[:MAX_TEXT]
        if source := self.source_type or _BY_DEFAULT.get(self.action, ""):
            found["digitalSourceType"] = IPTC + source
        if self.regions:
            found["changes"] = [region.entry() for region in self.regions]
        parameters = dict(self.parameters)
        if self.ingredients:
            parameters["ingredientIds"] = list(self.ingredients)  # the library makes them hashed URIs
        if parameters:
            found["parameters"] = parameters
        return found


def inpainted(description: str, regions: Sequence[Region]) -> Operation:
    """Part of the picture was filled by a trained model. Needs the regions: what was invented, and where."""
    if not regions:
        raise BadAction("inpainting without a region does not say what was invented")
    return Operation("c2pa.edited", description, "trainedAlgorithmicMedia", tuple(regions))


def _check(operation: Operation) -> None:
    name = operation.action
    if name.startswith("c2pa.") and name not in ACTIONS:
        raise BadAction(f"{name[:60]} is no action of C2PA 2.4 that we claim")
    if not name.startswith("c2pa.") and not _OWN_NAME.fullmatch(name):
        raise BadAction("an action of one's own is named in reverse DNS, e.g. org.example.colourised")
    if operation.source_type and operation.source_type not in SOURCE_TYPES:
        raise BadAction(f"{name} has no known digital source type")
    if operation.source_type and name in _NO_SOURCE_TYPE:
        raise BadAction(f"{name} carries no digital source type: its ingredient speaks for itself")
    typed = operation.source_type or name in _BY_DEFAULT
    if not typed and name not in _NON_EDITORIAL and name not in _NO_SOURCE_TYPE:
        raise BadAction(f"{name} changes what is seen or heard and needs a digital source type")
    if name in _NEEDS_INGREDIENT and not operation.ingredients:
        raise BadAction(f"{name} names no ingredient")
    if name == "c2pa.opened" and len(operation.ingredients) != 1:
        raise BadAction("c2pa.opened names exactly one ingredient")
    wrong = [key for key in operation.parameters if key not in _STANDARD_PARAMETERS and "." not in key]
    if wrong:
        raise BadAction("a parameter of one's own is named in reverse DNS")
