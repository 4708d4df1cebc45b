"""What the tests of films share: a small storyboard, and a film taken to its end with the tests' engine."""

from typing import Any

import pipeline_kit as kit

from byline.audit.models import Entry
from byline.generation.contracts import Outcome, Verdict
from byline.generation.films import authoring, steps
from byline.generation.films.rows import Film
from byline.generation.models import GenerationRequest
from byline.generation.script.storyboard import Shot, Storyboard

SMALL = {"width": 320, "height": 180, "fps": 12}
VISUALS = ("A red kite over the sea.", "A blue boat in the harbour.", "A white lighthouse at dusk.")


def storyboard(*audio: str, visuals: tuple[str, ...] = VISUALS, seconds: float = 1.2) -> Storyboard:
    said = [*audio, *[""] * len(visuals)]
    shots = [
        Shot(f"Shot {n}", seconds, seen, heard)
        for n, (seen, heard) in enumerate(zip(visuals, said, strict=False), 1)
    ]
    return Storyboard("A storm", "en-us", tuple(shots))


def film(board: Storyboard | None = None, owner: str = "user:1", **more: Any) -> Film:
    values = {"brand": "byline", "seed": 7, "options": SMALL, **more}
    return authoring.create(owner=owner, storyboard=board or storyboard(), **values)


def assembled(made: Film, actor: str = "user:1") -> GenerationRequest:
    """The film's request, driven to its end in this process."""
    return kit.finish(steps.assemble(made.pk, actor=actor, wake_worker=lambda *_: None))


def shot(made: Film, actor: str = "user:1") -> GenerationRequest:
    """As `assembled`, but held as soon as its shots are made: what comes after them costs most."""
    return held_when_shot(steps.assemble(made.pk, actor=actor, wake_worker=lambda *_: None))


def held_when_shot(row: GenerationRequest) -> GenerationRequest:
    held = kit.with_stage("screen", lambda request, artefact: Outcome(Verdict.HOLD, code="enough"))
    row = kit.finish(row, held)
    assert row.error_code == "enough", row.error
    return row


def shots(row: GenerationRequest) -> list[tuple[int, str]]:
    """(shot, made or kept) of every audit entry about a shot of this request, in order."""
    entries = Entry.objects.filter(kind="generation.shot", subject=row.subject).order_by("pk")
    return [(entry.payload["shot"], entry.payload["source"]) for entry in entries]
