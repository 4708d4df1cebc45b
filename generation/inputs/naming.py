"""What a manifest says of an editor's own material and of what was done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from byline.generation.operations import OPERATIONS
from byline.provenance.ingredients import DIGEST, Ingredient
from byline.provenance.manifest import Operation

_OPENED = ("clip", "first")  # what an operation that opens a file works on, in this order
_FRAMES = "algorithmicallyEnhanced"


def ingredients(used: Sequence[Mapping[str, Any]], made: Mapping[str, Any]) -> list[Ingredient]:
    """One for each input: parentOf for what was opened, componentOf where its pixels are in the result,
    inputTo where it only steered. Named by SHA-256, but not a file that shows a consented person."""
    name = made["operation"]["name"]
    spec = OPERATIONS[name]
    roles = {one["role"] for one in used}
    parent = next((role for role in _OPENED if role in roles), "") if spec.opens else ""
    in_result = made["operation"].get("digital_source_type", spec.source_type) != "trainedAlgorithmicMedia"
    found = []
    for number, one in enumerate(used, start=1):
        facts = [("org.byline.role", one["role"])]
        if not one["person"]:
            facts.append((DIGEST, one["sha256"]))
        shown = in_result and one["kind"] in ("picture", "clip")
        relation = "parentOf" if one["role"] == parent else "componentOf" if shown else "inputTo"
        found.append(
            Ingredient(
                f"uploaded {one['kind']} {number}",
                relation,  # type: ignore[arg-type]
                one["licence"],
                credentials=one["credentials"],
                facts=tuple(facts),
            )
        )
    return found


def steps(made: Mapping[str, Any]) -> list[Operation]:
    """What was done to an opened file, and to finished frames."""
    operation = made["operation"]
    spec = OPERATIONS[operation["name"]]
    found = []
    if spec.opens:
        kind = operation.get("digital_source_type", spec.source_type)
        words = f"{operation['name'].replace('_', ' ')}, by {made['model']} {made['model_version']}"
        found.append(Operation(spec.action, words, kind))
    by_frames = {
        name: fact for name, fact in made["controls"].items() if fact.get("by") not in (None, "model")
    }
    for name, fact in by_frames.items():
        if name in ("camera", "brush", "fx", "motion"):
            words = f"{name}: {fact['by']}"
            found.append(
                Operation("c2pa.edited", words, _FRAMES, parameters={"org.byline.control": {name: fact}})
            )
    return found
