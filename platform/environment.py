"""Reads Byline's settings from the environment: `BYLINE_LEASE_S=2` sets `BYLINE["LEASE_S"]`.

Promises: every name in `conf.DEFAULTS` can be set this way, values have the type of the default,
and a name that means nothing is reported (platform/checks.py) instead of silently ignored.
"""

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from byline.audit.base.conf import DEFAULTS
from byline.audit.base.errors import ConfigurationError

PREFIX = "BYLINE_"
# Not settings: who this process is, which database role it has, and where root keeps databases.
OTHER_NAMES = {"BYLINE_PROCESS", "BYLINE_DB_ROLE", "BYLINE_STATE_DIR"}


def overrides(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The `BYLINE` setting from the environment. ConfigurationError names a value of the wrong type."""
    found: dict[str, Any] = {}
    for name, default in DEFAULTS.items():
        text = environment.get(PREFIX + name)
        if text:
            found[name] = _parse(name, text, default)
    return found


def unknown_names(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Names that begin with BYLINE_ and mean nothing to us: most likely a typing error."""
    known = {PREFIX + name for name in DEFAULTS} | OTHER_NAMES
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in known)


def flag(name: str, default: bool = False, environment: Mapping[str, str] = os.environ) -> bool:
    """A yes-or-no variable such as DEBUG. ConfigurationError for anything but 0/1, no/yes, false/true."""
    text = environment.get(name, "").strip().lower()
    if not text:
        return default
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise ConfigurationError(f"{name} must be 0 or 1", help=f"Set {name}=1 or unset it.")


def is_loopback(url: str) -> bool:
    """Whether a URL or HOST:PORT names this machine alone. A name is never looked up."""
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parse(name: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            return json.loads(text.lower())
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
        if isinstance(default, tuple):
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if isinstance(default, dict):
            value = json.loads(text)
            if not isinstance(value, dict):
                raise ValueError("not an object")
            return value
    except ValueError as error:
        kind = "a JSON object" if isinstance(default, dict) else f"of type {type(default).__name__}"
        raise ConfigurationError(
            f"{PREFIX}{name} must be {kind}", help=f"Correct {PREFIX}{name} or unset it."
        ) from error
    return Path(text) if isinstance(default, Path) or name in {"POLICY_FILE", "REVIEW_FILE"} else text
