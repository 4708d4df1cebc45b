"""A picture of what comes, for the editor who waits: screened and labelled before it is shown, never kept.

It goes through the checks that can judge one picture. Only one that every one of them lets pass is shown;
what the policy excuses from being checked may be missing here as there. It is no asset: it lies in the
attempt's private directory, only the requester's page reads it while the model works, and it is removed
before the clip itself is looked at.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from byline.generation.contracts import Artefact
from byline.safety.checks import Check

LABEL = "AI preview, not final: step {done} of {steps}"
WIDE = 480


class Shown:
    """Takes the engine's previews of one request. `drawn`: people in them can only be pictograms."""

    def __init__(self, request: Any, artefact: Artefact, *, drawn: bool) -> None:
        self._request, self._artefact, self._drawn = request, artefact, drawn
        self._path = artefact.workdir / "preview.jpg"
        self.shown = self.withheld = 0

    def __call__(self, picture: np.ndarray, done: int, steps: int) -> None:
        if self._passes(picture):
            _write(self._path, labelled(picture, done, steps))
            self.shown += 1
        else:
            self._path.unlink(missing_ok=True)
            self.withheld += 1

    def end(self) -> dict[str, int]:
        """Remove the picture; how many were shown and how many were not, for the record."""
        self._path.unlink(missing_ok=True)
        return {"shown": self.shown, "withheld": self.withheld}

    def _passes(self, picture: np.ndarray) -> bool:
        from byline.safety import policy

        chosen, whose = policy.load(), (self._request.profile, self._request.brand)
        for check in self._checks(picture, chosen, whose):
            missing = check.status == "unavailable" and chosen.may_be_unavailable(
                whose[0], check.name, whose[1]
            )
            if not (missing or (check.status == "available" and check.action == "allow")):
                return False
        return True

    def _checks(self, picture: np.ndarray, chosen: Any, whose: tuple[str, str]) -> list[Check]:
        from byline.safety.screen import no_go, words
        from byline.safety.screen.content import content
        from byline.safety.screen.faces import faces
        from byline.safety.screen.frames import sample
        from byline.safety.screen.guarded import guarded
        from byline.safety.screen.nudity import nudity

        looked_at = sample([picture], 1.0)
        consented = sum(reference.get("kind") == "face" for reference in self._request.references)
        return [
            guarded("output.nudity", partial(nudity, looked_at)),
            guarded("output.faces", partial(faces, looked_at, drawn_by_us=self._drawn, consented=consented)),
            guarded(no_go.NAME, lambda: no_go.no_go(no_go.fingerprints([[picture]], 1.0))),
            guarded("output.violence", lambda: content("violence", looked_at, chosen, *whose)),
            guarded("output.weapons", lambda: content("weapons", looked_at, chosen, *whose)),
            guarded("output.frame_text", lambda: words.frame_text(looked_at, chosen, *whose)),
        ]


def labelled(picture: np.ndarray, done: int, steps: int) -> Any:
    """The picture (h, w, 3) as a PIL image of WIDE pixels, with a bar that says what it is."""
    from PIL import Image, ImageDraw, ImageFont

    from byline.generation import brands

    height = round(WIDE * picture.shape[0] / picture.shape[1])
    made = Image.new("RGB", (WIDE, height + 28), (17, 20, 26))
    made.paste(Image.fromarray(picture).resize((WIDE, height), Image.Resampling.LANCZOS), (0, 28))
    font = ImageFont.truetype(str(brands.FONTS / "OpenSans-Semibold.ttf"), 15)
    words = LABEL.format(done=done, steps=steps)
    ImageDraw.Draw(made).text((8, 14), words, (235, 238, 242), font, anchor="lm")
    return made


def _write(path: Path, picture: Any) -> None:
    """Whole or not at all: the page may read it at any time."""
    private = path.with_suffix(".part")
    picture.save(private, format="JPEG", quality=85)
    private.chmod(0o600)
    os.replace(private, path)
