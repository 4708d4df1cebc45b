"""What an input is for in a request: one word per role, the kind of file it takes, and how many.

Roles carry the names of `operations.Inputs`; `brush` is the mask of a motion brush (controls/brush.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from byline.audit.base.errors import InvalidInput
from byline.generation.models import UploadedInput
from byline.generation.operations import OPERATIONS, OperationSpec

ROLES = {
    "first": "picture",
    "last": "picture",
    "clip": "clip",
    "mask": "mask",
    "references": "picture",
    "song": "song",
    "brush": "mask",
}
MAX_REFERENCES = 4


class UnknownInput(InvalidInput):
    code = "unknown_input"
    help = "Upload the file first (POST /inputs) and send the id that it got."


def resolve(
    given: Mapping[str, Any], operation: str, owner: str, controls: Mapping[str, Any]
) -> list[dict[str, str]]:
    """{role: id, "references": [id, ...]} as stored with a request: [{"role", "input", "sha256"}].

    InvalidInput for an unknown operation or role, a file of another kind, one that the operation has no use
    for or one that is missing; UnknownInput for one that is not this owner's, or forgotten.
    """
    spec = specification(operation)
    if not isinstance(given, Mapping) or not all(isinstance(role, str) for role in given):
        raise InvalidInput("inputs is a mapping of roles to ids.", help=f"Roles: {', '.join(ROLES)}.")
    found: list[dict[str, str]] = []
    for role, value in given.items():
        if role not in ROLES:
            raise InvalidInput("There is no such role of an input.", help=f"Roles: {', '.join(ROLES)}.")
        for one in _ids(role, value):
            row = _row(one, owner)
            if row.kind != ROLES[role]:
                raise InvalidInput(f"The input for {role} is a {row.kind}, not a {ROLES[role]}.")
            found.append({"role": role, "input": str(row.pk), "sha256": row.sha256})
    _require_fit(spec, operation, {item["role"] for item in found}, controls)
    return found


def specification(operation: str) -> OperationSpec:
    """The operation of that name. InvalidInput lists the others."""
    if operation not in OPERATIONS:
        raise InvalidInput("There is no such operation.", help=f"Operations: {', '.join(OPERATIONS)}.")
    return OPERATIONS[operation]


def _ids(role: str, value: Any) -> Sequence[Any]:
    if role != "references":
        return [value]
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_REFERENCES:
        raise InvalidInput(f"references are 1 to {MAX_REFERENCES} ids.")
    return value


def _row(one: Any, owner: str) -> UploadedInput:
    try:
        row = UploadedInput.objects.filter(pk=UUID(str(one)), owner=owner, forgotten_at=None).first()
    except ValueError:
        row = None
    if row is None:
        raise UnknownInput("There is no such input of yours.")
    return row


def _require_fit(spec: OperationSpec, operation: str, roles: set[str], controls: Mapping[str, Any]) -> None:
    words = operation.replace("_", " ")
    wanted = [one.split("|") for one in spec.required]
    missing = [" or ".join(names) for names in wanted if not roles & set(names)]
    if missing:
        raise InvalidInput(
            f"{words} needs {', '.join(missing)}.", help="Upload it and send it along in inputs."
        )
    usable = {name for names in wanted for name in names} | set(spec.optional) | {"brush"}
    if idle := sorted(roles - usable):
        raise InvalidInput(
            f"{words} has no use for {', '.join(idle)}.", help=f"It takes {', '.join(sorted(usable))}."
        )
    if ("brush" in roles) != ("brush" in controls):
        raise InvalidInput(
            "A motion brush is a mask (inputs.brush) and a direction (options.brush), together."
        )
