"""What people do with a film: give or draft its storyboard, change it, retake shots, fit voice and music.

Promises: every change is a version of its own that names who made it, with its audit entry in the same
transaction; a change that was made on an older version than the current one is refused; steps whose
ground has moved are open again. Seeds stay with their shots, so what was not touched comes out as it was.
Nothing is generated here (steps.py); who may call it is the caller's affair.
"""

import uuid
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

from django.db import transaction

from byline.audit import log
from byline.audit.base import conf
from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation import brands, intake, script
from byline.generation.compose import film_seconds, overlays
from byline.generation.films.rows import STEPS, Film, FilmStep, FilmVersion
from byline.generation.models import FILM_SECONDS
from byline.generation.script import documents, timing
from byline.generation.script.base import Wish
from byline.generation.script.storyboard import InvalidStoryboard, Shot, Storyboard, as_dict, parse
from byline.generation.sound import scoring
from byline.safety import policy

State = FilmStep.State
_VOICE = ("voice", "rate", "pitch", "language")
_MUSIC = ("music", "music_maker", "effects", "loudness")
_NOT_OF_FILMS = {"shots", "narration", "restore"}  # its storyboard has the shots, its voice speaks them
_SEED_STEP = 1000  # seeds of shots that a version adds lie this far apart from another version's


class FilmNotFound(BylineError):
    code = "film_not_found"
    status = 404
    help = "Check the id of the film."


class StaleVersion(BylineError):
    code = "stale_version"
    status = 409
    help = "Somebody changed the film meanwhile. Read it again and make your change on that."


def create(
    *,
    owner: str,
    storyboard: Storyboard,
    brief: str = "",
    brand: str = "",
    profile: str | None = None,
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Film:
    """A film of this storyboard, and its first version. `brief` is the text that it was drafted from.

    InvalidStoryboard, InvalidInput, UnknownBrand, UnknownProfile: nothing is written then.
    """
    if not owner:
        raise InvalidInput("A film needs an owner.")
    profile = profile or conf.get("PROFILE")
    policy.load().profile(profile)
    kit = brands.load(brand or brands.DEFAULT)
    _require_makeable(storyboard, kit)
    film = Film(
        owner=owner,
        brief=brief,
        brand=kit.name,
        profile=profile,
        seed=intake.seed(seed),
        options=_options(options or {}),
    )
    seeds = [(film.seed + number) % 2**63 for number in range(len(storyboard.shots))]
    with transaction.atomic():
        film.save(force_insert=True)
        version = _version(film, 1, storyboard, seeds, "drafted" if brief else "given", owner)
        FilmStep.objects.bulk_create(FilmStep(film=film, name=name) for name in STEPS)
        payload = _told(version) | {
            "brief": film.commit("brief", brief) if brief else None,
            "brand": film.brand,
            "profile": film.profile,
            "seed": str(film.seed),
        }
        log.append("film.created", subject=film.subject, actor=owner, payload=payload)
        ran(film, "script", actor=owner, version=1)
    return film


def edit(
    film_id: uuid.UUID | str, storyboard: Storyboard, *, actor: str, expected: int | None = None
) -> FilmVersion:
    """The storyboard in a new wording. `expected` is the version that was edited; StaleVersion."""
    with transaction.atomic():
        film, current = locked(film_id, expected)
        _require_makeable(storyboard, brands.load(film.brand))
        seeds = _carried(film, current, storyboard.shots)
        return _changed(film, current, storyboard, seeds, "edited", actor)


def edit_shot(
    film_id: uuid.UUID | str, number: int, *, actor: str, expected: int | None = None, **changes: Any
) -> FilmVersion:
    """Shot `number` (from 1) with other words or seconds."""
    with transaction.atomic():
        film, current = locked(film_id, expected)
        storyboard = parse(current.storyboard)
        _require_shot(storyboard, number)
        storyboard = storyboard.edited(number - 1, **changes)
        _require_makeable(storyboard, brands.load(film.brand))
        return _changed(film, current, storyboard, list(current.seeds), "edited", actor)


def retake(
    film_id: uuid.UUID | str,
    number: int,
    *,
    actor: str,
    seed: int | None = None,
    expected: int | None = None,
) -> FilmVersion:
    """Shot `number` (from 1) with another seed, drawn when none is given; the other shots stay."""
    seed = intake.seed(seed)
    with transaction.atomic():
        film, current = locked(film_id, expected)
        storyboard = parse(current.storyboard)
        _require_shot(storyboard, number)
        seeds = [*current.seeds[: number - 1], seed, *current.seeds[number:]]
        return _changed(film, current, storyboard, seeds, "retake", actor)


def redraft(
    film_id: uuid.UUID | str,
    *,
    actor: str,
    brief: str = "",
    wish: Wish | None = None,
    writer: str = "default",
) -> FilmVersion:
    """The script step again: a new draft of the film's brief, or of another one, by a script writer."""
    text = brief or Film.objects.filter(pk=_id(film_id)).values_list("brief", flat=True).first() or ""
    if not text:
        raise InvalidInput("This film has no brief to draft from.", help="Give one, or edit the storyboard.")
    storyboard = script.draft(documents.from_text(text), wish, writer=writer)
    with transaction.atomic():
        film, current = locked(film_id)
        _require_makeable(storyboard, brands.load(film.brand))
        film.brief = text
        film.save(update_fields=["brief", "updated_at"])
        seeds = _carried(film, current, storyboard.shots)
        return _changed(film, current, storyboard, seeds, "drafted", actor)


def fit_voice(film_id: uuid.UUID | str, *, actor: str, **options: Any) -> FilmVersion:
    """The voice step: choose voice, rate, pitch and language, and make each shot as long as its words take.

    The current version where all were long enough. InvalidStoryboard names a shot that cannot be.
    """
    wanted = _options({name: value for name, value in options.items() if value is not None}, only=_VOICE)
    film = get(film_id)
    chosen = {**film.options, **wanted}
    spoken_as = {name: chosen[name] for name in _VOICE[1:] if name in chosen}
    before = film.current
    fitted = timing.fit(parse(before.storyboard), chosen.get("voice", "default"), **spoken_as)
    with transaction.atomic():
        film, current = locked(film_id, before.number)
        _require_makeable(fitted, brands.load(film.brand))
        film.options = {**film.options, **wanted}
        film.save(update_fields=["options", "updated_at"])
        if as_dict(fitted) != current.storyboard:
            current = _changed(film, current, fitted, list(current.seeds), "fitted to the voice", actor)
        else:
            _open(film, "assemble")
        ran(film, "voice", actor=actor, version=current.number, result={"options": wanted})
    return current


def score(film_id: uuid.UUID | str, *, actor: str, **options: Any) -> Film:
    """The music step: mood, maker and effects, None for none of it. The bed is made once here, to see that it
    can be; it is made again, from the same seed, under the assembled film."""
    wanted = _options({name: value for name, value in options.items() if value is not None}, only=_MUSIC)
    with transaction.atomic():
        film, current = locked(film_id)
        kept = {name: value for name, value in film.options.items() if name not in options}
        film.options = {**kept, **wanted}
        storyboard = parse(current.storyboard)
        bed = scoring.bed(
            film.options, seconds=min(storyboard.seconds, 10.0), seed=film.seed, prompt=storyboard.title
        )
        film.save(update_fields=["options", "updated_at"])
        _open(film, "assemble")
        result = {"music": bed.music, "effects": list(bed.effects)} if bed else {}
        ran(film, "music", actor=actor, version=current.number, result=result)
    return film


def get(film_id: uuid.UUID | str) -> Film:
    """FilmNotFound also for what is no id."""
    found = Film.objects.filter(pk=_id(film_id)).first()
    if found is None:
        raise FilmNotFound("There is no such film.")
    return found


def locked(film_id: uuid.UUID | str, expected: int | None = None) -> tuple[Film, FilmVersion]:
    """The film, locked until the transaction ends, and its current version. FilmNotFound, StaleVersion."""
    film = Film.objects.select_for_update().filter(pk=_id(film_id)).first()
    if film is None:
        raise FilmNotFound("There is no such film.")
    current = film.current
    if expected is not None and current.number != expected:
        raise StaleVersion(f"The film is at version {current.number}, the change is of version {expected}.")
    return film, current


def ran(
    film: Film,
    name: str,
    *,
    actor: str,
    version: int,
    request: Any = None,
    result: Mapping[str, Any] | None = None,
) -> FilmStep:
    """Note that a step ran, with its audit entry; the caller's transaction."""
    step = film.steps.get(name=name)
    step.state, step.version, step.actor, step.request = State.MADE, version, actor, request
    if request is not None:
        step.state = State.STARTED
    step.runs += 1
    step.result = dict(result or {})
    step.decided_by, step.decided_at, step.reason = "", None, ""
    step.save()
    payload = {
        "step": name,
        "version": version,
        "run": step.runs,
        "request": str(request.pk) if request is not None else None,
    }
    log.append("film.step", subject=film.subject, actor=actor, payload=payload)
    return step


def require_length(storyboard: Storyboard, kit: brands.Brand) -> None:
    """InvalidStoryboard for a film longer than a film may be, the brand's end card included."""
    seconds = film_seconds([shot.seconds for shot in storyboard.shots], kit)
    if seconds > FILM_SECONDS:
        raise InvalidStoryboard(
            f"the film is {seconds:.1f} s long, the longest is {FILM_SECONDS} s",
            help="Shorten shots, or make several films.",
        )


def _require_makeable(storyboard: Storyboard, kit: brands.Brand) -> None:
    require_length(storyboard, kit)
    overlays.require_drawable(" ".join(storyboard.title.split()), kit.bold_font)
    for shot in storyboard.shots:
        for field, text in (("prompt", shot.visual), ("voice_over", shot.audio), ("title", shot.title)):
            intake.text(field, text)


def _require_shot(storyboard: Storyboard, number: int) -> None:
    if not 1 <= number <= len(storyboard.shots):
        raise InvalidInput(f"The film has shots 1 to {len(storyboard.shots)}.", help="Give one of them.")


def _options(given: Mapping[str, Any], only: Sequence[str] = ()) -> dict[str, Any]:
    refused = set(given) & _NOT_OF_FILMS | (set(given) - set(only) if only else set())
    if refused:
        raise InvalidInput(f"A film has no option {sorted(refused)[0]} here.")
    return intake.options(given)


def _changed(
    film: Film, current: FilmVersion, storyboard: Storyboard, seeds: list[int], change: str, actor: str
) -> FilmVersion:
    """The next version; steps that stood on what is different now are open again."""
    version = _version(film, current.number + 1, storyboard, seeds, change, actor, before=current)
    film.save(update_fields=["updated_at"])
    log.append("film.changed", subject=film.subject, actor=actor, payload=_told(version))
    old, new = current.storyboard, version.storyboard

    def differs(*fields: str) -> bool:
        return [[shot[f] for f in fields] for shot in old["shots"]] != [
            [shot[f] for f in fields] for shot in new["shots"]
        ]

    if old != new:
        ran(film, "script", actor=actor, version=version.number)
    if differs("visual") or current.seeds != seeds:
        _open(film, "shots")
    if differs("audio", "seconds") or old["language"] != new["language"]:
        _open(film, "voice")
    _open(film, "assemble")
    return version


def _open(film: Film, name: str) -> None:
    film.steps.filter(name=name).update(
        state=State.OPEN, request=None, result={}, decided_by="", decided_at=None, reason=""
    )


def _version(
    film: Film,
    number: int,
    storyboard: Storyboard,
    seeds: list[int],
    change: str,
    actor: str,
    before: FilmVersion | None = None,
) -> FilmVersion:
    plain = as_dict(storyboard)
    old = list(zip(before.storyboard["shots"], before.seeds, strict=True)) if before else []
    new = list(zip(plain["shots"], seeds, strict=True))
    shots = [n for n, each in enumerate(new, start=1) if n > len(old) or old[n - 1] != each]
    return FilmVersion.objects.create(
        film=film, number=number, storyboard=plain, seeds=seeds, change=change, shots=shots, actor=actor
    )


def _told(version: FilmVersion) -> dict[str, Any]:
    text = version.film.commit(f"version:{version.number}", version.text())
    return {
        "version": version.number,
        "change": version.change,
        "shots": version.shots,
        "storyboard": text,
    }


def _carried(film: Film, current: FilmVersion, shots: Sequence[Shot]) -> list[int]:
    """A seed for each shot: that of the old shot with this visual, in their order where several have it, else
    of the old shot at this place, else a new one."""
    old, new = [shot["visual"] for shot in current.storyboard["shots"]], [shot.visual for shot in shots]
    free = dict(enumerate(current.seeds))
    seeds: dict[int, int] = {}
    for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            seeds[block.b + offset] = free.pop(block.a + offset)
    for number in range(len(new)):  # moved out of their order
        same = [n for n in free if old[n] == new[number]]
        if number not in seeds and same:
            seeds[number] = free.pop(same[0])
    for number in range(len(new)):
        fresh = (film.seed + _SEED_STEP * (current.number + 1) + number) % 2**63
        if number not in seeds:
            seeds[number] = free.pop(number, fresh) if len(old) == len(new) else fresh
    return [seeds[number] for number in range(len(new))]


def _id(film_id: uuid.UUID | str) -> uuid.UUID:
    try:
        return uuid.UUID(str(film_id))
    except ValueError as error:
        raise FilmNotFound("There is no such film.") from error
