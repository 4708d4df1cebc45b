"""Where the embedded database of one home lives, worked out without touching the disk.

Promises: every process of one installation computes the same socket directory and the same
connection settings from `$BYLINE_HOME` alone, so nothing has to be passed around. Settings may
import this module: it needs no Django and creates nothing (`cluster.py` creates).

`home/database` holds the cluster. When root runs Byline, PostgreSQL runs as another user, who
cannot pass a 0700 home; `home/database` is then a link to a directory under `/var/lib/byline`.
`DATABASE_URL` in the environment means an outside server: nothing of this is used.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from byline.audit.base.errors import ConfigurationError

NAME = "byline"
# Separate roles, so that a hole in the application (say, SQL injected through it) cannot rewrite
# the log: `owner` migrates, `app` serves and works, `sealer` reads entries and writes checkpoints.
ROLES = {"owner": "byline_owner", "app": "byline_app", "sealer": "byline_sealer"}
# sun_path holds 107 bytes; PostgreSQL appends "/.s.PGSQL.5432" and a lock suffix while starting.
_LONGEST_SOCKET_DIRECTORY = 85
_URL_OF_ROLE = {"app": "DATABASE_URL", "owner": "DATABASE_OWNER_URL", "sealer": "DATABASE_SEALER_URL"}


def database_directory(home: Path) -> Path:
    """The cluster's directory (data/, run/, log) as seen from the home; may be a link."""
    return home / "database"


def socket_directory(home: Path) -> Path:
    """Directory of the unix socket as clients name it: below the home, or in /tmp if that is too long."""
    inside = database_directory(home) / "run"
    if len(os.fsencode(inside)) <= _LONGEST_SOCKET_DIRECTORY:
        return inside
    # A guessable name, so `cluster.py` checks the owner and mode before use.
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(f"/tmp/byline-{os.geteuid()}-{digest}")  # noqa: S108


def embedded(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this installation runs its own PostgreSQL."""
    return not environment.get("DATABASE_URL")


def parse_url(url: str) -> dict[str, Any]:
    """Django's NAME, USER, PASSWORD, HOST, PORT, OPTIONS for a libpq URL. ConfigurationError if unusable.

    `?host=/directory` names a unix socket, as libpq has it. The URL itself is never put into an
    error: it may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql", "pgsql"}:
        raise ConfigurationError(
            f"the database URL has the scheme {parts.scheme!r}, not postgresql",
            help="Byline needs PostgreSQL: postgresql://user:password@host:5432/name",
        )
    options = dict(parse_qsl(parts.query))
    try:
        port = options.pop("port", None) or parts.port or ""
    except ValueError as error:
        raise ConfigurationError("the database URL has an unusable port") from error
    return {
        "NAME": unquote(parts.path.lstrip("/")) or NAME,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": str(port),
        "OPTIONS": options,
    }


def role_settings(home: Path, environment: Mapping[str, str] = os.environ) -> dict[str, dict[str, Any]]:
    """Connection settings for each role in `ROLES`.

    Outside server: DATABASE_URL is the app's; DATABASE_OWNER_URL and DATABASE_SEALER_URL default
    to it, so that a small installation may use one role for all and give up the separation.
    """
    if embedded(environment):
        common = {
            "NAME": NAME,
            "PASSWORD": "",
            "HOST": str(socket_directory(home)),
            "PORT": "",
            "OPTIONS": {},
        }
        return {role: {**common, "USER": user} for role, user in ROLES.items()}
    app = environment["DATABASE_URL"]
    return {role: parse_url(environment.get(name) or app) for role, name in _URL_OF_ROLE.items()}
