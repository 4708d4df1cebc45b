"""The register of entry kinds: a namespaced name and a typed payload schema for each.

Promise: nothing is logged under an unknown kind, with a field too few or too many, or of another
type. Each room registers its kinds in `<room>/audit_kinds.py`, imported when its app is ready.
Left out: the shape inside a `dict` or `list` field; canonical.py still bounds its values.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, get_args

from byline.audit.base.errors import BylineError

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_PLAIN = {str, int, bool, dict, list, type(None)}


class Hex64(str):
    """Field type for hashes and commitments: 64 lowercase hex digits, so no prompt slips in by mistake."""

    __slots__ = ()


FieldType = type | UnionType


class KindError(BylineError):
    """An entry does not fit its kind, or a kind is registered wrongly: a defect of the caller."""

    code = "audit_kind"
    help = "See the kinds registered in the room's audit_kinds.py."


@dataclass(frozen=True)
class Kind:
    name: str
    required: Mapping[str, FieldType]
    optional: Mapping[str, FieldType] = field(default_factory=dict)


_kinds: dict[str, Kind] = {}


def _types(declared: FieldType) -> tuple[Any, ...]:
    return get_args(declared) if isinstance(declared, UnionType) else (declared,)


def register(
    name: str,
    *,
    required: Mapping[str, FieldType],
    optional: Mapping[str, FieldType] | None = None,
) -> Kind:
    """Declare a kind such as "generation.asset". Field types: str, int, bool, dict, list, Hex64, or a
    union with None. Repeating the same declaration is harmless; a different one raises KindError."""
    kind = Kind(name, dict(required), dict(optional or {}))
    if not _NAME.fullmatch(name):
        raise KindError(f"{name!r} is not a namespaced kind such as generation.asset")
    if set(kind.required) & set(kind.optional):
        raise KindError(f"{name}: a field is both required and optional")
    for label, declared in {**kind.required, **kind.optional}.items():
        if not set(_types(declared)) <= _PLAIN | {Hex64}:
            raise KindError(f"{name}: field {label} has a type that JSON does not keep")
    if _kinds.setdefault(name, kind) != kind:
        raise KindError(f"{name} is registered twice with different fields")
    return kind


def names() -> list[str]:
    """All registered kinds, sorted."""
    return sorted(_kinds)


def _fits(value: Any, declared: FieldType) -> bool:
    for item in _types(declared):
        if item is Hex64:
            if isinstance(value, str) and _HEX64.fullmatch(value):
                return True
        elif type(value) is item:  # not isinstance: True is no int, and a str subclass hides its meaning
            return True
    return False


def check(name: str, payload: Mapping[str, Any]) -> None:
    """Raise KindError unless the kind is known and the payload has exactly its fields and types."""
    kind = _kinds.get(name)
    if kind is None:
        raise KindError(f"{name!r} is not a registered kind")
    missing = sorted(set(kind.required) - set(payload))
    extra = sorted(set(payload) - set(kind.required) - set(kind.optional))
    if missing or extra:
        raise KindError(f"{name}: missing {missing}, not in the schema {extra}")
    for label, value in payload.items():
        declared = kind.required.get(label) or kind.optional[label]
        if not _fits(value, declared):
            raise KindError(f"{name}: field {label} is {type(value).__name__}, not {declared}")
