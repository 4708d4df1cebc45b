"""Weights on this machine: one folder per model below MODELS_DIR, and the lock that says what is in it.

`byline models pull` writes folder and lock (pulling.py); everything else only reads them. The lock holds
the SHA-256 of every file, so that weights which changed since are refused before a pipeline loads them,
and so that the manifest can name what ran. In production (DEBUG off) a lock must be pinned: by the
registry, which knew the revision before the download, or by the operator, who looked at it after.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.engines.registry import ModelEntry

LOCK = "byline-lock.json"
BY_REGISTRY, BY_OPERATOR, BY_NOBODY = "registry", "operator", ""
_WEIGHTS = (".safetensors", ".bin")


class WeightsChanged(ConfigurationError):
    """A file is not what the lock or the registry says. Nothing is loaded."""

    code = "weights_changed"


class Unpinned(ConfigurationError):
    """Nobody has said that these are the weights to run here."""

    code = "weights_unpinned"


@dataclass(frozen=True)
class LockedFile:
    """`mtime_ns` spares reading 30 GB at every start: a file of the same size and time is trusted."""

    sha256: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Lock:
    """What a pull brought: `sources` maps "" and the names of parts to "repository@revision"."""

    model: str
    sources: Mapping[str, str]
    files: Mapping[str, LockedFile]
    pinned_by: str = BY_NOBODY
    pulled_at: str = ""

    @property
    def revision(self) -> str:
        """The revision of the model itself: a commit, or a digest where it came from a folder."""
        return self.sources[""].rpartition("@")[2]

    @property
    def weight_bytes(self) -> int:
        return sum(file.size for path, file in self.files.items() if path.endswith(_WEIGHTS))

    def digest(self, *folders: str) -> str:
        """SHA-256 over paths and SHA-256 of the weights, all of them or those in these folders.

        A tokenizer has no weights; its files count when its folder is asked for.
        """
        chosen = {
            path: file.sha256
            for path, file in self.files.items()
            if (path.partition("/")[0] in folders if folders else path.endswith(_WEIGHTS))
        }
        return total_sha256(chosen)


def total_sha256(files: Mapping[str, str]) -> str:
    """One SHA-256 for many files, given as path -> SHA-256."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{path} {files[path]}\n".encode())
    return total.hexdigest()


def file_sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def root() -> Path:
    """Where all models lie."""
    return Path(conf.get("MODELS_DIR") or conf.home() / "models")


def folder(entry: ModelEntry) -> Path:
    return root() / entry.id


def locked_file(file: Path) -> LockedFile:
    stat = file.stat()
    return LockedFile(file_sha256(file), stat.st_size, stat.st_mtime_ns)


def read_lock(entry: ModelEntry) -> Lock:
    """The lock of a model that was pulled. MissingWeights says how to get one that was not."""
    file = folder(entry) / LOCK
    try:
        data = json.loads(file.read_text())
        files = {path: LockedFile(**facts) for path, facts in data.pop("files").items()}
        return Lock(files=files, **data)
    except FileNotFoundError as error:
        raise MissingWeights(
            f"the weights of {entry.id} are not on this machine",
            help=f"Run `byline models pull {entry.id}`, or `--from FOLDER` where there is no network.",
        ) from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsChanged(
            f"the lock of {entry.id} cannot be read", help=f"Run `byline models pull {entry.id}` again."
        ) from error


def write_lock(place: Path, lock: Lock) -> None:
    """Replace the lock in `place` as a whole."""
    private = place / f"{LOCK}.part"
    private.write_text(json.dumps(asdict(lock), indent=1, sort_keys=True) + "\n")
    os.replace(private, place / LOCK)


def pin(entry: ModelEntry) -> Lock:
    """The operator's word that what lies here, checked byte by byte, is to run."""
    lock = replace(verify(entry, full=True), pinned_by=BY_OPERATOR)
    write_lock(folder(entry), lock)
    return lock


def verify(entry: ModelEntry, *, full: bool = False) -> Lock:
    """Compare every file with the lock; `full` reads those too that seem untouched.

    MissingWeights: no lock, or a file is gone. WeightsChanged: other bytes, or weights nobody locked.
    """
    lock, place = read_lock(entry), folder(entry)
    for path, known in lock.files.items():
        file = place / path
        if not file.is_file():
            raise MissingWeights(
                f"{entry.id}: {path} is gone", help=f"Run `byline models pull {entry.id}` again."
            )
        stat = file.stat()
        untouched = (stat.st_size, stat.st_mtime_ns) == (known.size, known.mtime_ns)
        if (full or not untouched) and file_sha256(file) != known.sha256:
            raise WeightsChanged(
                f"{entry.id}: {path} is not the file that was pulled",
                help="Find out who changed it, then pull the model again.",
            )
    for file in place.rglob("*"):
        if file.suffix in _WEIGHTS and str(file.relative_to(place)) not in lock.files:
            raise WeightsChanged(
                f"{entry.id}: {file.relative_to(place)} is in no lock", help="Remove it, or pull again."
            )
    return lock


def ready(entry: ModelEntry) -> Lock:
    """`verify`, and the pin that production asks for. Raises Unpinned with the command that pins."""
    from django.conf import settings

    lock = verify(entry)
    if not settings.DEBUG and lock.pinned_by == BY_NOBODY:
        raise Unpinned(
            f"nobody has pinned the weights of {entry.id} at {lock.revision}",
            help=f"Look at `byline models show {entry.id}`, then run `byline models pin {entry.id}`.",
        )
    return lock


def encoder_identity(entry: ModelEntry, lock: Lock) -> str:
    """Name and digest of what turns the prompt into numbers, for the manifest."""
    found = []
    for name in entry.family.encoders:
        config = folder(entry) / name / "config.json"
        if not config.is_file():
            continue
        facts = json.loads(config.read_text())
        kind = (facts.get("architectures") or [facts.get("model_type", name)])[0]
        tokenizer = name.replace("text_encoder", "tokenizer")
        found.append(f"{kind} sha256:{lock.digest(name, tokenizer)}")
    return "; ".join(found) or "none"
