"""The steps that generate, and what people decide about each: nothing publishes by itself.

`render` makes some shots as a private clip of their own, `assemble` the whole film; both are requests that
take the one pipeline and share the film's kept shots. Every step is approved or rejected by a person whose
name is stored; a film with a rejected step is not assembled, one whose assembly nobody approved is not
published (submit.py).
"""

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from byline.audit import log
from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation import intake, submit
from byline.generation.films import scenes
from byline.generation.films.authoring import locked, ran
from byline.generation.films.rows import STEPS, Film, FilmStep, FilmVersion
from byline.generation.models import ACTIVE_NAMES, GenerationRequest
from byline.generation.script.storyboard import parse
from byline.generation.wake import wake

State = FilmStep.State
APPROVE, REJECT = "approve", "reject"
_OUTCOME = {APPROVE: State.APPROVED, REJECT: State.REJECTED}
_SILENT = ("music", "music_maker", "effects")  # a look at shots has no score


class FilmBusy(BylineError):
    code = "film_busy"
    status = 409
    help = "Wait until its request is at rest, or cancel it."


class StepRefused(BylineError):
    code = "step_refused"
    status = 409
    help = "Run the step again or edit what it stands on; then decide about it."


def render(
    film_id: uuid.UUID | str, *, actor: str, shots: Sequence[int] = (), wake_worker: submit.Wake = wake
) -> GenerationRequest:
    """The shots step: make these shots (from 1; all by default) as a private clip to look at."""
    with transaction.atomic():
        film, version = _free(film_id)
        count = len(version.seeds)
        chosen = sorted(set(shots)) or list(range(1, count + 1))
        if not 1 <= chosen[0] <= chosen[-1] <= count:
            raise InvalidInput(f"The film has shots 1 to {count}.", help="Give some of them.")
        row = _ask(film, version, chosen, actor, wake_worker, without=_SILENT)
        ran(film, "shots", actor=actor, version=version.number, request=row, result={"shots": chosen})
    return row


def assemble(film_id: uuid.UUID | str, *, actor: str, wake_worker: submit.Wake = wake) -> GenerationRequest:
    """The last step: the whole film as one request. StepRefused while a step stands rejected, FilmBusy."""
    with transaction.atomic():
        film, version = _free(film_id)
        steps = {step.name: step for step in film.steps.all()}
        if rejected := [name for name in STEPS[:-1] if steps[name].state == State.REJECTED]:
            raise StepRefused(f"The step {rejected[0]} was rejected.")
        row = _ask(film, version, range(1, len(version.seeds) + 1), actor, wake_worker)
        ran(film, "assemble", actor=actor, version=version.number, request=row)
        for name in STEPS[1:-1]:  # what nobody ran by itself is made along with it
            if steps[name].state == State.OPEN:
                ran(film, name, actor=actor, version=version.number, request=row)
    return row


def decide(film_id: uuid.UUID | str, name: str, decision: str, *, actor: str, reason: str = "") -> FilmStep:
    """Approve or reject what a step made; who did is stored. StepRefused where there is nothing to decide."""
    if name not in STEPS or decision not in _OUTCOME:
        raise InvalidInput(
            "There is no such step or decision.", help=f"Steps: {', '.join(STEPS)}; approve or reject."
        )
    reason = intake.text("reason", reason, required=decision == REJECT)
    with transaction.atomic():
        film, _ = locked(film_id)
        step = film.steps.select_related("request").get(name=name)
        if step.standing() not in {State.MADE, State.APPROVED, State.REJECTED}:
            raise StepRefused(f"The step {name} is {step.standing()}: there is nothing to decide.")
        step.state, step.decided_by, step.decided_at = _OUTCOME[decision], actor, timezone.now()
        step.reason = reason
        step.save()
        payload = {
            "step": name,
            "version": step.version,
            "decision": decision,
            "reason": film.commit(f"decision:{name}:{step.runs}", reason) if reason else None,
        }
        log.append("film.step_decided", subject=film.subject, actor=actor, payload=payload)
    return step


def _free(film_id: uuid.UUID | str) -> tuple[Film, FilmVersion]:
    film, version = locked(film_id)
    if film.requests.filter(state__in=ACTIVE_NAMES).exists():
        raise FilmBusy("The film is being made already.")
    return film, version


def _ask(
    film: Film,
    version: FilmVersion,
    numbers: Sequence[int],
    actor: str,
    wake_worker: submit.Wake,
    without: Sequence[str] = (),
) -> GenerationRequest:
    storyboard = parse(version.storyboard)
    whole = len(numbers) == len(storyboard.shots)
    options: dict[str, Any] = {"language": storyboard.language, **film.options}
    return submit.submit(
        prompt="",
        requester=actor,
        title=storyboard.title if whole else "",
        brand=film.brand,
        profile=film.profile,
        seed=film.seed,
        options={name: value for name, value in options.items() if name not in without},
        film=film,
        scenes=scenes.column(
            [storyboard.shots[n - 1] for n in numbers], [version.seeds[n - 1] for n in numbers]
        ),
        wake_worker=wake_worker,
    )
