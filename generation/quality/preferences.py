"""Thumbs and pairwise preferences: taken, counted, rated by Elo, and given out as preference pairs.

Votes name the clip by its id and the person by the account; the log has an entry of each. An export names
nobody: raters are numbered anew in every export, and prompts are in it only when the operator says so.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from byline.audit import log
from byline.audit.base.errors import InvalidInput
from byline.generation.models import GenerationRequest
from byline.generation.quality.rows import TAGS, Opinion, Preference
from byline.generation.states import State

START, STEP = 1000.0, 32.0  # Elo's usual numbers
FINISHED = (State.READY.value, State.PUBLISHED.value)


class NotComparable(InvalidInput):
    code = "not_comparable"
    status = 409
    help = "Compare two finished clips of the same prompt, such as two takes of it."


class BadOpinion(InvalidInput):
    code = "bad_opinion"
    help = f"Tags are of {', '.join(TAGS)}, each once."


def thumb(request: GenerationRequest, rater: str, *, up: bool, tags: Sequence[str] = ()) -> Opinion:
    """Store one person's thumb for a finished clip; an earlier one is replaced. BadOpinion, NotComparable."""
    if not isinstance(up, bool) or set(tags) - set(TAGS) or len(set(tags)) != len(tags):
        raise BadOpinion("A thumb is up or down, with known tags.")
    if request.state not in FINISHED:
        raise NotComparable("There is no finished clip to have an opinion of.")
    with transaction.atomic():
        said = {"up": up, "tags": sorted(tags)}
        opinion, _ = Opinion.objects.update_or_create(request=request, rater=rater, defaults=said)
        log.append("quality.opinion", subject=request.subject, actor=rater, payload=said)
    return opinion


def prefer(better: GenerationRequest, worse: GenerationRequest, rater: str) -> Preference:
    """Store that `rater` finds `better` better. The other way round is forgotten. NotComparable."""
    if better.pk == worse.pk or better.prompt.strip() != worse.prompt.strip():
        raise NotComparable("These are not two clips of one prompt.")
    if not {better.state, worse.state} <= set(FINISHED):
        raise NotComparable("One of the two clips is not finished.")
    with transaction.atomic():
        Preference.objects.filter(better=worse, worse=better, rater=rater).delete()
        row, _ = Preference.objects.update_or_create(better=better, worse=worse, rater=rater)
        log.append("quality.preferred", subject=better.subject, actor=rater, payload={"over": worse.subject})
    return row


def next_pair(
    mine: QuerySet[GenerationRequest], rater: str
) -> tuple[GenerationRequest, GenerationRequest] | None:
    """Two finished clips of one prompt that `rater` has not compared, in random order; None when all are."""
    done = set(Preference.objects.filter(rater=rater).values_list("better_id", "worse_id"))
    rows = mine.filter(state__in=FINISHED).order_by("prompt", "created_at")
    for _, group in itertools.groupby(rows.iterator(), key=lambda row: row.prompt.strip()):
        for one, other in itertools.combinations(group, 2):
            if (one.pk, other.pk) not in done and (other.pk, one.pk) not in done:
                pair = [one, other]
                random.shuffle(pair)
                return pair[0], pair[1]
    return None


def opinions(request: GenerationRequest) -> dict[str, Any]:
    """{"up", "down", "tags", "preferred", "not_preferred"}: counts, without who."""
    rows = list(request.opinions.values_list("up", "tags"))
    tags = [tag for _, marked in rows for tag in marked]
    return {
        "up": sum(up for up, _ in rows),
        "down": sum(not up for up, _ in rows),
        "tags": {tag: tags.count(tag) for tag in TAGS if tag in tags},
        "preferred": request.preferred.count(),
        "not_preferred": request.not_preferred.count(),
    }


def elo(votes: Iterable[tuple[str, str]]) -> dict[str, float]:
    """Ratings from (winner, loser) in the order of the votes (Elo 1978); everybody begins at START."""
    ratings: dict[str, float] = {}
    for winner, loser in votes:
        high, low = ratings.setdefault(winner, START), ratings.setdefault(loser, START)
        if winner == loser:
            continue
        gain = STEP * (1 - 1 / (1 + 10 ** ((low - high) / 400)))
        ratings[winner], ratings[loser] = high + gain, low - gain
    return ratings


def ratings(by: str = "model") -> dict[str, float]:
    """Elo of the models (name and version) or, `by` "asset", of the clips, from every vote; best first."""
    rows = Preference.objects.select_related("better", "worse")
    name = _model if by == "model" else lambda request: str(request.pk)
    found = elo((name(row.better), name(row.worse)) for row in rows)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def pairs(*, prompts: bool = False) -> Iterator[dict[str, Any]]:
    """Preference pairs for training, oldest first: chosen and rejected clip with file, seed and model."""
    numbers: dict[str, int] = {}
    for row in Preference.objects.select_related("better", "worse").iterator():
        yield {
            **({"prompt": row.better.prompt} if prompts else {}),
            "chosen": _clip(row.better),
            "rejected": _clip(row.worse),
            "rater": numbers.setdefault(row.rater, len(numbers) + 1),
            "at": row.at.date().isoformat(),
        }


def thumbs(*, prompts: bool = False) -> Iterator[dict[str, Any]]:
    """Single thumbs, for methods that learn from unpaired feedback."""
    numbers: dict[str, int] = {}
    for row in Opinion.objects.select_related("request").order_by("at").iterator():
        yield {
            **({"prompt": row.request.prompt} if prompts else {}),
            "clip": _clip(row.request),
            "up": row.up,
            "tags": row.tags,
            "rater": numbers.setdefault(row.rater, len(numbers) + 1),
        }


def _clip(request: GenerationRequest) -> dict[str, Any]:
    return {
        "asset": str(request.pk),
        "sha256": request.file_sha256,
        "seed": request.seed,
        "model": _model(request),
    }


def _model(request: GenerationRequest) -> str:
    made = request.produced().get("engine", {})
    return f"{made.get('model', 'unknown')} {made.get('model_version', '')}".strip()
