"""Presets: the envelopes of twenty products of December 2023, as data, on the models of the registry.

A preset says what such a product offered (operations, longest clip, which controls) and which of our
models gives it. It promises lengths and operations, not looks. `plan` says in how many shots a model
fills a length, each after the first beginning with the last frame of the one before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from byline.audit.base.errors import ConfigurationError
from byline.generation.engines.base import Operation
from byline.generation.engines.registry import ModelEntry

FILE = Path(__file__).resolve().parent / "catalogue" / "presets" / "products-2023.yaml"
UNLIMITED_S = 60.0  # a length without limit is bounded by quota; this is what the preset plans for


@dataclass(frozen=True)
class Preset:
    """`seconds` is the longest single clip, `unlimited` that there was no such bound. `elsewhere` names
    what other parts of Byline do (extension, effects, lip-sync ...) or refuse, not the engine."""

    name: str
    product: str
    operations: tuple[Operation, ...]
    seconds: float
    models: Mapping[Operation, str]
    unlimited: bool = False
    extend: bool = False
    camera: bool = False
    motion: bool = False
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Frames of each shot. Shots after the first begin with the last frame of the one before, which
    is shown once: the clip has sum(shots) - (len(shots) - 1) frames."""

    shots: tuple[int, ...]
    fps: float

    @property
    def frames(self) -> int:
        return sum(self.shots) - (len(self.shots) - 1)

    @property
    def seconds(self) -> float:
        return self.frames / self.fps


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name."""
    found = {}
    for name, values in yaml.safe_load(FILE.read_text()).items():
        values = dict(values)
        operations = tuple(Operation(o) for o in values.pop("operations"))
        models = {Operation(o): model for o, model in values.pop("models").items()}
        if values.pop("unlimited", False):
            values |= {"unlimited": True, "seconds": UNLIMITED_S}
        elsewhere = tuple(values.pop("elsewhere", ()))
        found[name] = Preset(name=name, operations=operations, models=models, elsewhere=elsewhere, **values)
    return found


def preset(name: str) -> Preset:
    """One preset. Raises ConfigurationError that lists the known names."""
    if name not in presets():
        raise ConfigurationError(
            f"there is no preset {name!r}", help=f"Known presets: {', '.join(sorted(presets()))}."
        )
    return presets()[name]


def require_fit(chosen: Preset, entry: ModelEntry) -> None:
    """ConfigurationError when the model can do none of the preset's operations."""
    if not set(chosen.operations) & set(entry.operations):
        raise ConfigurationError(
            f"{entry.id} does none of what the preset {chosen.name} offers",
            help=f"It suggests {', '.join(sorted(set(chosen.models.values())))}.",
        )


def plan(entry: ModelEntry, seconds: float) -> Plan:
    """The fewest shots of `entry` that last at least `seconds`, and end within one step of it. Pure."""
    rule = entry.frames
    wanted = max(1, math.ceil(seconds * entry.fps))
    longest = rule.at_least(rule.most)
    shots = [rule.at_least(min(wanted, longest))]
    while (made := sum(shots) - (len(shots) - 1)) < wanted:
        if longest <= 1:
            raise ConfigurationError(f"{entry.id} makes stills", help="Choose a model that makes clips.")
        shots.append(rule.at_least(min(wanted - made + 1, longest)))
    return Plan(tuple(shots), entry.fps)
