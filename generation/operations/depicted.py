"""Nobody's gender, skin, origin or age is changed on a real person's picture.

The prompt was judged before (stages/debias.py), by the references that the request named. Here the pictures
themselves are looked at: a face in the editor's material counts as a real person's, and so does a picture
that could not be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from byline.audit.base.errors import BylineError
from byline.generation.operations.base import Brief, Inputs

LOOKED_AT = 8  # frames of a clip


class DepictedPerson(BylineError):
    """The words would change who somebody in the given material is."""

    code = "demographics_of_real_person"
    status = 403
    help = "Show the person as they are, or describe an invented one. No role can release this."


def require_unchanged(brief: Brief, inputs: Inputs) -> None:
    """Raise DepictedPerson when the words ask to change the demographics of whom the material shows."""
    from byline.safety.fairness import depicted

    pictures = list(_pictures(inputs))
    if not pictures or not depicted.change(brief.prompt, shown=True):
        return  # nobody could be changed, or nothing would be: no need to look
    if depicted.change(brief.prompt, shown=_face(pictures)) == "real":
        raise DepictedPerson("The request would change gender, skin, origin or age of a real person.")


def _pictures(inputs: Inputs) -> Iterator[np.ndarray]:
    for picture in (inputs.first, inputs.last, *inputs.references):
        if picture is not None:
            yield picture
    if inputs.clip is not None:
        places = np.linspace(0, len(inputs.clip) - 1, min(LOOKED_AT, len(inputs.clip)))
        yield from inputs.clip[np.unique(places.astype(int))]


def _face(pictures: list[np.ndarray]) -> bool:
    """Whether any picture shows a face, by itself: one frame of a clip is enough here."""
    from byline.safety.screen.faces import faces

    try:
        return any(faces([picture], drawn_by_us=False, consented=0).action != "allow" for picture in pictures)
    except Exception:  # noqa: BLE001 - whatever broke, it was not looked at
        return True
