"""Video engines by name, from the setting VIDEO_ENGINES: {"name": {"CLASS": dotted path, "CONFIG": {...}}}.

Adding one is a file with a class that fulfils `base.VideoEngine`, and a line in the settings.
An engine is made once per process and configuration; its weights load when it first generates.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError
from byline.generation.engines.base import (
    Adapter,
    EngineExample,
    EngineInfo,
    Operation,
    VideoEngine,
    VideoTask,
)

__all__ = [
    "Adapter",
    "EngineExample",
    "EngineInfo",
    "Operation",
    "VideoEngine",
    "VideoTask",
    "load",
    "make",
    "names",
]

PARTS = ("info", "record", "generate", "self_check", "examples")
_made: dict[str, VideoEngine] = {}


def names() -> tuple[str, ...]:
    """The configured engines' names."""
    return tuple(_settings())


def load(name: str = "default") -> VideoEngine:
    """The engine of that name. Raises ConfigurationError for an unknown name or a wrong entry."""
    entries = _settings()
    if name not in entries:
        known = ", ".join(sorted(entries)) or "none"
        raise ConfigurationError(
            f"no video engine is called {name!r}",
            help=f"Configured engines: {known} (setting VIDEO_ENGINES).",
        )
    return make(name, entries[name])


def make(name: str, entry: Any) -> VideoEngine:
    """Build the engine that one settings entry describes, or give the one built before."""
    if not isinstance(entry, dict) or not isinstance(entry.get("CLASS"), str):
        raise ConfigurationError(
            f"VIDEO_ENGINES[{name!r}] needs a CLASS", help='Give {"CLASS": "dotted.path.Class"}.'
        )
    config = entry.get("CONFIG", {})
    unknown = set(entry) - {"CLASS", "CONFIG"}
    if unknown or not isinstance(config, dict) or not all(isinstance(key, str) for key in config):
        raise ConfigurationError(
            f"VIDEO_ENGINES[{name!r}] holds something other than CLASS and a CONFIG of named values",
            help="Allowed keys are CLASS and CONFIG.",
        )
    key = json.dumps([entry["CLASS"], config], sort_keys=True, default=repr)
    if key not in _made:
        module, _, attribute = entry["CLASS"].rpartition(".")
        try:
            factory = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(
                f"VIDEO_ENGINES[{name!r}]: {entry['CLASS']} cannot be imported", help="Check the dotted path."
            ) from error
        engine = factory(**config)
        if not all(hasattr(type(engine), part) for part in PARTS):  # on the class: `info` may read files
            raise ConfigurationError(
                f"{entry['CLASS']} is not a video engine",
                help="It must fulfil byline.generation.engines.base.VideoEngine.",
            )
        _made[key] = engine
    return _made[key]


def _settings() -> dict[str, Any]:
    entries = conf.get("VIDEO_ENGINES")
    if not isinstance(entries, dict):
        raise ConfigurationError("VIDEO_ENGINES is not a mapping of names to engines")
    return entries
