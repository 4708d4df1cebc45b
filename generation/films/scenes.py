"""The scenes of a film's request, as its stages read them: what each shows and says, when, with which seed.

A request of one clip has none. Moderation judges the scenes one by one and joined ("prompt.1",
"voice_over.1", ...; safety/reading.py); debiasing completes their visuals as one text, so that "the
doctor" of the fourth scene is the doctor of the first; every scene has a line of that text. A visual
that an earlier request of the same film had completed keeps its wording: people do not change because
another shot was changed, and the quota counts them once.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from byline.audit.base.errors import BylineError
from byline.generation.script.storyboard import Shot

JOINED = ("prompt", "voice_over")  # of a request; moderation reads the scenes' own in their place
NUMBERED = {"prompt": "visual", "voice_over": "audio", "title": "title"}  # name in moderation -> of a scene


class FilmBroken(BylineError):
    """What a stage left does not fit the scenes: a defect, found before anything is made of it."""

    code = "film_broken"


@dataclass(frozen=True)
class Scene:
    """One shot of the film; it lasts from `start` to `start + seconds`."""

    title: str
    seconds: float
    visual: str
    audio: str
    seed: int
    start: float = 0.0


def column(shots: Sequence[Shot], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """The scenes of a storyboard's shots as a request stores them."""
    return [{**asdict(shot), "seed": seed} for shot, seed in zip(shots, seeds, strict=True)]


def of(request: Any) -> list[Scene]:
    """The request's scenes in their order; [] for a clip."""
    ends = itertools.accumulate((scene["seconds"] for scene in request.scenes), initial=0.0)
    return [Scene(**scene, start=start) for scene, start in zip(request.scenes, ends, strict=False)]


def joined(scenes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Prompt and voice-over of a request with these scenes: one line for each that has any."""
    return {
        "prompt": "\n".join(_line(scene["visual"]) for scene in scenes),
        "voice_over": "\n".join(line for scene in scenes if (line := _line(scene["audio"]))),
    }


def numbered(request: Any) -> dict[str, str]:
    """The texts of all scenes as moderation names them, {"prompt.1": ...}; {} for a clip."""
    return {
        f"{name}.{number}": scene[field]
        for number, scene in enumerate(request.scenes, start=1)
        for name, field in NUMBERED.items()
    }


def rejoined(request: Any, texts: Mapping[str, str]) -> dict[str, str]:
    """Prompt and voice-over again, from cleaned texts of `numbered`."""
    count = range(1, len(request.scenes) + 1)
    return joined([{"visual": texts[f"prompt.{n}"], "audio": texts[f"voice_over.{n}"]} for n in count])


def lines(request: Any, text: str) -> list[str]:
    """A film's text, one line per scene, taken apart again. FilmBroken when a line is missing."""
    found = text.split("\n")
    if len(found) != len(request.scenes) or not all(line.strip() for line in found):
        raise FilmBroken(f"{len(request.scenes)} scenes have {len(found)} lines of text")
    return found


def known(request: Any) -> dict[str, str]:
    """Visual (cleaned) -> its wording after debiasing, from earlier requests of the film; {} for a clip."""
    from byline.generation.models import StageRun

    found: dict[str, str] = {}
    if not request.scenes:
        return found
    earlier = StageRun.objects.filter(
        request__film_id=request.film_id,
        request__brand=request.brand,
        request__debias=True,
        stage="debias",
        passed=True,
    ).exclude(request_id=request.pk)
    for run in earlier.order_by("request__created_at").only("produces"):
        asked = run.produces.get("visuals", [])
        drawn = run.produces.get("effects", {}).get("quota_draw", run.produces)["prompt"].split("\n")
        if len(asked) == len(drawn):
            found |= dict(zip(asked, drawn, strict=True))
    return found


def _line(text: str) -> str:
    return " ".join(text.split())
