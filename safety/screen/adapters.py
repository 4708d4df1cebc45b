"""Screeners by role, from the setting SCREENERS: {"role": {"CLASS": dotted path, "CONFIG": {...}}}.

Roles and what each must fulfil stand in base.py. One that is not configured is "unavailable", which the
policy excuses or does not; one that is configured and cannot work is an error at start (E040) and a
failed check, never a pass. A screener is made once per process and configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from byline.audit.base import conf
from byline.audit.base.errors import BylineError, ConfigurationError
from byline.safety.screen.base import ROLES

_made: dict[str, Any] = {}


def load(role: str) -> Any:
    """The screener of a role, None when none is configured. ConfigurationError for a wrong entry."""
    entries = conf.get("SCREENERS")
    if unknown := sorted(set(entries) - set(ROLES)):
        raise ConfigurationError(
            f"SCREENERS has roles that do not exist: {unknown}", help=f"Roles: {', '.join(ROLES)}."
        )
    entry = entries.get(role)
    return None if entry is None else make(role, entry)


def make(role: str, entry: Any) -> Any:
    """Build the screener that one settings entry describes, or give the one built before."""
    from django.utils.module_loading import import_string

    where = f"SCREENERS[{role!r}]"
    if not isinstance(entry, dict) or set(entry) - {"CLASS", "CONFIG"} or "CLASS" not in entry:
        raise ConfigurationError(f"{where} takes CLASS and CONFIG, or None")
    key = json.dumps([role, entry["CLASS"], entry.get("CONFIG", {})], sort_keys=True, default=repr)
    if key not in _made:
        try:
            made = import_string(entry["CLASS"])(**entry.get("CONFIG", {}))
        except ImportError as error:
            raise ConfigurationError(f"{where}: {entry['CLASS']} cannot be imported") from error
        except TypeError as error:
            raise ConfigurationError(f"{where}: CONFIG does not fit {entry['CLASS']}") from error
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}", help=error.help) from error
        if not isinstance(made, ROLES[role]):
            raise ConfigurationError(
                f"{where}: {entry['CLASS']} does not fulfil {ROLES[role].__name__}",
                help="See byline/safety/screen/base.py.",
            )
        _made[key] = made
    return _made[key]


@register(Tags.compatibility)
def check_screeners(app_configs: Any = None, **_: Any) -> Iterable[CheckMessage]:
    """E040: a screener that is wrongly configured, or whose weights are not the pinned ones."""
    try:
        screeners = [screener for role in ROLES if (screener := load(role)) is not None]
        for screener in screeners:
            screener.self_check()
    except BylineError as error:
        yield Error(str(error), hint=error.help, id="byline.E040")
