"""A page of frames for the reviewer of a result that screening does not simply allow.

It lies in the request's private work directory and goes with it; a reviewer sees it blurred first.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from byline.generation import contact_sheet
from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.verdict import Excused, rule
from byline.safety.checks import Check

NAME = "review_sheet"
_FRAMES = 12


def write(
    artefact: Artefact, checks: Sequence[Check], excused: Excused = lambda name: False
) -> dict[str, Path]:
    """{NAME: file} for the stage's outcome when these checks do not let it pass, else {}."""
    if rule(Outcome(Verdict.ALLOW, checks=tuple(checks)), excused=excused).action == "pass":
        return {}
    made = artefact.produced["engine"]
    frames = [frame for shot in artefact.memory["shots"] for frame in shot]
    places = sorted(set(np.linspace(0, len(frames) - 1, min(_FRAMES, len(frames))).round().astype(int)))
    sheet = artefact.workdir / f"{NAME}.png"
    contact_sheet.draw([(n / made["fps"], Image.fromarray(frames[n])) for n in places], sheet)
    sheet.chmod(0o600)
    return {NAME: sheet}
