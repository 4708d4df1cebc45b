"""What responsibility costs: the seconds of each stage of a clip, and three ratios of them.

`python -m bench.responsibility COUNT SECONDS FILE` makes COUNT + 1 clips one after the other in one process
on two cores, as a worker does; the first one also loads the models and is kept apart. Other programs of the
machine slow all stages alike, so that ratios bear more than seconds.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CORES = 2
# What a studio without any of our duties would do as well; the stage `watermark` is split by its own clock.
WORK = ("inputs", "speech", "engine", "enhance", "compose", "keep", "encode", "ready")
ENGINE = ("engine", "speech")
PROMPTS = (
    ("a red ball moves left over the sea", "The tide comes in tonight. Move your boat before ten."),
    ("a purple heart grows in the snow", "The new school opens on Monday. Bring a warm coat."),
    ("a yellow star moves left at night", "Look up this evening. The comet returns after seventy years."),
    ("a green car moves right in a city street", "The bridge is closed for repairs until the spring."),
    (
        "a white bird moves left over the desert",
        "Storks are back early this year. People in the north see more of them than before.",
    ),
)
Clip = Mapping[str, float]  # seconds by stage


def measured(
    count: int, *, seconds: int = 8, environment: Mapping[str, str] | None = None
) -> tuple[Clip, list[Clip]]:
    """The first clip of a fresh process, and `count` after it, of `seconds` each at 720p. `environment` may
    hold settings, as BYLINE_ variables."""
    with tempfile.TemporaryDirectory(prefix="byline-bench-") as scratch:
        home, out = f"{scratch}/home", Path(scratch) / "stages.json"
        own = {"BYLINE_HOME": home, "OMP_NUM_THREADS": str(CORES), **(environment or {})}
        for words in (
            ["byline.platform.cli", "setup"],
            ["bench.responsibility", str(count), str(seconds), str(out)],
        ):
            subprocess.run([sys.executable, "-m", *words], env={**os.environ, **own}, check=True)
        first, *others = json.loads(out.read_text())
    return first, others


def share(clip: Clip) -> float:
    """Responsible stages over the speech synthesis and the engine: the goal's own words."""
    return _responsible(clip) / sum(clip[name] for name in ENGINE)


def tax(clip: Clip) -> float:
    """Responsible stages over all work that would be done without them."""
    return _responsible(clip) / sum(clip.get(name, 0.0) for name in WORK)


def strict(clip: Clip) -> float:
    """Everything but speech and engine over speech and engine, as if composing and encoding were a duty."""
    engine = sum(clip[name] for name in ENGINE)
    return (sum(clip.values()) - engine) / engine


def table(clips: Sequence[Clip]) -> list[tuple[str, float, float, float]]:
    """Stage, median, least and most seconds."""
    names = list(clips[0])
    columns = {name: [clip.get(name, 0.0) for clip in clips] for name in names}
    return [(name, statistics.median(c), min(c), max(c)) for name, c in columns.items()]


def _responsible(clip: Clip) -> float:
    return sum(seconds for name, seconds in clip.items() if name not in WORK)


def _seconds(request: Any) -> dict[str, float]:
    """Stages of one request. The watermark stage by its parts; what no part has is compose's."""
    found: dict[str, float] = {}
    for run in request.runs.filter(current=True):
        if run.stage != "watermark":
            found[run.stage] = run.seconds
            continue
        parts = dict(run.evidence["parts_s"])
        parts["compose"] = parts.get("compose", 0.0) + run.seconds - sum(parts.values())
        found |= parts
    return found


def _make(count: int, length: int, out: Path) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
    from byline.platform.cli import session

    with session.database_and_sealer():
        session.django_ready()
        from byline.generation import runner, submit
        from byline.generation.models import GenerationRequest

        clips = []
        for number in range(count + 1):
            prompt, words = PROMPTS[number % len(PROMPTS)]
            row = submit.submit(
                prompt=prompt,
                voice_over=words,
                brand="demo-news",
                seconds=length,
                seed=number,
                requester="bench",
            )
            state = runner.run_to_end(row.pk)
            if state != "ready":
                raise RuntimeError(f"the clip ended as {state}")
            clips.append(_seconds(GenerationRequest.objects.get(pk=row.pk)))
    out.write_text(json.dumps(clips))


if __name__ == "__main__":
    _make(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
