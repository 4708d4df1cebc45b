"""inputs: the editor's own pictures, clips and songs, opened and looked at. Gives `inputs` to later stages.

Every picture and clip is screened with the eyes that look at results (nudity, faces, no-go lists, violence,
weapons), as checks called input.*; the policy excuses one where it excuses the output.* of that name. A
face needs a face reference to this very file, which the consent stage has checked, or a person decides.
Masks and brushes are black and white by construction; of a song the rights are on record and no more.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from byline.generation.contracts import Artefact, Outcome, Verdict
from byline.generation.operations import Inputs
from byline.safety.checks import Check

LOOKED_AT = 8  # frames of a clip
_STILL_FPS = 1.0


@dataclass(frozen=True)
class Given:
    """What the request brought: the operation's inputs, and the mask of a motion brush."""

    inputs: Inputs
    brush: np.ndarray | None = None


def inputs(request: Any, artefact: Artefact) -> Outcome:
    """Open and screen what the request refers to. UnknownInput or SealBroken when it was forgotten since."""
    from byline.generation.inputs import keeping, service
    from byline.generation.inputs.roles import UnknownInput
    from byline.generation.models import UploadedInput

    found: dict[str, Any] = {}
    checks: list[Check] = []
    used: list[dict[str, Any]] = []
    faces = {item["sha256"] for item in request.references if item["kind"] == "face"}
    for item in request.inputs:
        artefact.check_cancelled()
        row = UploadedInput.objects.filter(pk=item["input"], forgotten_at=None).first()
        if row is None:
            raise UnknownInput("An input of this request was deleted.")
        array, rate = keeping.read(row.pk, row.kind)
        if row.kind in ("picture", "clip"):
            consented = sum(r["kind"] == "face" and r["sha256"] == row.sha256 for r in request.references)
            checks += _looked_at(array, rate, request, consented)
        _place(found, item["role"], row.kind, array, rate)
        used.append(
            {
                "role": item["role"],
                "kind": row.kind,
                "sha256": row.sha256,
                "commitment": service.committed(row),
                "licence": row.licence,
                "source": row.source,
                "credentials": row.credentials,
                "person": row.sha256 in faces,
            }
        )
    brush = found.pop("brush", None)
    artefact.memory["inputs"] = Given(Inputs(**found), brush)
    return Outcome(
        Verdict.ALLOW,
        checks=tuple(checks),
        evidence={"inputs": [{"role": one["role"], "kind": one["kind"]} for one in used]},
        produces={"used": used},
    )


def _place(found: dict[str, Any], role: str, kind: str, array: np.ndarray, rate: float) -> None:
    if role == "references":
        found[role] = (*found.get(role, ()), array)
    elif kind == "clip":
        found |= {"clip": array, "clip_fps": rate}
    elif kind == "song":
        found[role] = (array, int(rate))
    else:
        found[role] = array


def _looked_at(array: np.ndarray, rate: float, request: Any, consented: int) -> list[Check]:
    """The checks of one picture (h, w, 3) or clip (T, h, w, 3)."""
    from byline.safety import policy
    from byline.safety.screen import no_go
    from byline.safety.screen.content import content
    from byline.safety.screen.faces import faces
    from byline.safety.screen.frames import sample
    from byline.safety.screen.guarded import guarded
    from byline.safety.screen.nudity import nudity

    frames = list(array) if array.ndim == 4 else [array]
    fps = rate or _STILL_FPS
    seen = sample(frames, fps, LOOKED_AT)
    chosen, whose = policy.load(), (request.profile, request.brand)
    found = (
        guarded("output.nudity", lambda: nudity(seen)),
        guarded("output.faces", partial(faces, seen, drawn_by_us=False, consented=consented)),
        guarded(no_go.NAME, lambda: no_go.no_go(no_go.fingerprints([frames], fps))),
        guarded("output.violence", lambda: content("violence", seen, chosen, *whose)),
        guarded("output.weapons", lambda: content("weapons", seen, chosen, *whose)),
    )
    return [replace(one, name=one.name.replace("output.", "input.")) for one in found]
