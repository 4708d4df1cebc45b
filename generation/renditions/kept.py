"""What renditions are made from: the shots and the speech of a finished clip, sealed, for some days.

Promises: they are on disk only encrypted and bound to their request (generation/sealed.py), for
KEEP_SHOTS_DAYS after they were last used, and no longer than their request is in order. A clip that is too
large for one sealed file, or an installation that keeps nothing, has no renditions.
"""

import contextlib
import io
import json
import os
import time
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import conf
from byline.audit.base.errors import BylineError
from byline.generation import sealed
from byline.generation.renditions.editing import Layout
from byline.generation.voices.base import Speech, Word

MAX_BYTES = 1 << 30
_DAY_S = 86_400.0
_LABEL = b"byline clip shots v1 "


class NotAMaster(BylineError):
    code = "not_a_master"
    status = 409
    help = "Name a finished clip whose shots are still kept (setting KEEP_SHOTS_DAYS), or make it again."


@dataclass(frozen=True)
class Kept:
    """As the stages hand them on: `shots` (T, h, w, 3) uint8, `lengths` of a film's scenes, "" of none."""

    shots: list[np.ndarray]
    lengths: list[float]
    speech: Speech | None
    layout: Layout


def keep(
    request: uuid.UUID,
    shots: Sequence[np.ndarray],
    lengths: Sequence[float],
    speech: Speech | None,
    layout: Layout,
) -> bool:
    """Keep what a clip was composed of; False where nothing is kept."""
    if not float(conf.get("KEEP_SHOTS_DAYS")) or sum(shot.nbytes for shot in shots) > MAX_BYTES:
        return False
    facts: dict[str, Any] = {"lengths": list(lengths), "shots": len(shots)}
    facts |= {"layout": [list(part) for part in layout.shots], "until": layout.until}
    arrays: dict[str, Any] = {f"shot{number}": shot for number, shot in enumerate(shots)}
    if speech is not None:
        arrays["speech"] = speech.samples
        facts |= {
            "rate": speech.rate,
            "timing": speech.timing,
            "words": [list(word) for word in speech.words],
        }
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    plain = io.BytesIO()
    np.savez(plain, **arrays)
    data = zlib.compress(plain.getvalue(), 1)
    sealed.write(_place(request), data, _bound(request))
    return True


def read(request: uuid.UUID) -> Kept | None:
    """What is kept of a request, None when it is gone or cannot be opened."""
    try:
        data = sealed.read(_place(request), _bound(request))
    except sealed.SealBroken:
        return None
    with contextlib.suppress(FileNotFoundError):
        os.utime(_place(request))  # the days count from the last use
    with np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False) as arrays:
        facts = json.loads(arrays["facts"].tobytes())
        shots = [arrays[f"shot{number}"] for number in range(facts["shots"])]
        speech = None
        if "rate" in facts:
            words = tuple(Word(*word) for word in facts["words"])
            speech = Speech(arrays["speech"], facts["rate"], words, facts["timing"])
    layout = Layout(tuple((start, end) for start, end in facts["layout"]), facts["until"])
    return Kept(shots, facts["lengths"], speech, layout)


def layout(request: uuid.UUID) -> Layout | None:
    """When the shots of a kept clip are seen; None when it is not kept."""
    found = read(request)
    return found.layout if found else None


def discard(request: uuid.UUID) -> bool:
    """Remove what is kept of a request; whether there was anything."""
    return sealed.forget(_place(request))


def tidy() -> int:
    """Remove what nobody used for KEEP_SHOTS_DAYS, and what is of no finished clip; how many."""
    from byline.generation.models import GenerationRequest
    from byline.generation.states import TERMINAL, State

    root, removed = _root(), 0
    oldest = time.time() - float(conf.get("KEEP_SHOTS_DAYS")) * _DAY_S
    for place in root.glob("*.shots") if root.is_dir() else ():
        with contextlib.suppress(ValueError, FileNotFoundError):
            state = (
                GenerationRequest.objects.filter(pk=uuid.UUID(place.stem))
                .values_list("state", flat=True)
                .first()
            )
            ended = state is None or State(state) in TERMINAL - {State.PUBLISHED}
            if ended or place.stat().st_mtime < oldest:
                place.unlink()
                removed += 1
    return removed


def _root() -> Path:
    return conf.home() / "shots"


def _place(request: uuid.UUID) -> Path:
    return _root() / f"{uuid.UUID(str(request))}.shots"


def _bound(request: uuid.UUID) -> bytes:
    return _LABEL + uuid.UUID(str(request)).bytes
