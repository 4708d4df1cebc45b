"""Voices by name, from the setting VOICES: `{"default": {"CLASS": dotted path, "CONFIG": {...}}}`.

CONFIG becomes the class's keyword arguments; an unknown or missing one is a configuration error at
start and not a surprise in the middle of a job.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError
from byline.generation.voices.base import Voice

_KEYS = {"CLASS", "CONFIG"}


def load(name: str = "default") -> Voice:
    """The voice configured under `name`. ConfigurationError names the setting that is wrong."""
    configured: Mapping[str, Any] = conf.get("VOICES")
    if name not in configured:
        known = ", ".join(sorted(configured)) or "none"
        raise ConfigurationError(f"no voice named {name!r} in BYLINE['VOICES'] (there are: {known})")
    return build(configured[name], where=f"BYLINE['VOICES'][{name!r}]")


def build(entry: Mapping[str, Any], *, where: str) -> Voice:
    """Make a voice from one entry of the setting; `where` is named in the error."""
    from django.utils.module_loading import import_string

    unknown = set(entry) - _KEYS
    if unknown or "CLASS" not in entry:
        raise ConfigurationError(f"{where} takes CLASS and CONFIG; unknown: {sorted(unknown)}")
    try:
        cls = import_string(entry["CLASS"])
    except ImportError as error:
        raise ConfigurationError(f"{where}: cannot import {entry['CLASS']!r}: {error}") from error
    config = dict(entry.get("CONFIG") or {})
    try:
        inspect.signature(cls).bind(**config)
    except TypeError as error:
        raise ConfigurationError(f"{where}: CONFIG does not fit {entry['CLASS']}: {error}") from error
    voice: Voice = cls(**config)
    return voice
