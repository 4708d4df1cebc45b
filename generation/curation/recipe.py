"""What a fine-tune is made of: the recipe, and the card that goes with the weights.

A recipe names everything that the result depends on; its SHA-256 ties job, card and log entry together, and a
job that was stopped goes on only under the same one. The card states base checkpoint, data manifest, stage,
caption dropout and steps, the licences of both sides and whom the data came from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput

STAGES = ("style", "diversity", "quality")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class RecipeInvalid(InvalidInput):
    """A value of the recipe cannot be used. The message names it."""

    code = "recipe_invalid"
    help = "See docs/curation.md for the bounds of every value."


@dataclass(frozen=True)
class Recipe:
    """`base` is a model of the registry, "starter", or a folder in diffusers' layout; `stage` what the data
    are for; `caption_dropout` the share of steps without a text, so that guidance still has something to
    guide away from; `rate` AdamW's; frames, width and height of one example (0: the base's own)."""

    name: str
    base: str
    dataset: str
    stage: str = "style"
    steps: int = 500
    rank: int = 8
    rate: float = 1e-4
    batch: int = 1
    caption_dropout: float = 0.15
    frames: int = 0
    width: int = 0
    height: int = 0
    seed: int = 0

    def check(self) -> None:
        """RecipeInvalid for the first value out of bounds."""
        bounds: tuple[tuple[bool, str], ...] = (
            (bool(_NAME.fullmatch(self.name)), "name has up to 40 small letters, digits, - and _"),
            (bool(self.base), "base names a model or a folder"),
            (self.stage in STAGES, f"stage is one of {', '.join(STAGES)}"),
            (1 <= self.steps <= 200_000, "steps are 1 to 200000"),
            (1 <= self.rank <= 256, "rank is 1 to 256"),
            (0 < self.rate <= 0.1, "rate is above 0 and at most 0.1"),
            (1 <= self.batch <= 64, "batch is 1 to 64"),
            (0 <= self.caption_dropout < 1, "caption_dropout is from 0 to below 1"),
            (
                self.frames == 0 or (self.frames % 4 == 1 and self.frames <= 257),
                "frames are 1 + 4k up to 257",
            ),
            (self.width % 16 == 0 and self.height % 16 == 0, "width and height are multiples of 16"),
            (0 <= self.seed < 2**31, "seed is from 0 to 2147483647"),
        )
        for holds, rule in bounds:
            if not holds:
                raise RecipeInvalid(rule)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def place(self) -> Path:
        return conf.home() / "finetunes" / self.name


def read(place: Path) -> Recipe:
    """The recipe of a job that was begun. InvalidInput where there is none."""
    file = place / "recipe.json"
    if not file.is_file():
        raise InvalidInput(
            f"there is no fine-tune {place.name}", help="Begin one with `byline finetune run`."
        )
    data = json.loads(file.read_text())
    return Recipe(**{field.name: data[field.name] for field in fields(Recipe) if field.name in data})


def card(recipe: Recipe, base: Mapping[str, Any], data: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """What stands beside the weights. `base` and `data` come from the job (finetune.py)."""
    with file.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    return {
        "name": recipe.name,
        "file": file.name,
        "sha256": sha256,
        "licence": licence(base["licence"], data["licences"]),
        "base": dict(base),
        "data": dict(data),
        "stage": recipe.stage,
        "caption_dropout": recipe.caption_dropout,
        "steps": recipe.steps,
        "recipe": asdict(recipe),
        "recipe_sha256": recipe.sha256,
    }


def licence(base: str, data: Sequence[str]) -> str:
    """Both sides' terms hold for the weights: the base's and the data's."""
    return f"base: {base}; data: {', '.join(sorted(data))}"


def lora_entry(found: Mapping[str, Any], place: Path) -> dict[str, Any]:
    """The entry for an engine's LORAS (generation/engines/loras.py)."""
    return {
        "NAME": found["name"],
        "PATH": str(place / found["file"]),
        "SHA256": found["sha256"],
        "LICENCE": found["licence"],
    }


def text(found: Mapping[str, Any], place: Path) -> str:
    """The card for people, in Markdown."""
    base, data = found["base"], found["data"]
    sources = "".join(f"- {source}\n" for source in data["sources"])
    return f"""# {found["name"]}

LoRA weights, SHA-256 `{found["sha256"]}`.

| | |
|---|---|
| base checkpoint | {base["model"]}, weights sha256 `{base["sha256"]}` |
| data | dataset {data["dataset"]}, manifest sha256 `{data["manifest"]}`, {data["clips"]} clips |
| stage | {found["stage"]} |
| steps, caption dropout | {found["steps"]}, {found["caption_dropout"]} |
| recipe sha256 | `{found["recipe_sha256"]}` |
| licence | {found["licence"]} |
| loss on draws that no step used, before and after | {found["loss_before"]}, {found["loss_after"]} |

The data came from:

{sources}
For an engine's `LORAS`:

```json
{json.dumps(lora_entry(found, place), indent=1)}
```
"""
