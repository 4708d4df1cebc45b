"""The label that GB 45438-2025 (in force since 1 September 2025) wants in a generated file: `AIGC`.

Promises: one JSON object with the standard's seven fields, written under the key AIGC where the
format has keys (MP4 metadata keys, PNG text, ID3 TXXX, RIFF INFO) and as TC260:AIGC in XMP. `read`
takes what others write too: another case of the key, the object wrapped in {"AIGC": ...}, or as a
string within a string; damaged text is no label and no error. It must be written before signing.
Left out: the visible label (generation/compose draws it) and the registration of producers; whether
a label is true. The names of key and namespace are those that products write today (TC260-PG-20258A);
the standard's own text was not at hand, so they are unverified against it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from byline.audit.base.errors import InvalidInput
from byline.provenance import embedding, metadata

KEY = "AIGC"
MEANINGS = {"1": "AI-generated", "2": "possibly AI-generated", "3": "suspected AI-generated"}
_NAMES = {
    "label": "Label",
    "producer": "ContentProducer",
    "produce_id": "ProduceID",
    "reserved1": "ReservedCode1",
    "propagator": "ContentPropagator",
    "propagate_id": "PropagateID",
    "reserved2": "ReservedCode2",
}
_MAX_FIELD = 1000
_MAX_JSON = 16_000


class BadLabel(InvalidInput):
    """A label that may not be written. The message names the field."""

    code = "bad_aigc_label"


@dataclass(frozen=True)
class AigcLabel:
    """`label` is "1" (is), "2" (may be) or "3" (is suspected to be) AI-generated. `reserved1` is the
    producer's own statement that protects the content, here its digest."""

    label: str
    producer: str
    produce_id: str
    reserved1: str = ""
    propagator: str = ""
    propagate_id: str = ""
    reserved2: str = ""

    def as_json(self) -> str:
        """The seven fields in the standard's order. BadLabel for one that does not fit."""
        said = {_NAMES[name]: value for name, value in asdict(self).items()}
        if self.label not in MEANINGS:
            raise BadLabel("Label is 1, 2 or 3")
        if not self.producer.strip() or not self.produce_id.strip():
            raise BadLabel("ContentProducer and ProduceID are needed")
        for name, value in said.items():
            if len(value) > _MAX_FIELD or (value and not value.isprintable()):
                raise BadLabel(f"{name} is too long or unprintable")
        return json.dumps(said, ensure_ascii=True, separators=(",", ":"))


def parse(text: str) -> AigcLabel | None:
    """The label in a text, however its writer wrapped it. None when there is none."""
    if len(text) > _MAX_JSON:
        return None
    found: Any = text
    for _ in range(3):
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except (ValueError, RecursionError):
                return None
        if isinstance(found, Mapping) and len(found) == 1 and next(iter(found)).upper() == KEY:
            found = next(iter(found.values()))
    if not isinstance(found, Mapping) or "Label" not in found:
        return None
    said = {name: _field(found.get(key)) for name, key in _NAMES.items()}
    return AigcLabel(**said)


def _field(value: Any) -> str:
    return str(value)[:_MAX_FIELD] if isinstance(value, str | int | float) else ""


def read(path: Path) -> AigcLabel | None:
    """The label in a file, wherever the format keeps it. OSError as the system gives it."""
    found = embedding.read(path)
    texts = [value for key, value in found.tags if key.upper() == KEY]
    texts.append(metadata.read_xmp(found.xmp).aigc)
    return next((label for text in texts if text and (label := parse(text))), None)


def write(source: Path, destination: Path, said: Mapping[str, str], label: AigcLabel | None = None) -> None:
    """Copy `source` with IPTC fields in XMP and, when given, the label. For files that are not signed yet.

    embedding.SignedFile for a signed file, embedding.NoMetadata for a format that holds none.
    """
    text = label.as_json() if label else ""
    tags = {KEY: text} if label else {}
    embedding.write(source, destination, xmp=metadata.xmp_packet(said, aigc=text), tags=tags)
