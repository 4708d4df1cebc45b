"""Plug-ins by name, from a setting `{"default": {"CLASS": dotted path, "CONFIG": {...}}}`.

CONFIG becomes the class's keyword arguments; an unknown or missing one is a configuration error at
start and not a surprise in the middle of a job.
"""

import inspect
from collections.abc import Mapping
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError

_KEYS = {"CLASS", "CONFIG"}


def load(setting: str, name: str, what: str) -> Any:
    """The plug-in called `name`; `what` is the word for it in errors, e.g. "voice"."""
    configured: Mapping[str, Any] = conf.get(setting)
    if name not in configured:
        known = ", ".join(sorted(configured)) or "none"
        raise ConfigurationError(f"no {what} named {name!r} in BYLINE['{setting}'] (there are: {known})")
    return build(configured[name], where=f"BYLINE['{setting}'][{name!r}]")


def build(entry: Mapping[str, Any], *, where: str) -> Any:
    """Make a plug-in from one entry of a setting; `where` is named in the error."""
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
    return cls(**config)
