"""Several takes of one brief: the same words and controls with other seeds, and how alike they turned out.

Each take is a request of its own and goes through every gate; together they carry one `take_set`. The seed of
a take follows from the first one's, so that a set can be made again.
"""

import uuid
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from django.db import transaction

from byline.audit.base.errors import InvalidInput
from byline.generation import intake, submit
from byline.generation.controls import likeness
from byline.generation.models import MAX_SEED, GenerationRequest, StageRun

MOST = 4
SEED_STEP = 1_000_003  # far from the steps between shots and between tries of one


def ask(count: int, *, seed: int | None = None, **brief: Any) -> list[GenerationRequest]:
    """Submit `count` takes (1 to MOST) of what `submit.submit` takes; all of them or none. InvalidInput."""
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise InvalidInput(f"takes is a whole number from 1 to {MOST}.")
    if brief.get("rewrite"):
        raise InvalidInput(
            "A proposal answers one request; takes are balanced one by one.", help="Leave rewrite out."
        )
    first, together = intake.seed(seed), uuid.uuid4()
    seeds = [(first + number * SEED_STEP) % (MAX_SEED + 1) for number in range(count)]
    with transaction.atomic():
        return [
            submit.submit(seed=one, take=(together, number, count) if count > 1 else None, **brief)
            for number, one in enumerate(seeds, start=1)
        ]


def compared(rows: Sequence[GenerationRequest]) -> list[dict[str, Any]]:
    """[{"takes": [1, 2], "similarity", "alike"}] for each pair; None where one is not made yet. `rows` in the
    order of the takes."""
    looks = {
        run.request_id: run.produces.get("look")
        for run in StageRun.objects.filter(request__in=rows, stage="engine", current=True)
    }
    found = []
    for (a, one), (b, other) in combinations(enumerate(rows, start=1), 2):
        pair = looks.get(one.pk), looks.get(other.pk)
        value = round(likeness.alike(pair[0], pair[1]), 3) if pair[0] and pair[1] else None
        found.append(
            {
                "takes": [a, b],
                "similarity": value,
                "alike": None if value is None else value >= likeness.ALIKE,
            }
        )
    return found
