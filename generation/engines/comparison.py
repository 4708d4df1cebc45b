"""The fixed prompts, rendered once for each state of an engine and kept side by side.

A state is the engine's settings, weights and libraries: whatever changes the pictures makes a new
column, and no old one is ever replaced. The renders are for the operator's eyes: they stay in the
installation's private folder, carry the label in their pixels, and are no assets of the pipeline.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image, ImageDraw, ImageFont

from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput
from byline.generation import brands, engines
from byline.generation.engines.base import Operation, VideoEngine, VideoTask, never_cancelled, no_progress

PROMPTS = Path(__file__).resolve().parent / "catalogue" / "comparison" / "prompts.yaml"
LABEL = "AI-generated · for comparison only"
SEED, SHOWN, TALL = 1, 4, 180  # seed of every render, frames of a strip, their height in pixels
_LIBRARIES = ("torch", "diffusers", "transformers")


@dataclass(frozen=True)
class Column:
    """One engine in one state. `folder` holds a strip for each prompt and record.json."""

    folder: Path
    record: Mapping[str, Any]


@cache
def prompts() -> Mapping[str, str]:
    found: dict[str, str] = yaml.safe_load(PROMPTS.read_text())
    return found


def root() -> Path:
    return conf.home() / "comparisons"


def state(name: str, engine: VideoEngine) -> str:
    """A name for what determines the pictures: equal states give equal pictures on one machine."""
    info = engine.info
    facts = [
        conf.get("VIDEO_ENGINES")[name],
        info.name,
        info.revision,
        info.weights_sha256,
        [asdict(adapter) for adapter in info.adapters],
        {library: version(library) for library in _LIBRARIES},
    ]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=repr).encode()).hexdigest()
    return f"{re.sub('[^a-z0-9]+', '-', info.name.lower()).strip('-')}-{digest[:12]}"


def is_rendered(name: str) -> bool:
    """Whether this engine's present state has its column."""
    return (root() / state(name, engines.load(name)) / "record.json").is_file()


def render(
    name: str,
    progress: Callable[[float], None] = no_progress,
    check_cancelled: Callable[[], None] = never_cancelled,
) -> Column:
    """Render what is missing of this engine's column, and write the page. Strips that an interrupted
    run left are kept. InvalidInput for a model that takes no words."""
    engine = engines.load(name)
    still = Operation.TEXT_TO_VIDEO not in engine.info.operations
    if still and Operation.TEXT_TO_IMAGE not in engine.info.operations:
        raise InvalidInput(f"{name} takes pictures, not words", help="Compare a model that takes a prompt.")
    folder = root() / state(name, engine)
    folder.mkdir(parents=True, exist_ok=True)
    hashes = {}
    for number, (key, prompt) in enumerate(prompts().items()):
        strip = folder / f"{key}.png"
        if not strip.exists():

            def one(fraction: float, number: int = number) -> None:
                progress((number + fraction) / len(prompts()))

            frames = engine.generate(VideoTask(prompt, seed=SEED, still=still), one, check_cancelled)
            private = strip.with_suffix(".part")
            _strip(frames).save(private, format="PNG")
            os.replace(private, strip)
        hashes[key] = hashlib.sha256(strip.read_bytes()).hexdigest()
    record = {
        "engine": name,
        "info": asdict(engine.info),
        "record": dict(engine.record),
        "seed": SEED,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "strips": hashes,
    }
    (folder / "record.json").write_text(json.dumps(record, indent=1))
    write_page()
    progress(1.0)
    return Column(folder, record)


def columns() -> list[Column]:
    """Every column there is, oldest first."""
    found = [Column(f.parent, json.loads(f.read_text())) for f in root().glob("*/record.json")]
    return sorted(found, key=lambda column: (column.record["made_at"], column.folder.name))


def write_page() -> Path:
    """index.html: prompts as rows, states of engines as columns. Needs no network and no script."""
    shown = columns()
    heads = "".join(
        f'<th scope="col">{html.escape(c.record["info"]["name"])}<br>'
        f"<small>{html.escape(c.record['info']['revision'][:19])}<br>{c.record['made_at'][:10]}</small></th>"
        for c in shown
    )
    rows = "".join(
        f'<tr><th scope="row">{html.escape(prompt)}</th>'
        + "".join(
            f'<td><img src="{c.folder.name}/{key}.png" height="{TALL}" alt="{html.escape(prompt)},'
            f' by {html.escape(c.record["info"]["name"])}"></td>'
            if key in c.record["strips"]
            else "<td>not rendered</td>"
            for c in shown
        )
        + "</tr>"
        for key, prompt in prompts().items()
    )
    page = root() / "index.html"
    page.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Models, side by side</title>'
        "<style>body{font:16px/1.4 sans-serif;margin:1rem}th{text-align:left;vertical-align:top;"
        "max-width:16rem;padding:.25rem}td{padding:.25rem}</style>"
        f"<h1>Models, side by side</h1><p>{LABEL}. Seed {SEED}.</p>"
        f'<table><thead><tr><th scope="col">Prompt</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></html>"
    )
    return page


def _strip(frames: np.ndarray) -> Image.Image:
    """Frames at even distances beside each other, first and last among them, under the label."""
    count = min(SHOWN, len(frames))
    chosen = [frames[round(n * (len(frames) - 1) / max(1, count - 1))] for n in range(count)]
    wide = max(1, round(TALL * frames.shape[2] / frames.shape[1]))
    font = ImageFont.truetype(str(brands.FONTS / "OpenSans-Semibold.ttf"), 14)
    strip = Image.new("RGB", (count * wide, TALL + 22), (17, 20, 26))
    for number, frame in enumerate(chosen):
        picture = Image.fromarray(frame).resize((wide, TALL), Image.Resampling.LANCZOS)
        strip.paste(picture, (number * wide, 22))
    ImageDraw.Draw(strip).text((6, 11), LABEL, (235, 238, 242), font, anchor="lm")
    return strip
