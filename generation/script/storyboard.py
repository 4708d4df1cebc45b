"""A storyboard: the ordered shots of a film, each with title, seconds, what is seen and what is said.

It is a value: frozen dataclasses that a person edits as JSON and every step takes as it is. `SCHEMA`
(JSON Schema 2020-12) is the contract with editors and programs; `parse` accepts nothing else. The
texts are drafts: each is moderated like a typed one when its shot is made, and nothing here makes any.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from byline.audit.base.errors import InvalidInput
from byline.generation.intake import MAX_LENGTHS
from byline.generation.models import MAX_SECONDS

VERSION = 1
MAX_SHOTS = 120
SHORTEST_S = 1.0
_TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Byline storyboard",
    "type": "object",
    "additionalProperties": False,
    "required": ["version", "title", "language", "shots"],
    "properties": {
        "version": {"const": VERSION},
        "title": {**_TEXT, "maxLength": MAX_LENGTHS["title"]},
        "language": {**_TEXT, "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"},
        "shots": {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_SHOTS,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["title", "seconds", "visual", "audio"],
                "properties": {
                    "title": {**_TEXT, "maxLength": MAX_LENGTHS["title"]},
                    "seconds": {"type": "number", "minimum": SHORTEST_S, "maximum": MAX_SECONDS},
                    "visual": {**_TEXT, "pattern": r"\S", "maxLength": MAX_LENGTHS["prompt"]},
                    "audio": {**_TEXT, "maxLength": MAX_LENGTHS["voice_over"]},
                },
            },
        },
        "analysis": {
            "type": "object",
            "additionalProperties": False,
            "required": ["summary", "keywords", "sentiment", "method"],
            "properties": {
                "summary": {**_TEXT, "maxLength": 4000},
                "keywords": {"type": "array", "maxItems": 20, "items": {**_TEXT, "maxLength": 200}},
                "sentiment": {"type": ["number", "null"], "minimum": -1, "maximum": 1},
                "method": {**_TEXT, "maxLength": 400},
            },
        },
        "source": {
            "type": "object",
            "additionalProperties": False,
            "required": ["kind", "sha256", "sentences", "used"],
            "properties": {
                "kind": {"enum": ["brief", "text", "docx", "srt", "html", "page"]},
                "sha256": {**_TEXT, "pattern": "^[0-9a-f]{64}$"},
                "address": {**_TEXT, "maxLength": 2048},
                "sentences": {"type": "integer", "minimum": 0},
                "used": {"type": "integer", "minimum": 0},
            },
        },
        "writer": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name", "version", "method", "licence"],
            "properties": {
                "name": {**_TEXT, "maxLength": 200},
                "version": {**_TEXT, "maxLength": 100},
                "method": {"enum": ["template", "extractive", "language model"]},
                "licence": {**_TEXT, "maxLength": 200},
                "sha256": {**_TEXT, "pattern": "^([0-9a-f]{64})?$"},
                "fallback": {**_TEXT, "maxLength": 300},
            },
        },
    },
}


class InvalidStoryboard(InvalidInput):
    code = "invalid_storyboard"
    help = "`byline script schema` prints what a storyboard looks like."


@dataclass(frozen=True)
class Shot:
    """`visual` is the prompt of the pictures, `audio` what the voice says ("": nothing)."""

    title: str
    seconds: float
    visual: str
    audio: str = ""


@dataclass(frozen=True)
class Analysis:
    """What the source says, in short. `sentiment` from -1 to 1, None where it was not checked."""

    summary: str = ""
    keywords: tuple[str, ...] = ()
    sentiment: float | None = None
    method: str = ""


@dataclass(frozen=True)
class Source:
    """Where the words came from. `used` of its `sentences` are spoken; the rest was left out on purpose."""

    kind: str
    sha256: str
    sentences: int
    used: int
    address: str = ""


@dataclass(frozen=True)
class Writer:
    """Who drafted it. `fallback` says why another writer's answer was not taken, "" where none was asked.

    `sha256` is the digest of a language model's weights.
    """

    name: str
    version: str
    method: str
    licence: str
    sha256: str = ""
    fallback: str = ""


@dataclass(frozen=True)
class Storyboard:
    title: str
    language: str
    shots: tuple[Shot, ...]
    analysis: Analysis | None = None
    source: Source | None = None
    writer: Writer | None = None

    @property
    def seconds(self) -> float:
        return sum(shot.seconds for shot in self.shots)

    def edited(self, number: int, **changes: Any) -> "Storyboard":
        """With the shot at index `number` changed."""
        shot = replace(self.shots[number], **changes)
        return self._with(*self.shots[:number], shot, *self.shots[number + 1 :])

    def inserted(self, number: int, shot: Shot) -> "Storyboard":
        return self._with(*self.shots[:number], shot, *self.shots[number:])

    def removed(self, number: int) -> "Storyboard":
        return self._with(*self.shots[:number], *self.shots[number + 1 :])

    def moved(self, number: int, to: int) -> "Storyboard":
        """With the shot at `number` standing at index `to` of the result."""
        rest = [*self.shots[:number], *self.shots[number + 1 :]]
        rest.insert(to, self.shots[number])
        return self._with(*rest)

    def _with(self, *shots: Shot) -> "Storyboard":
        changed = replace(self, shots=shots)
        parse(as_dict(changed))
        return changed


def as_dict(storyboard: Storyboard) -> dict[str, Any]:
    """The JSON form. Parts that are not known are left out."""
    parts = {name: part for name, part in asdict(storyboard).items() if part is not None}
    plain: dict[str, Any] = json.loads(json.dumps({"version": VERSION, **parts}))
    return plain


def parse(value: Any) -> Storyboard:
    """The storyboard of a JSON value. InvalidStoryboard names place and rule, never the text."""
    from jsonschema import Draft202012Validator

    wrong = min(
        Draft202012Validator(SCHEMA).iter_errors(value), key=lambda error: error.json_path, default=None
    )
    if wrong is not None:
        raise InvalidStoryboard(f"{wrong.json_path} breaks the rule {wrong.validator!r} of the schema")
    shots = tuple(Shot(**{**shot, "seconds": float(shot["seconds"])}) for shot in value["shots"])
    analysis = value.get("analysis")
    return Storyboard(
        title=value["title"],
        language=value["language"],
        shots=shots,
        analysis=Analysis(**{**analysis, "keywords": tuple(analysis["keywords"])}) if analysis else None,
        source=Source(**value["source"]) if value.get("source") else None,
        writer=Writer(**value["writer"]) if value.get("writer") else None,
    )


def loads(text: str | bytes) -> Storyboard:
    """The storyboard of a JSON text. InvalidStoryboard also where it is no JSON."""
    try:
        value: Mapping[str, Any] = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidStoryboard("this is not JSON") from error
    return parse(value)


def dumps(storyboard: Storyboard) -> str:
    return json.dumps(as_dict(storyboard), indent=2, ensure_ascii=False) + "\n"


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
