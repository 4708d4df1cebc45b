"""Typed values from an engine's CONFIG: the same rules and the same words for every engine."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from byline.audit.base.errors import ConfigurationError

Config = TypeVar("Config")
CORRECT = "Correct VIDEO_ENGINES in the settings."


def read(kind: type[Config], given: dict[str, Any], engine: str) -> Config:
    """A frozen dataclass from a settings mapping; a field's type is that of its default.

    ConfigurationError names the first key that is unknown or of another type. Whole numbers are
    taken where a float stands; True is no number.
    """
    types = {f.name: type(f.default) for f in fields(kind)}  # type: ignore[arg-type]
    for key, value in given.items():
        if key not in types:
            raise ConfigurationError(
                f"{engine} has no setting {key!r}", help=f"Known settings: {', '.join(sorted(types))}."
            )
        wanted = types[key]
        if wanted is tuple and isinstance(value, list):
            given = given | {key: tuple(value)}
            continue
        fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise ConfigurationError(
                f"{engine} setting {key} must be {wanted.__name__}, not {type(value).__name__}", help=CORRECT
            )
    return kind(**given)


def require(engine: str, *rules: tuple[bool, str], help: str = CORRECT) -> None:
    """ConfigurationError with the text of the first rule that does not hold."""
    for holds, message in rules:
        if not holds:
            raise ConfigurationError(f"{engine}: {message}", help=help)
