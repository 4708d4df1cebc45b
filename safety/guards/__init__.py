"""Guards by name, from the setting MODERATORS: {"name": {"CLASS": dotted path, "CONFIG": {...}}}.

Adding one is a file with a class that fulfils `base.Guard`, and a line in the settings. None is
configured by default: the embedded tier works without one. A guard is made once per process and
configuration; its weights load when it first scores.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError
from byline.safety.guards.base import Guard

__all__ = ["Guard", "configured", "make"]

_made: dict[str, Guard] = {}


def configured() -> Mapping[str, Guard]:
    """The guards of this installation. ConfigurationError names the entry that is wrong."""
    if "DJANGO_SETTINGS_MODULE" not in os.environ:
        return {}
    entries = conf.get("MODERATORS")
    if not isinstance(entries, dict):
        raise ConfigurationError("MODERATORS is not a mapping of names to guards")
    return {name: make(name, entry) for name, entry in entries.items()}


def make(name: str, entry: Any) -> Guard:
    """Build the guard that one settings entry describes, or give the one built before."""
    from django.utils.module_loading import import_string

    where = f"MODERATORS[{name!r}]"
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,40}", name):
        raise ConfigurationError(f"{where}: a short name of small letters is needed")
    if not isinstance(entry, dict) or set(entry) - {"CLASS", "CONFIG"} or "CLASS" not in entry:
        raise ConfigurationError(f"{where} takes CLASS and CONFIG")
    key = json.dumps([entry["CLASS"], entry.get("CONFIG", {})], sort_keys=True, default=repr)
    if key not in _made:
        try:
            factory = import_string(entry["CLASS"])
        except ImportError as error:
            raise ConfigurationError(f"{where}: {entry['CLASS']} cannot be imported") from error
        try:
            guard = factory(**entry.get("CONFIG", {}))
        except TypeError as error:
            raise ConfigurationError(f"{where}: CONFIG does not fit {entry['CLASS']}") from error
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}", help=error.help) from error
        if not isinstance(guard, Guard):
            raise ConfigurationError(
                f"{where}: {entry['CLASS']} is no guard",
                help="It must fulfil byline.safety.guards.base.Guard.",
            )
        _made[key] = guard
    return _made[key]
