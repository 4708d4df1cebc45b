"""The models that can be run, as data: in catalogue/*.yaml and the operator's own files.

An entry states what is known about a model and who says so. What is not known is written as such:
`revision: unpinned`, `training_data: undisclosed`. `MODEL_REGISTRY` names a folder of further files,
whose entries replace shipped ones of the same id. A wrong entry is an error that names file, id and key.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError
from byline.generation.engines.base import Operation
from byline.generation.engines.families import FAMILIES, Family

SHIPPED = Path(__file__).resolve().parent / "catalogue"
UNPINNED = "unpinned"
COMMIT = re.compile(r"[0-9a-f]{40}")
DTYPES = ("float32", "bfloat16", "float16")
STILLS = frozenset({Operation.TEXT_TO_IMAGE, Operation.IMAGE_TO_IMAGE, Operation.INPAINT})


@dataclass(frozen=True)
class FrameRule:
    """Valid lengths are offset + step * k, from `least` to `most`; `default` is the model's own."""

    default: int
    most: int
    step: int = 1
    offset: int = 0
    least: int = 1

    def allows(self, frames: int) -> bool:
        return self.least <= frames <= self.most and (frames - self.offset) % self.step == 0

    def at_least(self, frames: float) -> int:
        """The shortest valid length that is not below `frames`, or the longest one there is."""
        longest = self.offset + (self.most - self.offset) // self.step * self.step
        wanted = max(frames, self.least)
        steps = -(-(wanted - self.offset) // self.step)
        return min(int(self.offset + max(0, steps) * self.step), longest)


@dataclass(frozen=True)
class Part:
    """A component that lives in a repository of its own, e.g. AnimateDiff's motion module."""

    kind: str  # the diffusers class that loads it
    repository: str
    revision: str = UNPINNED


@dataclass(frozen=True)
class ModelEntry:
    """What we know about one model. Sizes are (width, height) in pixels, `vram_gib` says how much
    memory the native size takes at `dtype` without offloading, `vram_source` who says so."""

    id: str
    family_name: str
    repository: str
    revision: str
    licence: str
    licence_url: str
    training_data: str
    operations: tuple[Operation, ...]
    sizes: tuple[tuple[int, int], ...]
    frames: FrameRule
    fps: float
    steps: int
    guidance: float
    parameters: str
    vram_gib: float
    vram_source: str
    size_multiple: int = 16
    fixed_size: bool = False  # only `sizes`: positions are learned, or the decoder's tiles must fit
    dtype: str = "bfloat16"
    float32_parts: tuple[str, ...] = ()  # kept whole because the makers run them so
    variant: str = ""  # which files of a repository that holds several precisions
    weight_format: str = "safetensors"  # "bin": pickles where needed, by torch's weights-only unpickler
    max_tokens: int = 0  # 0: the pipeline's own
    arguments: Mapping[str, Any] = field(default_factory=dict)  # passed to every call
    scheduler: Mapping[str, Any] = field(default_factory=dict)  # {"class": ..., setting: ...}
    parts: Mapping[str, Part] = field(default_factory=dict)
    without: tuple[str, ...] = ()  # components of the repository that are not needed
    files: Mapping[str, str] = field(default_factory=dict)  # path -> SHA-256, where known beforehand
    refuses: tuple[str, ...] = ()  # controls of the family that these weights were not trained for
    commercial: bool = True  # whether the licence allows commercial use without asking
    notes: str = ""

    @property
    def family(self) -> Family:
        return FAMILIES[self.family_name]

    @property
    def pinned(self) -> bool:
        return all(COMMIT.fullmatch(r) for r in (self.revision, *(p.revision for p in self.parts.values())))


def entries() -> dict[str, ModelEntry]:
    """Every entry by id. Raises ConfigurationError for the first wrong one."""
    found: dict[str, ModelEntry] = {}
    own = conf.get("MODEL_REGISTRY")
    for folder in [SHIPPED, *([Path(own)] if own else [])]:
        files = sorted(folder.glob("*.yaml"))
        if not files:
            raise ConfigurationError(f"no registry files in {folder}", help="Correct MODEL_REGISTRY.")
        for file in files:
            found.update(_read(file, file.stat().st_mtime_ns))
    return found


def entry(model: str) -> ModelEntry:
    """One entry. Raises ConfigurationError that lists the known ids."""
    known = entries()
    if model not in known:
        raise ConfigurationError(
            f"the registry has no model {model!r}", help=f"Known models: {', '.join(sorted(known))}."
        )
    return known[model]


@functools.cache
def _read(file: Path, changed: int) -> dict[str, ModelEntry]:
    try:
        data = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{file} cannot be read as YAML", help="Correct the file.") from error
    if not isinstance(data, dict):
        raise ConfigurationError(f"{file} is not a mapping of ids to entries", help="See docs/models.md.")
    found = {}
    for name, values in data.items():
        try:
            found[str(name)] = parse(str(name), values)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"{file}: {name}: {str(error) or type(error).__name__}", help="docs/models.md lists the keys."
            ) from error
    return found


def parse(name: str, values: Any) -> ModelEntry:
    """One entry from its YAML mapping. ValueError names the key that is missing, unknown or wrong."""
    if not isinstance(values, dict):
        raise ValueError("an entry is a mapping")
    known = {f.name: f for f in fields(ModelEntry) if f.name not in ("id", "family_name")}
    if unknown := sorted(set(values) - set(known) - {"family"}):
        raise ValueError(f"unknown keys {', '.join(unknown)}")
    required = {n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    if missing := sorted((required | {"family"}) - set(values)):
        raise ValueError(f"{', '.join(missing)} missing")
    given = dict(values)
    made = ModelEntry(
        id=name,
        family_name=given.pop("family"),
        operations=tuple(Operation(o) for o in given.pop("operations")),
        sizes=tuple((int(w), int(h)) for w, h in given.pop("sizes")),
        frames=FrameRule(**given.pop("frames")),
        float32_parts=tuple(given.pop("float32_parts", ())),
        without=tuple(given.pop("without", ())),
        refuses=tuple(given.pop("refuses", ())),
        parts={part: Part(**facts) for part, facts in given.pop("parts", {}).items()},
        **given,
    )
    _check(made)
    return made


def _check(e: ModelEntry) -> None:
    rules = (
        (re.fullmatch(r"[a-z0-9][a-z0-9.-]*", e.id) is not None, "id: lower case, digits, dots and dashes"),
        (e.family_name in FAMILIES, f"family: one of {', '.join(FAMILIES)}"),
        (
            all(
                r == UNPINNED or COMMIT.fullmatch(r)
                for r in (e.revision, *(p.revision for p in e.parts.values()))
            ),
            f"revision: a full commit hash or {UNPINNED}",
        ),
        (
            e.family_name in FAMILIES and bool(e.operations) and set(e.operations) <= set(e.family.calls),
            "operations: at least one, and only those that the family can do",
        ),
        (bool(e.sizes), "sizes: at least one"),
        (
            all(n % e.size_multiple == 0 for size in e.sizes for n in size),
            "sizes: multiples of size_multiple",
        ),
        (e.frames.allows(e.frames.default), "frames: the default breaks the rule"),
        (e.dtype in DTYPES, f"dtype: one of {', '.join(DTYPES)}"),
        (e.weight_format in ("safetensors", "bin"), "weight_format: safetensors or bin"),
        (e.fps > 0 and e.steps > 0 and e.vram_gib > 0, "fps, steps, vram_gib: above 0"),
        (
            bool(e.licence and e.training_data and e.vram_source),
            "licence, training_data, vram_source: say it",
        ),
    )
    for holds, message in rules:
        if not holds:
            raise ValueError(message)
