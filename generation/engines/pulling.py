"""Bringing weights here: from a model hub or a folder, each file hashed and compared before it counts.

Compared with whatever is known beforehand: the registry's `files`, an earlier pinned lock of the same
revision, and the hub's own statement (SHA-256 of large files, git's object id of small ones). A pull
works in a folder beside the model's and replaces it at the end, so that a model is whole or absent;
what was downloaded before an interruption is used again. No code and, unless the entry says so, no
pickle is taken.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.generation.engines import weights
from byline.generation.engines.registry import COMMIT, UNPINNED, ModelEntry
from byline.generation.engines.weights import Lock, LockedFile, WeightsChanged

INDEX = "model_index.json"
_PLAIN = (".json", ".txt", ".model", ".jinja")  # settings, vocabularies, SentencePiece models
_VARIANTS = re.compile(r"\.(fp16|bf16|non_ema)\b")

Report = Callable[[str, int, int], None]  # file, bytes so far, bytes in all


class PullFailed(ConfigurationError):
    """The source could not be read, or does not hold the model."""

    code = "pull_failed"


@dataclass(frozen=True)
class Offered:
    """A file of a source. `sha256` or `git_sha1` as the source states them, "" where it does not."""

    path: str
    size: int
    sha256: str = ""
    git_sha1: str = ""


def no_report(file: str, done: int, total: int) -> None:
    """Where nobody watches."""


def pull(
    entry: ModelEntry,
    *,
    revision: str = "",
    source: Path | None = None,
    report: Report = no_report,
) -> Lock:
    """Bring the model here and lock it. `revision` overrides the registry's; `source` is a folder in
    diffusers' layout, read instead of the hub. PullFailed, WeightsChanged, InvalidInput; on any of
    them the model that was here before stays as it was.
    """
    if revision and not COMMIT.fullmatch(revision):
        raise InvalidInput("a revision is a full commit hash", help="Copy the 40 hex digits from the hub.")
    staging = weights.root() / f".{entry.id}.part"
    staging.mkdir(parents=True, exist_ok=True)
    if source is not None:
        sources = _copy(entry, source, staging, revision, report)
    else:
        sources = _download(entry, staging, revision, report)
    files = {
        str(f.relative_to(staging)): weights.locked_file(f)
        for f in sorted(staging.rglob("*"))
        if f.is_file() and ".cache" not in f.relative_to(staging).parts
    }
    _compare(entry, sources, files)
    named = not revision and source is None and entry.pinned
    lock = Lock(
        entry.id,
        sources,
        files,
        weights.BY_REGISTRY if named or entry.files else weights.BY_NOBODY,
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    shutil.rmtree(staging / ".cache", ignore_errors=True)
    weights.write_lock(staging, lock)
    _replace(staging, weights.folder(entry))
    return lock


def wanted(entry: ModelEntry, paths: Iterable[str], components: Iterable[str]) -> list[str]:
    """The files of a pipeline's repository that its components need, in one precision. Pure.

    Left out: code, other precisions, single-file copies at the top, components that the entry goes
    without, and pickles; where the entry's format is "bin", a component without safetensors keeps them.
    """
    folders = set(components) - set(entry.without)
    kept: list[str] = [INDEX]
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        top, slash, rest = path.partition("/")
        if slash and top in folders and "/" not in rest:
            by_folder.setdefault(top, []).append(path)
    for inside in by_folder.values():
        kept += [path for path in inside if path.endswith(_PLAIN) and not _is_weights(path)]
        chosen = _one_precision([path for path in inside if ".safetensors" in path], entry.variant)
        if not chosen and entry.weight_format == "bin":
            chosen = _one_precision([path for path in inside if _is_weights(path)], entry.variant)
        kept += chosen
    return sorted(kept)


def _one_precision(paths: list[str], variant: str) -> list[str]:
    """The variant's files where there are any (fp16: model.fp16.safetensors, model.fp16-00001-of-00002...),
    otherwise those of no variant."""
    special = [path for path in paths if variant and re.search(rf"\.{variant}[.-]", path)]
    return special or [path for path in paths if not _VARIANTS.search(path)]


def _is_weights(path: str) -> bool:
    """Weights, or the index over their shards."""
    return ".safetensors" in path or path.endswith((".bin", ".bin.index.json"))


def _components(index: Any) -> list[str]:
    if not isinstance(index, dict):
        raise PullFailed(f"{INDEX} is not a mapping", help="The source is not in diffusers' layout.")
    return [name for name, value in index.items() if isinstance(value, list) and len(value) == 2 and value[0]]


# ---------------------------------------------------------------- from a folder


def _copy(entry: ModelEntry, source: Path, staging: Path, revision: str, report: Report) -> dict[str, str]:
    """Copy from a folder as `save_pretrained` or `hf download --local-dir` leave it; parts lie inside it."""
    index = source / INDEX
    if not index.is_file():
        raise PullFailed(f"{source} has no {INDEX}", help="Give the folder that save_pretrained made.")
    shutil.rmtree(staging)
    names = [str(f.relative_to(source)) for f in source.rglob("*") if f.is_file() and not f.is_symlink()]
    chosen = wanted(entry, names, [*_components(_json(index)), *entry.parts])
    for path in chosen:
        size = (source / path).stat().st_size
        report(path, 0, size)
        (staging / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, staging / path)
        report(path, size, size)
    digest = weights.total_sha256({path: weights.file_sha256(staging / path) for path in chosen})
    sources = {"": f"{entry.repository}@{revision or f'sha256:{digest}'}"}
    return sources | {part: f"{p.repository}@sha256:{digest}" for part, p in entry.parts.items()}


# ---------------------------------------------------------------- from a hub


def _download(entry: ModelEntry, staging: Path, revision: str, report: Report) -> dict[str, str]:
    asked = revision or (entry.revision if entry.revision != UNPINNED else "main")
    commit, offered = _listing(entry.repository, asked)
    if INDEX not in offered:
        raise PullFailed(f"{entry.repository} has no {INDEX}", help="It is not in diffusers' layout.")
    _fetch(entry.repository, commit, offered[INDEX], staging, report)
    for path in wanted(entry, offered, _components(_json(staging / INDEX))):
        _fetch(entry.repository, commit, offered[path], staging, report)
    sources = {"": f"{entry.repository}@{commit}"}
    for name, part in entry.parts.items():
        asked = part.revision if part.revision != UNPINNED else "main"
        commit, offered = _listing(part.repository, asked)
        inside = wanted(entry, [f"{name}/{path}" for path in offered], [name])
        for path in inside:
            if path != INDEX:
                _fetch(part.repository, commit, offered[path.partition("/")[2]], staging / name, report)
        sources[name] = f"{part.repository}@{commit}"
    return sources


def _listing(repository: str, revision: str) -> tuple[str, dict[str, Offered]]:
    """(commit, files by path) of a repository, as the hub states them."""
    from huggingface_hub import HfApi

    try:
        info = HfApi(endpoint=_endpoint()).model_info(repository, revision=revision, files_metadata=True)
    except Exception as error:
        raise PullFailed(
            f"{repository} at {revision} cannot be listed ({type(error).__name__})",
            help="Check the network, HF_ENDPOINT, and for gated models HF_TOKEN after accepting the licence.",
        ) from error
    if (
        not info.sha
        or not COMMIT.fullmatch(info.sha)
        or (COMMIT.fullmatch(revision) and info.sha != revision)
    ):
        raise PullFailed(
            f"the hub did not answer with {revision}", help="Check the revision and HF_ENDPOINT."
        )
    files = {}
    for item in info.siblings or []:
        sha256 = item.lfs.sha256 if item.lfs else ""
        files[item.rfilename] = Offered(
            item.rfilename, item.size or 0, sha256, "" if sha256 else (item.blob_id or "")
        )
    return info.sha, files


def _fetch(repository: str, commit: str, file: Offered, staging: Path, report: Report) -> None:
    from huggingface_hub import hf_hub_download

    if os.path.isabs(file.path) or ".." in Path(file.path).parts:
        raise PullFailed(f"the hub offers {file.path!r}, which is no path in a model", help="Do not use it.")
    report(file.path, 0, file.size)
    try:
        hf_hub_download(repository, file.path, revision=commit, local_dir=staging, endpoint=_endpoint())
    except Exception as error:
        raise PullFailed(
            f"{file.path} could not be downloaded ({type(error).__name__})",
            help="Run the command again: it goes on where it stopped.",
        ) from error
    place = staging / file.path
    if (file.sha256 and weights.file_sha256(place) != file.sha256) or (
        file.git_sha1 and _git_sha1(place) != file.git_sha1
    ):
        place.unlink()
        raise WeightsChanged(f"{file.path} is not what the hub says it is", help="Pull again; tell the hub.")
    report(file.path, place.stat().st_size, file.size)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _git_sha1(file: Path) -> str:
    """Git's object id of a file, which a hub states for files it keeps in git itself."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


# ---------------------------------------------------------------- both


def _compare(entry: ModelEntry, sources: Mapping[str, str], files: Mapping[str, LockedFile]) -> None:
    """With the registry's hashes, and with a pinned lock of the same sources. Raises WeightsChanged."""
    expected = dict(entry.files)
    try:
        before = weights.read_lock(entry)
    except ConfigurationError:
        before = None
    if before and before.pinned_by and dict(before.sources) == dict(sources):
        expected = expected or {path: file.sha256 for path, file in before.files.items()}
    if not expected:
        return
    for path in sorted(set(expected) | set(files)):
        have = files[path].sha256 if path in files else "absent"
        if have != expected.get(path, "absent"):
            raise WeightsChanged(
                f"{entry.id}: {path} is {have[:16]}, expected {expected.get(path, 'absent')[:16]}",
                help="Do not use this source. The weights that were here before are untouched.",
            )


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise PullFailed(f"{file.name} cannot be read", help="The source is damaged.") from error


def _replace(staging: Path, place: Path) -> None:
    old = place.with_name(f".{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.replace(place, old)
    os.replace(staging, place)
    shutil.rmtree(old, ignore_errors=True)
